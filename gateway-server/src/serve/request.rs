//! From what arrived to what is to be done: the step between the machine and the application.

use super::forwarding;
use super::handler::Handler;
use super::record::RefusedLine;
use super::refusal::Refusal;
use super::shared::Shared;
use super::upgrade::Upgrade;
use super::wire::{State, Wire};
use crate::environ::{Asked, ConnectionFacts, CutPath, add_fields, decode_path, environ_builder, server_name};
use crate::h1::{BodyFraming, Connection, Event, RequestHead, TargetForm, Version};
use bytes::{Bytes, BytesMut};
use gateway_fastcgi::net::Peer;
use gateway_spec::{Environ, EnvironBuilder};

/// What a connection does next.
#[allow(clippy::large_enum_variant, reason = "the large one is the usual one, and a box would cost an allocation")]
pub(super) enum Step<'a> {
    /// Read more. `idle`: nothing of a request is here; `unsent`: something of an answer is, perhaps.
    Receive { idle: bool, unsent: bool },
    /// Answer this.
    Call(Call<'a>),
    /// Answer without an application. The method decides whether the answer has a body.
    Refuse { refusal: Refusal, head_only: bool },
    /// The peer has closed.
    Closed,
}

/// A request on its way to its application.
pub(super) struct Call<'a> {
    pub(super) handler: &'a Handler,
    pub(super) environ: Environ,
    pub(super) body: Arrival,
    pub(super) request: u64,
    pub(super) waits_for_continue: bool,
    pub(super) upgrade: Option<Upgrade>,
}

/// How much of a request body is here.
#[derive(Debug)]
pub(super) enum Arrival {
    /// There is none.
    Empty,
    /// All of it.
    Whole(Bytes),
    /// More is to come.
    Arriving { length: Option<u64> },
}

impl Wire {
    /// Looks at what has arrived. `state` is this connection's own.
    pub(super) fn step(&self, state: &mut State) -> Step<'_> {
        state.trouble = None;
        state.status = None;
        state.body_bytes = 0;
        state.called = None;
        let State { machine, path, request, refused_line, .. } = state;
        let reading = Reading { machine, path, request: *request, peer: self.peer, refused_line };
        let mut step = next_step(reading, &self.shared, &self.facts);
        if let Step::Receive { unsent, .. } = &mut step {
            *unsent = !state.out.is_empty() || self.stream.writes_behind();
        }
        step
    }
}

/// What of a connection the step from bytes to a request works on, whatever the server model.
pub(super) struct Reading<'r> {
    pub(super) machine: &'r mut Connection,
    /// Room for a decoded path.
    pub(super) path: &'r mut Vec<u8>,
    /// Counted on this connection.
    pub(super) request: u64,
    pub(super) peer: Peer,
    pub(super) refused_line: &'r mut Option<RefusedLine>,
}

/// Looks at what has arrived.
pub(super) fn next_step<'a>(reading: Reading<'_>, shared: &'a Shared, facts: &ConnectionFacts) -> Step<'a> {
    let Reading { machine, path: decoded, request, peer, refused_line } = reading;
    let head = match machine.next_event() {
        Ok(Event::Request(head)) => head,
        Ok(Event::NeedMore) => return Step::Receive { idle: machine.is_idle(), unsent: true },
        Ok(Event::Closed) => return Step::Closed,
        // Not between requests; and if it were, there would be nothing left to do here.
        Ok(Event::Data(_) | Event::EndOfRequest) => return Step::Closed,
        Err(error) => return Step::Refuse { refusal: error.into(), head_only: machine.is_head_asked_for() },
    };
    tracing::trace!(target: "gateway::marks", mark = "parsed");
    let is_told = shared.config.telemetry.is_some();
    let asked = Asked::from(&head);
    let mut refuse = |refusal| {
        *refused_line = is_told.then(|| RefusedLine::of(&asked));
        Step::Refuse { refusal, head_only: asked.method == b"HEAD" }
    };
    let (handler, path) = match find(shared, facts, &asked, decoded) {
        Ok(found) => found,
        Err(refusal) => return refuse(refusal),
    };
    let mut builder = environ_builder(&asked, facts, &path);
    add_fields(&mut builder, &head);
    let body = match head.body() {
        BodyFraming::None | BodyFraming::Length(0) => Arrival::Empty,
        BodyFraming::Length(length) => Arrival::Arriving { length: Some(length) },
        BodyFraming::Chunked => Arrival::Arriving { length: None },
    };
    let (waits_for_continue, upgrade) = (head.expects_continue(), upgrade(&head, handler));
    match finish(builder, shared, peer) {
        Ok(environ) => Step::Call(Call { handler, environ, body, request, waits_for_continue, upgrade }),
        Err(refusal) => refuse(refusal),
    }
}

/// The wish for another protocol (HTTP-130), where somebody could grant it. A request with a body has none: nobody needs it, and
/// what would follow the body could be read in two ways (HTTP-129).
fn upgrade(head: &RequestHead<'_>, handler: &Handler) -> Option<Upgrade> {
    let may = head.has_connection_options()
        && matches!(handler, Handler::Async(_))
        && head.version() == Version::Http11
        && head.body() == BodyFraming::None
        && head.is_connection_option(b"upgrade");
    let offered = head.field("upgrade").filter(|_| may)?;
    Some(Upgrade::new(offered))
}

/// Who answers a request, and its path; `decoded` is room for that.
#[inline]
pub(super) fn find<'a, 'p>(
    shared: &'a Shared,
    facts: &ConnectionFacts,
    asked: &Asked<'p>,
    decoded: &'p mut Vec<u8>,
) -> Result<(&'a Handler, CutPath<'p>), Refusal> {
    let hosts = &shared.config.hosts;
    if !hosts.are_all() && !hosts.contain(server_name(asked, facts)) {
        return Err(Refusal::Host);
    }
    if asked.form == TargetForm::Asterisk {
        return Err(Refusal::AboutServer);
    }
    if asked.method == b"TRACE" {
        return Err(Refusal::Trace);
    }
    if !shared.router.accepts(asked.path) {
        return Err(Refusal::Path);
    }
    let path = if asked.path.contains(&b'%') || asked.path.is_empty() {
        decode_path(asked.path, decoded).ok_or(Refusal::Path)?;
        decoded
    } else {
        asked.path
    };
    let route = shared.router.route(path).ok_or(Refusal::NotFound)?;
    let (script_name, path_info) = path.split_at_checked(route.script_name_bytes).unwrap_or((b"", path));
    Ok((route.handler, CutPath { script_name, path_info }))
}

/// The finished environ.
#[inline]
pub(super) fn finish(builder: EnvironBuilder, shared: &Shared, peer: Peer) -> Result<Environ, Refusal> {
    let config = &shared.config;
    let mut environ = builder.build().map_err(|_| Refusal::Environ)?;
    if !config.trusted_proxies.are_none() {
        let told = forwarding::apply(&mut environ, peer, &config.trusted_proxies, config.trusted_fields);
        told.map_err(|_| Refusal::Environ)?;
    }
    Ok(environ)
}

impl State {
    /// Takes the body if all of it is here. Otherwise nothing is lost: what was taken of a chunked body comes back as its
    /// beginning.
    pub(super) fn take_whole_body(&mut self) -> Result<WholeBody, Refusal> {
        if !self.machine.body_is_buffered() && self.machine.body_left().is_some() {
            return Ok(WholeBody::Begun(Bytes::new()));
        }
        let mut first = Bytes::new();
        let mut joined = BytesMut::new();
        loop {
            let ended = match self.machine.next_event()? {
                Event::Data(data) if first.is_empty() => {
                    first = data;
                    continue;
                }
                Event::Data(data) => {
                    if joined.is_empty() {
                        joined.extend_from_slice(&first);
                    }
                    joined.extend_from_slice(&data);
                    continue;
                }
                Event::EndOfRequest => true,
                _ => false,
            };
            let body = if joined.is_empty() { first } else { joined.freeze() };
            return Ok(if ended { WholeBody::Whole(body) } else { WholeBody::Begun(body) });
        }
    }
}

/// What [`State::take_whole_body`] found.
pub(super) enum WholeBody {
    Whole(Bytes),
    /// The beginning of a body of which more is to come.
    Begun(Bytes),
}
