//! The life of one connection: request after request, then a polite end.
//!
//! Holds what happens between requests, the reading of short bodies, and where a call takes place. Does not hold the call.

use super::Shared;
use super::environ::{Described, ParamsError, describe};
use super::exchange::{BodySource, Ended, Over, RequestIo, run_blocking, run_inline};
use super::link::{Link, LinkError};
use crate::connection::{Request, WorkerEvent};
use crate::net::{Peer, Stream};
use crate::protocol::{Params, ProtocolStatus, RequestId};
use bytes::{Bytes, BytesMut};
use gateway_spec::{Admission, Disconnected, Environ, ErrorStream, Failure, Input};
use std::sync::Arc;
use tokio::sync::watch;
use tracing::Instrument;

/// A connection that is being served.
pub(super) struct Session {
    shared: Arc<Shared>,
    link: Arc<Link>,
    peer: Peer,
    end: watch::Receiver<bool>,
}

/// What of the body had arrived when the application is called.
enum Arrived {
    Whole(Bytes),
    Part(Bytes),
    /// The gateway does not want an answer any more.
    Aborted,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, stream: Stream, peer: Peer, end: watch::Receiver<bool>) -> Self {
        let link = Arc::new(Link::new(stream, &shared.config));
        Self { shared, link, peer, end }
    }

    pub(super) async fn run(mut self) {
        let span = tracing::info_span!("fastcgi", peer = %self.peer);
        async move {
            match self.requests().await {
                Ok(()) => self.close().await,
                // Where the output ends before END_REQUEST, the gateway sees that the response is not whole.
                Err(LinkError::BrokenOff) => self.close().await,
                Err(LinkError::Protocol(error)) => {
                    tracing::warn!(%error, clause = error.clause(), "connection refused");
                    self.close().await;
                }
                Err(error) => tracing::debug!(%error, "connection ended"),
            }
        }
        .instrument(span)
        .await;
    }

    async fn requests(&mut self) -> Result<(), LinkError> {
        let config = &self.shared.config;
        let mut idle = config.silent_timeout;
        // A gateway that has just connected is about to ask, and may have nowhere else to go when it is refused: a
        // connection is closed for the end of the worker only between two requests (FCGI-10).
        let mut asked = false;
        loop {
            let event = tokio::select! {
                biased;
                event = self.link.next_event(idle) => event?,
                _ = self.end.wait_for(|end| *end), if asked && self.link.is_idle() => {
                    if self.link.is_idle() { return Ok(()) } else { continue }
                }
            };
            match event {
                None => return Ok(()),
                Some(WorkerEvent::Request(request)) => {
                    asked = true;
                    self.request(request).await?;
                }
                // The rest of a body that was answered early.
                Some(_) => continue,
            }
            self.link.flush().await?;
            if *self.end.borrow() || self.link.is_closing() {
                return Ok(());
            }
            idle = config.idle_timeout;
        }
    }

    async fn request(&self, request: Request) -> Result<(), LinkError> {
        let Request { id, params, .. } = request;
        let _noted = self.shared.activity.begin(&params);
        let generation = self.link.turn();
        let answered = match describe(&params, &self.shared.config) {
            Err(error) => self.refuse(id, &error),
            Ok(described) => {
                let (link, half_duplex) = (Arc::clone(&self.link), described.half_duplex);
                self.answer(&Arc::new(RequestIo { link, id, generation, half_duplex }), described, &params).await
            }
        };
        if answered.is_ok() && self.link.is_aborted() {
            // FCGI-79: as soon as possible, and once; the machine knows whether the request has ended already.
            let _ = self.link.lock().machine.send_end(id, 0);
        }
        // What the application has kept of this request has no access to the next.
        self.link.turn();
        answered
    }

    async fn answer(&self, io: &Arc<RequestIo>, described: Described, params: &Params) -> Result<(), LinkError> {
        let arrived = self.receive_body(described.content_length).await?;
        let (admission, whole) = match &arrived {
            Arrived::Aborted => return Ok(()),
            Arrived::Whole(_) => (self.shared.calls.admit(), true),
            Arrived::Part(_) => (self.shared.calls.admit_blocking(), false),
        };
        let environ = match environ(described, arrived, io) {
            Ok(environ) => environ,
            Err(error) => return self.refuse(io.id, &error),
        };
        let app = &self.shared.app;
        let over = match admission {
            Admission::Inline(permit) if whole => run_inline(app, environ, io, &self.shared.calls, permit).await?,
            Admission::Inline(permit) | Admission::Overflow(permit) => run_blocking(app, environ, io, permit).await?,
            Admission::Full => {
                tracing::warn!(request = %io.id, "overloaded");
                let _ = self.link.lock().machine.refuse(io.id, ProtocolStatus::OVERLOADED);
                return Ok(());
            }
        };
        log(io.id, params, &over);
        match over.ended {
            Ended::Complete => Ok(()),
            Ended::BrokenOff => Err(LinkError::BrokenOff),
            Ended::Unwanted if self.link.is_aborted() => Ok(()),
            Ended::Unwanted => Err(LinkError::Gone),
        }
    }

    /// Receives the body if it is short, so that the call need not wait for the network; else what has come by now.
    async fn receive_body(&self, declared: Option<u64>) -> Result<Arrived, LinkError> {
        let most = self.shared.config.pre_read_bytes;
        let is_short = declared.is_some_and(|length| length <= most as u64);
        let mut arrived = Pieces::default();
        if declared.is_some() && !is_short {
            return Ok(Arrived::Part(Bytes::new()));
        }
        loop {
            match self.link.next_event(self.shared.config.read_timeout).await? {
                Some(WorkerEvent::Stdin { data, .. }) => arrived.push(data),
                Some(WorkerEvent::StdinEnd(_)) => return Ok(Arrived::Whole(arrived.joined())),
                Some(WorkerEvent::Abort(_)) => return Ok(Arrived::Aborted),
                Some(_) => {}
                None => return Err(LinkError::Gone),
            }
            // Without a declared length the gateway may be passing on what a client sends bit by bit, and the application may
            // want to answer in between (FCGI-113): it reads for itself from here on.
            if declared.is_none() && arrived.length > 0 || arrived.length > most {
                return Ok(Arrived::Part(arrived.joined()));
            }
        }
    }

    /// Answers parameters that make no request.
    fn refuse(&self, id: RequestId, error: &ParamsError) -> Result<(), LinkError> {
        tracing::warn!(request = %id, %error, "request refused");
        let mut state = self.link.lock();
        let _ = state.machine.send_stdout(id, Bytes::from_static(BAD_REQUEST));
        let _ = state.machine.send_end(id, 0);
        Ok(())
    }

    /// Closes so that the gateway gets everything that was sent: a reset for its unread input could destroy it (FCGI-120).
    async fn close(&self) {
        let stream = self.link.stream();
        if self.link.flush().await.is_err() || stream.shutdown_write().is_err() {
            return;
        }
        let mut rest = BytesMut::new();
        let wait_for_end = async {
            while stream.read_buf(&mut rest).await.is_ok_and(|length| length > 0) {
                rest.clear();
            }
        };
        let _ = tokio::time::timeout(self.shared.config.linger, wait_for_end).await;
    }
}

impl Drop for Session {
    /// Also when it is cut off: a thread that waits for the gateway wakes up, and the application learns that it is over.
    fn drop(&mut self) {
        self.link.stream().shutdown();
    }
}

const BAD_REQUEST: &[u8] =
    b"Status: 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 16\r\n\r\n400 Bad Request\n";

fn environ(described: Described, arrived: Arrived, io: &Arc<RequestIo>) -> Result<Environ, ParamsError> {
    let Described { builder, content_length, .. } = described;
    let input = match arrived {
        Arrived::Whole(bytes) if content_length.is_none_or(|length| length == bytes.len() as u64) => Input::from(bytes),
        // Fewer or more bytes than declared: the application sees the mismatch, or only what was declared (FCGI-94).
        Arrived::Whole(bytes) => Input::reader(std::io::empty(), content_length).with_arrived(bytes),
        Arrived::Part(bytes) => Input::new(BodySource::new(Arc::clone(io)), content_length).with_arrived(bytes),
        Arrived::Aborted => Input::empty(),
    };
    let errors = ErrorStream::new(Arc::clone(io) as Arc<_>);
    Ok(builder.input(input).errors(errors).build()?)
}

/// Pieces of a body; mostly there is one, which then is not copied.
#[derive(Default)]
struct Pieces {
    first: Bytes,
    more: BytesMut,
    length: usize,
}

impl Pieces {
    fn push(&mut self, piece: Bytes) {
        self.length += piece.len();
        if self.first.is_empty() {
            self.first = piece;
        } else {
            if self.more.is_empty() {
                self.more.extend_from_slice(&self.first);
            }
            self.more.extend_from_slice(&piece);
        }
    }

    fn joined(self) -> Bytes {
        if self.more.is_empty() { self.first } else { self.more.freeze() }
    }
}

/// One line for each request; never its query, which may hold secrets.
fn log(id: RequestId, params: &Params, over: &Over) {
    let text = |name: &[u8]| params.get(name).unwrap_or_default().escape_ascii().to_string();
    let path = || text(b"SCRIPT_NAME") + &text(b"PATH_INFO");
    match &over.failure {
        Some(Failure::Application(error)) if Disconnected::is_cause_of(error.as_ref()) => {
            tracing::debug!(request = %id, method = text(b"REQUEST_METHOD"), path = path(), "client gone");
        }
        Some(failure) => {
            let (method, path) = (text(b"REQUEST_METHOD"), path());
            tracing::warn!(request = %id, method, path, error = %failure, ended = ?over.ended, "application failed");
        }
        None => {
            tracing::debug!(request = %id, method = text(b"REQUEST_METHOD"), path = path(), ended = ?over.ended, "request");
        }
    }
}
