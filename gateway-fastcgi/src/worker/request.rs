//! One request, from its parameters to its end.
//!
//! Holds the reading of short bodies, the choice of the application and of the place where it is called. Does not hold the call
//! (`exchange`, `asynchronous`).

use super::Shared;
use super::applications::App;
use super::asynchronous::run_asynchronous;
use super::body::BodySource;
use super::environ::{Described, First, ParamsError, describe_for};
use super::exchange::{Over, run_blocking, run_inline};
use super::link::{Begun, Caller, InputKind, Link, LinkError, Taken};
use super::output::{Ended, RequestIo};
use super::roles::FilterData;
use crate::calls::Seat;
use crate::connection::Request;
use crate::protocol::{Params, ProtocolStatus, RequestId, Role};
use bytes::{Bytes, BytesMut};
use gateway_spec::{Admission, Application, Disconnected, Environ, ErrorStream, Failure, Input};
use std::sync::Arc;

/// What of the body had arrived when the application is called.
enum Arrived {
    Whole(Bytes),
    Part(Bytes),
    /// The gateway does not want an answer any more.
    Aborted,
}

/// Answers one request, which the caller then ends. An error means that the connection cannot go on.
pub(super) async fn serve(shared: &Arc<Shared>, link: &Arc<Link>, begun: Begun) -> Result<(), LinkError> {
    let Begun { request, serial, bodiless, .. } = begun;
    shared.count_request();
    let Request { id, role, params, .. } = request;
    let _noted = shared.activity.begin(&params);
    match describe_for(role, &params, &shared.config) {
        Err(error) => no_request(link, serial, id, &error),
        Ok(described) => {
            if described.one_at_a_time {
                link.note_one_at_a_time();
            }
            let first = described.first;
            let app = shared.applications.of(role);
            let asynchronous = matches!(app, Some(App::Asynchronous(_)));
            let io = Arc::new(RequestIo { link: Arc::clone(link), id, serial, first, asynchronous });
            let serving = Serving { shared, io: &io, role, params: &params, bodiless };
            match serving.answer(app, described).await {
                // Where others are served, one whose body does not come is no reason to end the connection.
                Err(LinkError::Silent(longest)) if link.is_pumped() => {
                    tracing::warn!(request = %id, ?longest, "the request body did not come");
                    respond(link, serial, id, TIMEOUT)
                }
                answered => answered,
            }
        }
    }
}

/// A request that is being answered.
struct Serving<'a> {
    shared: &'a Arc<Shared>,
    io: &'a Arc<RequestIo>,
    role: Role,
    params: &'a Params,
    bodiless: bool,
}

impl Serving<'_> {
    async fn answer(&self, app: Option<App<'_>>, described: Described) -> Result<(), LinkError> {
        let ended = match app {
            None => return self.turn_down(ProtocolStatus::UNKNOWN_ROLE),
            Some(App::Asynchronous(app)) => {
                let longest = self.shared.config.read_timeout;
                let failed = |failure: &Failure| log_failure(self.io, self.params, failure);
                run_asynchronous(&**app, described, self.io, longest, failed).await
            }
            Some(App::Synchronous(app)) => match self.call(app, described).await? {
                Some(Over { ended, failure }) => {
                    if let Some(failure) = failure {
                        log_failure(self.io, self.params, &failure);
                    }
                    ended
                }
                None => return Ok(()),
            },
        };
        log_end(self.io, self.params, ended);
        match ended {
            Ended::Complete => Ok(()),
            Ended::BrokenOff => Err(LinkError::BrokenOff),
            Ended::Unwanted if self.io.link.is_aborted(self.io.serial) => Ok(()),
            Ended::Unwanted => Err(LinkError::Gone),
        }
    }

    /// Calls a synchronous application, unless the request ends before that.
    async fn call(&self, app: &Arc<dyn Application>, described: Described) -> Result<Option<Over>, LinkError> {
        let (io, calls) = (self.io, &self.shared.calls);
        let arrived = self.receive_body(described.content_length).await?;
        let (admission, whole) = match &arrived {
            Arrived::Aborted => return Ok(None),
            Arrived::Whole(_) => (calls.admit(), true),
            Arrived::Part(_) => (calls.admit_blocking(), false),
        };
        // A Filter's file is read from the connection, so that is a call that may wait.
        let inline = whole && self.role != Role::FILTER;
        // One that does nothing but read may begin on this worker all the same.
        let only_reads = self.role != Role::FILTER && described.first == First::Nothing;
        let seat = if !whole && only_reads { calls.seat() } else { Seat::default() };
        let environ = match environ(described, arrived, self, &seat) {
            Ok(environ) => environ,
            Err(error) => return no_request(&io.link, io.serial, io.id, &error).map(|()| None),
        };
        Ok(Some(match admission {
            Admission::Inline(permit) if inline => run_inline(app, environ, io, calls, permit, seat).await?,
            Admission::Overflow(permit) if seat.is_kept() => {
                let over = run_inline(app, environ, io, calls, permit, seat.clone()).await?;
                // What cannot be sent is found out by whoever waits for it. This took long, so others have a turn.
                let _ = io.link.try_flush(Caller::Task);
                seat.give_way().await;
                over
            }
            Admission::Inline(permit) | Admission::Overflow(permit) => run_blocking(app, environ, io, permit).await?,
            Admission::Full => {
                tracing::warn!(request = %io.id, "overloaded");
                return self.turn_down(ProtocolStatus::OVERLOADED).map(|()| None);
            }
        }))
    }

    /// Ends a request that was not run.
    fn turn_down(&self, reason: ProtocolStatus) -> Result<(), LinkError> {
        self.io.link.turn_down(self.io.serial, reason);
        Ok(())
    }

    /// Receives the body if it is short, so that the call need not wait for the network; else what has come by now.
    async fn receive_body(&self, declared: Option<u64>) -> Result<Arrived, LinkError> {
        let RequestIo { link, serial, .. } = &**self.io;
        let most = self.shared.config.pre_read_bytes;
        let is_short = declared.is_some_and(|length| length <= most as u64);
        let mut arrived = Pieces::default();
        if self.bodiless || self.role == Role::AUTHORIZER {
            return Ok(Arrived::Whole(Bytes::new()));
        }
        if declared.is_some() && !is_short {
            return Ok(Arrived::Part(Bytes::new()));
        }
        loop {
            match link.take(*serial, InputKind::Stdin, usize::MAX).await? {
                Taken::Piece(data) => arrived.push(data),
                Taken::End => return Ok(Arrived::Whole(arrived.joined())),
                Taken::Aborted => return Ok(Arrived::Aborted),
            }
            // Without a declared length the gateway may be passing on what a client sends bit by bit, and the application may
            // want to answer in between (FCGI-113): it reads for itself from here on.
            if declared.is_none() && arrived.length > 0 || arrived.length > most {
                return Ok(Arrived::Part(arrived.joined()));
            }
        }
    }
}

fn environ(described: Described, arrived: Arrived, serving: &Serving<'_>, seat: &Seat) -> Result<Environ, ParamsError> {
    let Described { mut environ, content_length, .. } = described;
    let Serving { shared, io, role, .. } = *serving;
    let source = |from| BodySource::new(Arc::clone(io), from, seat.clone(), shared);
    environ.input = match arrived {
        Arrived::Whole(bytes) if content_length.is_none_or(|length| length == bytes.len() as u64) => Input::from(bytes),
        // Fewer or more bytes than declared: the application sees the mismatch, or only what was declared (FCGI-94).
        Arrived::Whole(bytes) => Input::reader(std::io::empty(), content_length).with_arrived(bytes),
        Arrived::Part(bytes) => Input::new(source(InputKind::Stdin), content_length).with_arrived(bytes),
        Arrived::Aborted => Input::empty(),
    };
    environ.errors = ErrorStream::new(Arc::clone(io) as Arc<_>);
    if role == Role::FILTER {
        FilterData::received(&environ, source(InputKind::Data))?.attach(&mut environ);
    }
    Ok(environ)
}

/// Answers parameters that make no request.
fn no_request(link: &Link, serial: u64, id: RequestId, error: &ParamsError) -> Result<(), LinkError> {
    tracing::warn!(request = %id, %error, "request refused");
    respond(link, serial, id, BAD_REQUEST)
}

/// Sends a whole answer that no application gave.
fn respond(link: &Link, serial: u64, id: RequestId, answer: &'static [u8]) -> Result<(), LinkError> {
    let mut held = link.lock_for(serial)?;
    let (machine, live) = held.parts()?;
    let _ = machine.send_stdout(id, Bytes::from_static(answer));
    live.ended = machine.send_end(id, 0).is_ok();
    Ok(())
}

const BAD_REQUEST: &[u8] =
    b"Status: 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 16\r\n\r\n400 Bad Request\n";

const TIMEOUT: &[u8] =
    b"Status: 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 20\r\n\r\n408 Request Timeout\n";

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

/// The method and the path of a request, for the log; never its query, which may hold secrets.
fn line(params: &Params) -> (String, String) {
    let text = |name: &[u8]| params.get(name).unwrap_or_default().escape_ascii().to_string();
    (text(b"REQUEST_METHOD"), text(b"SCRIPT_NAME") + &text(b"PATH_INFO"))
}

fn log_failure(io: &RequestIo, params: &Params, failure: &Failure) {
    let (id, (method, path)) = (io.id, line(params));
    match failure {
        Failure::Application(error) if Disconnected::is_cause_of(error.as_ref()) => {
            tracing::debug!(request = %id, method, path, "client gone");
        }
        // Its own words would begin with the same ones.
        Failure::Application(error) => tracing::warn!(request = %id, method, path, %error, "application failed"),
        failure => tracing::warn!(request = %id, method, path, error = %failure, "application failed"),
    }
}

fn log_end(io: &RequestIo, params: &Params, ended: Ended) {
    if tracing::enabled!(tracing::Level::DEBUG) {
        let (method, path) = line(params);
        tracing::debug!(request = %io.id, method, path, ?ended, "request");
    }
}
