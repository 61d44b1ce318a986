//! A program's output on its way to the client: the header block, then the body in pieces.
//!
//! Holds what counts as a whole answer. Does not hold when the program must end: `run` decides that.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

use super::activity::{Activity, Silence};
use super::process::Exit;
use super::{FailedExit, HostError};
use crate::head::{Decoded, Decoder, Form, HeadError, Limits, ProgramHead, ResponseKind};

/// What a program's output has come to, step by step.
pub(super) enum Piece {
    Head(Box<ProgramHead>),
    Chunk(Bytes),
    /// The answer is whole. A channel that closes without it was broken off.
    End,
}

/// The sending end of an answer.
pub(super) struct Answer {
    form: Form,
    pieces: mpsc::Sender<Result<Piece, HostError>>,
    progress: Mutex<Progress>,
}

struct Progress {
    head: HeadState,
    declared: Option<u64>,
    sent: u64,
    /// What came after the client had all it will get.
    unwanted: u64,
    /// No body goes to the client, now or ever: HEAD, 204, 304, a local redirect (CGI-73).
    bodiless: bool,
}

enum HeadState {
    /// Not a byte has come.
    Nothing,
    /// So many bytes have come, and no blank line.
    Begun(usize),
    Complete,
}

/// How long and how much is waited for.
pub(super) struct OutputLimits {
    pub(super) head: Limits,
    pub(super) head_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) max_unwanted_bytes: u64,
}

/// Two pieces under way at most: with the one being read, no more than 192 KiB of an answer are in memory.
const PIECES: usize = 2;

/// What one read takes at most: as much as a pipe holds.
const READ: usize = 64 * 1024;

/// What the first read takes, which most answers fit into.
const FIRST: usize = 4 * 1024;

/// Makes both ends of an answer of this form; `head_request` says that no body is wanted.
pub(super) fn channel(form: Form, head_request: bool) -> (Answer, mpsc::Receiver<Result<Piece, HostError>>) {
    let (pieces, receiver) = mpsc::channel(PIECES);
    let progress = Progress { head: HeadState::Nothing, declared: None, sent: 0, unwanted: 0, bodiless: head_request };
    (Answer { form, pieces, progress: Mutex::new(progress) }, receiver)
}

impl Answer {
    /// Reads the output to its end and passes it on.
    pub(super) async fn pump(
        &self,
        mut stdout: pipe::Receiver,
        limits: &OutputLimits,
        activity: &Activity,
    ) -> Result<(), HostError> {
        let mut buffer = BytesMut::with_capacity(FIRST);
        let mut rest = self.pump_head(&mut stdout, &mut buffer, limits, activity).await?;
        loop {
            // Much output comes in long pieces, and what trickles needs no room for them.
            let room = if rest.len() < FIRST / 4 { FIRST } else { READ };
            if !rest.is_empty() {
                self.chunk(rest, limits, activity).await?;
            }
            let limit = limits.idle_timeout;
            rest = match activity.within(limit, read(&mut stdout, &mut buffer, room)).await {
                Ok(bytes) => bytes?,
                Err(Silence) => return Err(HostError::IdleTimeout { limit }),
            };
            if rest.is_empty() {
                tracing::trace!(target: "gateway::marks", mark = "closed");
                return Ok(());
            }
            activity.mark();
        }
    }

    /// Reads to the blank line; returns what came after it.
    ///
    /// Bytes of the block are no activity: one that comes drop by drop is late all the same.
    async fn pump_head(
        &self,
        stdout: &mut pipe::Receiver,
        buffer: &mut BytesMut,
        limits: &OutputLimits,
        activity: &Activity,
    ) -> Result<Bytes, HostError> {
        let mut decoder = Decoder::with_limits(limits.head).form(self.form);
        let limit = limits.head_timeout;
        let mut begun = false;
        loop {
            let bytes = match activity.within(limit, read(stdout, buffer, FIRST)).await {
                Ok(bytes) => bytes?,
                Err(Silence) => return Err(HostError::HeadTimeout { limit }),
            };
            if bytes.is_empty() {
                // `finish` says what is missing, and how the program ended.
                return Ok(bytes);
            }
            if !std::mem::replace(&mut begun, true) {
                tracing::trace!(target: "gateway::marks", mark = "output");
            }
            match decoder.receive(&bytes)? {
                Decoded::NeedMore => self.progress().begun(bytes.len()),
                Decoded::Head { head, consumed } => {
                    activity.mark();
                    self.head(head, activity).await?;
                    return Ok(bytes.slice(consumed..));
                }
            }
        }
    }

    async fn head(&self, head: Box<ProgramHead>, activity: &Activity) -> Result<(), HostError> {
        {
            let mut progress = self.progress();
            progress.head = HeadState::Complete;
            progress.declared = head.content_length;
            progress.bodiless |= matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
                || matches!(head.kind, ResponseKind::LocalRedirect { .. });
        }
        self.send(Piece::Head(head), activity).await
    }

    /// Passes a piece of the body on. What nobody wants is read all the same, to the end of the output (CGI-132), unless
    /// that is nowhere in sight.
    async fn chunk(&self, chunk: Bytes, limits: &OutputLimits, activity: &Activity) -> Result<(), HostError> {
        let len = chunk.len() as u64;
        {
            let mut progress = self.progress();
            if progress.is_complete() {
                progress.unwanted = progress.unwanted.saturating_add(len);
                let limit = limits.max_unwanted_bytes;
                return if progress.unwanted > limit { Err(HostError::Unwanted { limit }) } else { Ok(()) };
            }
            progress.sent = progress.sent.saturating_add(len);
        }
        self.send(Piece::Chunk(chunk), activity).await
    }

    async fn send(&self, piece: Piece, activity: &Activity) -> Result<(), HostError> {
        match activity.hold(self.pieces.send(Ok(piece))).await {
            Ok(()) => Ok(()),
            Err(_) if self.progress().is_complete() => Ok(()),
            Err(_) => Err(HostError::ClientGone),
        }
    }

    /// Ends when nobody wants the rest of an answer that is not whole.
    pub(super) async fn abandoned(&self) {
        self.pieces.closed().await;
        if self.progress().is_complete() {
            std::future::pending::<()>().await;
        }
    }

    /// Ends the answer: the output is at its end, and the program has ended in this way.
    ///
    /// Returns whether the answer is whole, and the program has failed all the same.
    pub(super) async fn finish(&self, exit: Exit, failed: FailedExit) -> Result<AfterAll, HostError> {
        let after_all = self.progress().judge(exit, failed)?;
        // A client that goes now misses nothing.
        let _ = self.pieces.send(Ok(Piece::End)).await;
        Ok(after_all)
    }

    /// Breaks the answer off, unless it is whole already; gives the error back if nobody could be told.
    pub(super) async fn fail(&self, error: HostError) -> Result<(), HostError> {
        if self.progress().is_complete() {
            let _ = self.pieces.send(Ok(Piece::End)).await;
            return Err(error);
        }
        match self.pieces.send(Err(error)).await {
            Ok(()) => Ok(()),
            Err(unsent) => unsent.0.map_or_else(Err, |_| Ok(())),
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to be said about a program whose answer was whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AfterAll {
    Well,
    Failed,
}

impl Progress {
    fn begun(&mut self, bytes: usize) {
        if let HeadState::Nothing = self.head {
            self.head = HeadState::Begun(0);
        }
        if let HeadState::Begun(received) = &mut self.head {
            *received = received.saturating_add(bytes);
        }
    }

    /// Whether the client has all it will get.
    fn is_complete(&self) -> bool {
        let head = matches!(self.head, HeadState::Complete);
        head && (self.bodiless || self.declared.is_some_and(|declared| self.sent >= declared))
    }

    /// Decides what the end of the output means.
    ///
    /// CGI has no word for "and this is all": without a declared length the end of the output is the end of the answer,
    /// and only how the program ended tells a whole answer from a cut one.
    fn judge(&self, exit: Exit, failed: FailedExit) -> Result<AfterAll, HostError> {
        match self.head {
            HeadState::Nothing => return Err(HostError::NoHead { error: HeadError::Empty, exit }),
            HeadState::Begun(received) => {
                return Err(HostError::NoHead { error: HeadError::Truncated { received }, exit });
            }
            HeadState::Complete => {}
        }
        let well = matches!(exit, Exit::Code(0) | Exit::Running);
        match self.declared.filter(|_| !self.bodiless) {
            Some(declared) if self.sent < declared => {
                return Err(HostError::Short { declared, sent: self.sent, exit });
            }
            Some(_) => {}
            None if self.bodiless || well => {}
            None if matches!(exit, Exit::Signal(_)) || failed == FailedExit::Abort => {
                return Err(HostError::Failed { exit });
            }
            None => {}
        }
        Ok(if well { AfterAll::Well } else { AfterAll::Failed })
    }
}

/// One read of at most about `room` bytes; empty at the end.
async fn read(stdout: &mut pipe::Receiver, buffer: &mut BytesMut, room: usize) -> Result<Bytes, HostError> {
    if buffer.capacity() < room / 8 {
        buffer.reserve(room);
    }
    stdout.read_buf(buffer).await.map_err(HostError::Output)?;
    Ok(buffer.split().freeze())
}
