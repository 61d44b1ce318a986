//! What has come for one request on a connection that it shares, until the request takes it.
//!
//! Holds the window: FastCGI has no flow control between the requests of a connection, so what one client does not take is
//! held here, up to a bound, and then the request is given up (FastCGI 1.0 §3.3 says nothing; FCGI-79 tells the worker). Does
//! not hold the connection (`shared`).

use std::collections::VecDeque;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};

use super::error_log::ErrorLog;
use crate::protocol::{EndRequest, ProtocolError};

/// The mail of one request.
pub(super) struct Mailbox(Mutex<Mail>);

struct Mail {
    /// Long pieces as they came, and short ones put together.
    pieces: VecDeque<Bytes>,
    /// The last short ones.
    tail: BytesMut,
    held_bytes: usize,
    max_bytes: usize,
    fate: Option<Fate>,
    log: ErrorLog,
    reader: Option<Waker>,
}

/// How a request ended, seen from the connection.
#[derive(Debug, Clone)]
pub(super) enum Fate {
    /// END_REQUEST.
    Ended(EndRequest),
    /// The connection is lost.
    Lost(Loss),
    /// Its window was full.
    TooSlow,
}

/// Why a connection is lost.
#[derive(Debug, Clone)]
pub(super) enum Loss {
    /// It ended, or broke off in this way.
    Gone(Option<std::io::ErrorKind>),
    /// The worker broke the protocol.
    Protocol(ProtocolError),
}

/// What there is in a mailbox.
#[derive(Debug)]
pub(super) enum Letter {
    Output(Bytes),
    Fate(Fate),
}

/// Pieces from here on are kept as they came. What is kept so holds the buffer it was read into, of at most four times its
/// size, so that memory stays within four windows however the output is cut.
const LONG: usize = 16 * 1024;

impl Mailbox {
    pub(super) fn new(max_bytes: usize, log: ErrorLog) -> Self {
        Self(Mutex::new(Mail {
            pieces: VecDeque::new(),
            tail: BytesMut::new(),
            held_bytes: 0,
            max_bytes,
            fate: None,
            log,
            reader: None,
        }))
    }

    /// Puts output in. Returns whether the window is full now: the output is dropped then.
    pub(super) fn put_output(&self, data: Bytes) -> Window {
        let mut mail = self.mail();
        if mail.fate.is_some() {
            return Window::Open;
        }
        if mail.held_bytes + data.len() > mail.max_bytes {
            mail.end(Fate::TooSlow);
            return Window::Full;
        }
        mail.held_bytes += data.len();
        if data.len() < LONG && !(mail.pieces.is_empty() && mail.tail.is_empty()) {
            mail.tail.extend_from_slice(&data);
            if mail.tail.len() >= LONG {
                mail.close_tail();
            }
        } else {
            mail.close_tail();
            mail.pieces.push_back(data);
        }
        mail.wake();
        Window::Open
    }

    /// Error output goes to the log at once: nobody waits for it (FCGI-83).
    pub(super) fn put_error_output(&self, data: &[u8]) {
        self.mail().log.receive(data);
    }

    /// Nothing comes after this. The first such word counts.
    pub(super) fn put_fate(&self, fate: Fate) {
        self.mail().end(fate);
    }

    /// What comes next: all output first.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Letter> {
        let mut mail = self.mail();
        if let Some(letter) = mail.next() {
            return Poll::Ready(letter);
        }
        match &mut mail.reader {
            Some(reader) => reader.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// What is there.
    pub(super) fn take(&self) -> Option<Letter> {
        self.mail().next()
    }

    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether more output can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    Open,
    Full,
}

impl Mail {
    fn next(&mut self) -> Option<Letter> {
        if self.pieces.is_empty() {
            self.close_tail();
        }
        if let Some(piece) = self.pieces.pop_front() {
            self.held_bytes -= piece.len();
            return Some(Letter::Output(piece));
        }
        self.fate.clone().map(Letter::Fate)
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            let piece = mem::take(&mut self.tail).freeze();
            self.pieces.push_back(piece);
        }
    }

    fn end(&mut self, fate: Fate) {
        if self.fate.is_some() {
            return;
        }
        if matches!(fate, Fate::TooSlow) {
            // Nothing of it will be wanted, for the answer is broken.
            self.pieces.clear();
            self.tail = BytesMut::new();
            self.held_bytes = 0;
        }
        self.log.finish();
        self.fate = Some(fate);
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use gateway_spec::ErrorStream;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn mailbox(max_bytes: usize) -> Mailbox {
        Mailbox::new(max_bytes, ErrorLog::new(ErrorStream::stderr(), 0))
    }

    #[test]
    fn output_comes_before_the_end() {
        let mailbox = mailbox(100);
        mailbox.put_output("one".into());
        mailbox.put_output("two".into());
        mailbox.put_output("three".into());
        mailbox.put_fate(Fate::Ended(EndRequest::COMPLETE));
        mailbox.put_fate(Fate::Lost(Loss::Gone(None)));
        let mut all = Vec::new();
        while let Some(Letter::Output(data)) = mailbox.take() {
            all.extend_from_slice(&data);
        }
        assert_eq!(all, b"onetwothree");
        assert!(matches!(mailbox.take(), Some(Letter::Fate(Fate::Ended(_)))));
    }

    #[test]
    fn what_is_past_the_window_ends_the_request() {
        let mailbox = mailbox(10);
        assert_eq!(mailbox.put_output("0123456789".into()), Window::Open);
        assert!(matches!(mailbox.take(), Some(Letter::Output(_))), "what was taken counts no more");
        assert_eq!(mailbox.put_output("01234567".into()), Window::Open);
        assert_eq!(mailbox.put_output("890".into()), Window::Full);
        assert!(matches!(mailbox.take(), Some(Letter::Fate(Fate::TooSlow))));
        assert_eq!(mailbox.put_output("more".into()), Window::Open, "it is told once");
        assert!(matches!(mailbox.take(), Some(Letter::Fate(Fate::TooSlow))));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_changes_places(
            steps in vec((0_usize..40_000, 0_usize..4), 0..40)
        ) {
            let mailbox = mailbox(4 << 20);
            let (mut sent, mut got) = (Vec::new(), Vec::new());
            for (number, (length, takes)) in steps.into_iter().enumerate() {
                let data = vec![u8::try_from(number).unwrap(); length];
                sent.extend_from_slice(&data);
                if length > 0 {
                    mailbox.put_output(data.into());
                }
                for _ in 0..takes {
                    if let Some(Letter::Output(data)) = mailbox.take() {
                        got.extend_from_slice(&data);
                    }
                }
            }
            while let Some(Letter::Output(data)) = mailbox.take() {
                got.extend_from_slice(&data);
            }
            prop_assert!(sent == got);
            prop_assert_eq!(mailbox.mail().held_bytes, 0);
        }
    }
}
