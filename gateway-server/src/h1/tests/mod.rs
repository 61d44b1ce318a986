//! Tables of requests and what the machine makes of them, whole, cut in two at each offset, and byte by byte.

mod chunked;
mod framing;
mod head;
mod machine;
mod properties;
mod response;

use super::*;
use bytes::Bytes;
use gateway_spec::{Framing, Headers, ResponseHead};
use http::StatusCode;

pub(super) const STAMP: Stamp<'static> = Stamp { date: b"Sun, 06 Nov 1994 08:49:37 GMT", server: None };

/// What came out of a machine, pieces of one body joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    Request { method: String, target: Vec<u8>, fields: Vec<(Vec<u8>, Vec<u8>)> },
    Body(Vec<u8>),
    End,
    Closed,
    Refused(RequestError),
}

pub(super) fn empty_response() -> ResponseHead {
    ResponseHead { status: StatusCode::NO_CONTENT, headers: Headers::new(), framing: Framing::None }
}

/// Feeds the pieces, answers each complete request with an empty response, and then ends the input if `end`. Has checked that it is the
/// same whether they are copied or shared.
#[track_caller]
pub(super) fn run<'a>(limits: &Limits, pieces: impl IntoIterator<Item = &'a [u8]>, end: bool) -> Vec<Seen> {
    let pieces: Vec<_> = pieces.into_iter().collect();
    let copied = feed(limits, &pieces, end, Connection::receive);
    let shared =
        feed(limits, &pieces, end, |connection, piece| connection.receive_shared(Bytes::copy_from_slice(piece)));
    assert_eq!(shared, copied, "shared");
    copied
}

fn feed(limits: &Limits, pieces: &[&[u8]], end: bool, receive: impl Fn(&mut Connection, &[u8])) -> Vec<Seen> {
    let mut connection = Connection::new(limits.clone());
    let mut seen = Vec::new();
    for piece in pieces {
        receive(&mut connection, piece);
        if !drain(&mut connection, &mut seen) {
            return seen;
        }
    }
    if end {
        connection.receive_end();
        drain(&mut connection, &mut seen);
    }
    seen
}

/// Takes events until more input is needed; false when the connection is over.
fn drain(connection: &mut Connection, seen: &mut Vec<Seen>) -> bool {
    loop {
        match connection.next_event() {
            Ok(Event::NeedMore) => return true,
            Ok(Event::Request(head)) => seen.push(Seen::Request {
                method: head.method().to_owned(),
                target: head.target().to_vec(),
                fields: head.fields().map(|(name, value)| (name.to_vec(), value.to_vec())).collect(),
            }),
            Ok(Event::Data(data)) => match seen.last_mut() {
                Some(Seen::Body(body)) => body.extend_from_slice(&data),
                _ => seen.push(Seen::Body(data.to_vec())),
            },
            Ok(Event::EndOfRequest) => {
                seen.push(Seen::End);
                let mut out = Vec::new();
                connection.send_head(&empty_response(), AfterResponse::KeepOpen, STAMP, &mut out).unwrap();
                connection.send_end(&mut out).unwrap();
                if connection.start_next_cycle() != NextCycle::Ready {
                    seen.push(Seen::Closed);
                    return false;
                }
            }
            Ok(Event::Closed) => {
                seen.push(Seen::Closed);
                return false;
            }
            Err(error) => {
                assert_eq!(connection.next_event().unwrap_err(), error, "an error stays");
                seen.push(Seen::Refused(error));
                return false;
            }
        }
    }
}

/// What `input` gives, having checked that no way of cutting it gives anything else.
#[track_caller]
pub(super) fn seen_with(limits: &Limits, input: &[u8], end: bool) -> Vec<Seen> {
    let whole = run(limits, [input], end);
    for at in 0..=input.len().min(2000) {
        let (one, two) = input.split_at(at);
        assert_eq!(run(limits, [one, two], end), whole, "cut at {at}: {}", input.escape_ascii());
    }
    assert_eq!(run(limits, input.chunks(1), end), whole, "byte by byte: {}", input.escape_ascii());
    whole
}

#[track_caller]
pub(super) fn seen(input: &[u8]) -> Vec<Seen> {
    seen_with(&Limits::default(), input, false)
}

/// Only this error comes out, and no request before it.
#[track_caller]
pub(super) fn check_refused(input: &[u8], error: RequestError) {
    assert_eq!(seen(input), [Seen::Refused(error)], "{}", input.escape_ascii());
}

/// This error comes out, whatever came before it, and nothing after it.
#[track_caller]
pub(super) fn check_ends_in(input: &[u8], error: RequestError) {
    assert_eq!(seen(input).last(), Some(&Seen::Refused(error)), "{}", input.escape_ascii());
}

/// How many requests came out complete, and that nothing was refused.
#[track_caller]
pub(super) fn check_requests(input: &[u8], count: usize) {
    let seen = seen(input);
    assert!(!seen.iter().any(|seen| matches!(seen, Seen::Refused(_))), "{}: {seen:?}", input.escape_ascii());
    assert_eq!(seen.iter().filter(|seen| **seen == Seen::End).count(), count, "{}", input.escape_ascii());
}
