//! The request body on its way to a worker, of which the start is remembered.
//!
//! Holds what is needed to send it once more on another connection (FCGI-117). Does not decide whether to.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use gateway_spec::InputStream;

/// Most bytes that are remembered: what is sent before a dead connection is noticed.
const MAX_REMEMBERED: usize = 64 * 1024;

/// A request body; nothing at all if there is none, as in most requests.
pub(super) struct RequestBody(Option<Box<Pieces>>);

struct Pieces {
    source: InputStream,
    /// Pieces that are to be given out again, before the source.
    again: VecDeque<Bytes>,
    /// Pieces that were given out; `None` once they are too long, or not needed any more.
    given: Option<Vec<Bytes>>,
    given_bytes: usize,
}

impl RequestBody {
    pub(super) fn new(source: InputStream) -> Self {
        if source.length() == Some(0) {
            return Self::empty();
        }
        Self(Some(Box::new(Pieces { source, again: VecDeque::new(), given: Some(Vec::new()), given_bytes: 0 })))
    }

    /// Nothing.
    pub(super) fn empty() -> Self {
        Self(None)
    }

    /// Takes the body out of something that goes.
    pub(super) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    /// The next piece, `None` at the end.
    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        match &mut self.0 {
            Some(pieces) => pieces.poll(cx),
            None => Poll::Ready(None),
        }
    }

    /// It will not be sent again.
    pub(super) fn forget(&mut self) {
        if let Some(pieces) = &mut self.0 {
            pieces.given = None;
        }
    }

    /// The same body from its start, if that is still known.
    pub(super) fn rewound(self) -> Option<Self> {
        let Some(mut pieces) = self.0 else { return Some(self) };
        let mut again = VecDeque::from(pieces.given.replace(Vec::new())?);
        again.append(&mut pieces.again);
        pieces.again = again;
        pieces.given_bytes = 0;
        Some(Self(Some(pieces)))
    }
}

impl Pieces {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let piece = match self.again.pop_front() {
            Some(piece) => piece,
            None => match ready!(Pin::new(&mut self.source).poll_next(cx)) {
                Some(Ok(piece)) => piece,
                other => return Poll::Ready(other),
            },
        };
        self.given_bytes = self.given_bytes.saturating_add(piece.len());
        if self.given_bytes > MAX_REMEMBERED {
            self.given = None;
        } else if let Some(given) = &mut self.given {
            given.push(piece.clone());
        }
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn pieces(body: &mut RequestBody, most: usize) -> Vec<Bytes> {
        let mut pieces = Vec::new();
        while pieces.len() < most {
            match poll_fn(|cx| body.poll_piece(cx)).await {
                Some(piece) => pieces.push(piece.unwrap()),
                None => break,
            }
        }
        pieces
    }

    struct Source(Vec<&'static [u8]>);

    impl Stream for Source {
        type Item = io::Result<Bytes>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Ready(if self.0.is_empty() { None } else { Some(Ok(Bytes::from_static(self.0.remove(0)))) })
        }
    }

    #[tokio::test]
    async fn fcgi_117_a_body_can_be_had_again_however_much_was_taken() {
        let all = [&b"one"[..], b"two", b"three"];
        for first in 0..=4 {
            for second in 0..=4 {
                let mut body = RequestBody::new(InputStream::new(Source(all.to_vec()), Some(11)));
                pieces(&mut body, first).await;
                let mut body = body.rewound().unwrap();
                pieces(&mut body, second).await;
                let mut body = body.rewound().unwrap();
                assert_eq!(pieces(&mut body, 9).await, all);
            }
        }
    }

    #[tokio::test]
    async fn fcgi_117_a_long_body_is_not_remembered() {
        static LONG: [u8; MAX_REMEMBERED] = [0; MAX_REMEMBERED];
        let mut body = RequestBody::new(InputStream::new(Source(vec![&LONG, b"x"]), None));
        pieces(&mut body, 1).await;
        let mut body = body.rewound().unwrap();
        pieces(&mut body, 2).await;
        assert!(body.0.as_ref().unwrap().given.is_none() && body.rewound().is_none());
    }

    #[tokio::test]
    async fn fcgi_117_a_body_that_an_answer_came_for_is_forgotten() {
        let mut body = RequestBody::new(InputStream::from(Bytes::from("abc")));
        body.forget();
        assert!(body.rewound().is_none());
    }
}
