//! The two bodies of a proxied request: the client's on its way to the upstream, the upstream's on its way to the client.
//!
//! Holds what is handed from one to the other, piece by piece and as fast as the slower side takes it, and the time that an
//! upstream may be silent. Does not hold framing, which is hyper's on the one side and the listener's on the other.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use gateway_fastcgi::net::after;
use gateway_spec::{AppError, InputStream};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::error::{ProxyError, failed, with_causes};
use super::pool::Lease;

/// The client's body, as hyper sends it.
pub(super) struct RequestBody {
    input: InputStream,
    watch: Arc<Watch>,
    /// How long the upstream may think about it.
    patience: Option<Pin<Box<Sleep>>>,
}

/// What the one who waits for an answer knows about the body that is being sent.
#[derive(Debug)]
pub(super) struct Watch(Mutex<Progress>);

#[derive(Debug)]
struct Progress {
    /// When the upstream last took a piece.
    last: Instant,
    failure: Option<io::Error>,
    /// The client waits to be told to go on, and the upstream has not said so.
    is_held: bool,
    waker: Option<Waker>,
}

impl RequestBody {
    /// `input` and what can be seen of it from elsewhere. With `is_held` nothing is read of it before [`Watch::go_on`], or before the
    /// upstream has had its time: not every one knows what `Expect` means (RFC 9110 §10.1.1).
    pub(super) fn new(input: InputStream, is_held: bool) -> (Self, Arc<Watch>) {
        let progress = Progress { last: Instant::now(), failure: None, is_held, waker: None };
        let watch = Arc::new(Watch(Mutex::new(progress)));
        (Self { input, watch: Arc::clone(&watch), patience: None }, watch)
    }

    /// Waits until the upstream has told the client to go on.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut progress = self.watch.lock();
        if !progress.is_held {
            return Poll::Ready(());
        }
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep_until(after(CONTINUE_PATIENCE))));
        if patience.as_mut().poll(cx).is_ready() {
            progress.is_held = false;
            return Poll::Ready(());
        }
        progress.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Is there nothing to send, so that the request can be sent twice?
    pub(super) fn is_empty(&self) -> bool {
        self.input.length() == Some(0)
    }
}

/// How long the upstream may take to say `100 Continue`: what curl waits.
const CONTINUE_PATIENCE: Duration = Duration::from_secs(1);

impl Watch {
    /// The upstream wants the body.
    pub(super) fn go_on(&self) {
        let mut progress = self.lock();
        progress.is_held = false;
        if let Some(waker) = progress.waker.take() {
            waker.wake();
        }
    }

    pub(super) fn last_progress(&self) -> Instant {
        self.lock().last
    }

    /// What kept the client's body from arriving: the client's doing, not the upstream's.
    pub(super) fn take_failure(&self) -> Option<io::Error> {
        self.lock().failure.take()
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client's body did not arrive; why is in the [`Watch`].
#[derive(Debug, thiserror::Error)]
#[error("the request body did not arrive")]
pub(super) struct InputFailed;

impl Body for RequestBody {
    type Data = Bytes;
    type Error = InputFailed;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, InputFailed>>> {
        ready!(self.poll_held(cx));
        let piece = ready!(Pin::new(&mut self.input).poll_next(cx));
        let mut progress = self.watch.lock();
        progress.last = Instant::now();
        Poll::Ready(piece.map(|piece| match piece {
            Ok(piece) => Ok(Frame::data(piece)),
            Err(error) => {
                progress.failure = Some(error);
                Err(InputFailed)
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.input.length().map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

/// The upstream's body. Dropped before its end it takes its connection along, which is how an upstream learns that nobody
/// wants the rest.
pub(super) struct ResponseBody {
    body: Incoming,
    /// Given back at the end.
    lease: Option<Lease>,
    /// Set while nothing comes.
    silence: Option<Pin<Box<Sleep>>>,
    read_timeout: Duration,
    deadline: Option<(Instant, Duration)>,
}

impl ResponseBody {
    pub(super) fn new(
        body: Incoming,
        lease: Lease,
        read_timeout: Duration,
        deadline: Option<(Instant, Duration)>,
    ) -> Self {
        let mut body = Self { body, lease: Some(lease), silence: None, read_timeout, deadline };
        body.keep_if_over();
        body
    }

    /// The connection is free for others as soon as the last piece is here; nobody may ask again after it.
    fn keep_if_over(&mut self) {
        if self.body.is_end_stream()
            && let Some(lease) = self.lease.take()
        {
            lease.keep();
        }
    }

    /// Rings when the upstream has been silent for too long, or the answer takes too long.
    fn poll_time(&mut self, cx: &mut Context<'_>) -> Poll<ProxyError> {
        let silent_until = after(self.read_timeout);
        let ends = self.deadline.map_or(silent_until, |(deadline, _)| deadline.min(silent_until));
        let silence = self.silence.get_or_insert_with(|| Box::pin(sleep_until(ends)));
        ready!(silence.as_mut().poll(cx));
        let upstream = self.lease.as_ref().map(Lease::upstream).unwrap_or_default();
        Poll::Ready(match self.deadline {
            Some((deadline, limit)) if Instant::now() >= deadline => ProxyError::TotalTimeout { upstream, limit },
            _ => ProxyError::ReadTimeout { upstream, limit: self.read_timeout },
        })
    }
}

impl Stream for ResponseBody {
    type Item = Result<Bytes, AppError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            let frame = match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => return this.poll_time(cx).map(|error| Some(Err(failed(error)))),
            };
            this.silence = None;
            this.keep_if_over();
            match frame {
                None => return Poll::Ready(None),
                // Trailers have no place in the contract (HTTP-96).
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => return Poll::Ready(Some(Ok(data))),
                    Err(_) => continue,
                },
                // HTTP-159: the client must see it as well.
                Some(Err(error)) => {
                    let upstream = this.lease.as_ref().map(Lease::upstream).unwrap_or_default();
                    let error = ProxyError::Truncated { upstream, reason: with_causes(&error) };
                    return Poll::Ready(Some(Err(failed(error))));
                }
            }
        }
    }
}
