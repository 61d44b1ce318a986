//! An answer as its reader pulls it, and who drives the run meanwhile.
//!
//! A run has to go on whether anybody reads or not, so it could be a task of its own. Most answers are short, however, and
//! are read as soon as they come: then the reader drives the run, and neither a task nor a wake-up of another thread is
//! paid for. A run becomes a task
//!
//! * at once, if it has a request body to pass on: a reader may wait until the body has gone before it reads;
//! * when its reader goes away;
//! * when the answer turns out to be long: a reader may stop between two pieces, and timeouts must not. The first piece is
//!   no longer than what a server takes at once.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use gateway_spec::AppError;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::HostError;
use super::answer::Piece;
use crate::head::ProgramHead;

/// The reader's end of an answer. Dropping it tells the run that the client has gone.
pub(super) struct Pieces {
    /// For messages.
    script: String,
    receiver: mpsc::Receiver<Result<Piece, HostError>>,
    /// The run, as long as it is driven from here.
    run: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    chunks: usize,
    over: bool,
}

/// A run whose answer has this many chunks becomes a task.
const SHORT: usize = 2;

impl Pieces {
    pub(super) fn new(
        script: String,
        receiver: mpsc::Receiver<Result<Piece, HostError>>,
        run: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Pieces { script, receiver, run: Some(Box::pin(run)), chunks: 0, over: false }
    }

    /// Waits for the header block, which comes first.
    pub(super) async fn head(&mut self) -> Result<ProgramHead, HostError> {
        match poll_fn(|cx| self.poll_piece(cx)).await {
            Some(Ok(Piece::Head(head))) => Ok(*head),
            Some(Err(error)) => Err(error),
            Some(Ok(_)) | None => Err(HostError::ShuttingDown),
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, HostError>>> {
        if let Poll::Ready(piece) = self.receiver.poll_recv(cx) {
            return Poll::Ready(piece);
        }
        let Some(run) = &mut self.run else { return Poll::Pending };
        if run.as_mut().poll(cx).is_ready() {
            self.run = None;
        }
        self.receiver.poll_recv(cx)
    }

    /// Makes the run a task. Without a runtime it ends here, and the process with it.
    pub(super) fn let_go(&mut self) {
        if let (Some(run), Ok(runtime)) = (self.run.take(), Handle::try_current()) {
            runtime.spawn(run);
        }
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl Stream for Pieces {
    type Item = Result<Bytes, AppError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let piece = match ready!(self.poll_piece(cx)) {
            Some(Ok(Piece::Chunk(chunk))) => {
                self.chunks += 1;
                if self.chunks == SHORT {
                    self.let_go();
                }
                return Poll::Ready(Some(Ok(chunk)));
            }
            // A head comes once, before the body is made.
            Some(Ok(Piece::End | Piece::Head(_))) => None,
            Some(Err(error)) => Some(Err(error.into_app_error(&self.script))),
            None => Some(Err(HostError::ShuttingDown.into_app_error(&self.script))),
        };
        self.over = true;
        Poll::Ready(piece)
    }
}
