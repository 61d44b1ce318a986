//! Request after request on one connection, and a close that loses nothing.

use super::answer::answer;
use super::line::{Line, Sent};
use super::waiting::{Received, moment};
use crate::h1::{Event, NextCycle};
use crate::serve::connection::Closing;
use crate::serve::drive::Outcome;
use crate::serve::record::{self, Recording};
use crate::serve::refusal::Refusal;
use crate::serve::request::Step;
use crate::serve::transport::reset_at_close;
use std::sync::Arc;
use std::time::Instant;

/// Serves a connection to its end.
pub(super) fn serve_connection(line: &Arc<Line>) {
    let closing = serve_requests(line);
    match closing {
        Closing::AtOnce => {}
        Closing::Staged => line.close_staged(),
        Closing::Reset => reset_at_close(&line.stream),
    }
    tracing::debug!(peer = %line.peer, ?closing, "connection closed");
}

fn serve_requests(line: &Arc<Line>) -> Closing {
    let config = &line.pool.shared.config;
    let mut head_deadline = Some(moment(config.header_timeout));
    loop {
        match line.next_step() {
            Step::Receive { idle, .. } => {
                if line.flush().is_err() {
                    return Closing::AtOnce;
                }
                let received = if idle {
                    let until = head_deadline.unwrap_or_else(|| moment(config.keep_alive_timeout));
                    line.receive_idle(until)
                } else {
                    // The whole head counts, so sending it drop by drop does not help.
                    line.receive(*head_deadline.get_or_insert_with(|| moment(config.header_timeout)))
                };
                match received {
                    // The end is the machine's to judge: between requests it is no error.
                    Received::Bytes | Received::End => {}
                    Received::Timeout if !idle => return refuse(line, Refusal::HeadTimeout, false),
                    Received::Timeout | Received::Lost | Received::Stop | Received::GaveWay => return Closing::AtOnce,
                }
            }
            Step::Call(mut call) => {
                head_deadline = None;
                let recording = Recording::begin(&line.pool.shared, &mut call.environ);
                let head_only = call.environ.request_method() == "HEAD";
                let outcome = recording.span().in_scope(|| answer(line, call));
                let closing = close_after(line, outcome, head_only);
                recording.end(&line.peer, || line.result(outcome));
                if let Some(closing) = closing {
                    return closing;
                }
            }
            Step::Refuse { refusal, head_only } => {
                head_deadline = None;
                let closing = if refusal.keeps_open() {
                    record::refusing(&line.pool.shared, &line.peer, refusal);
                    match line.refuse(refusal, head_only) {
                        Ok(Sent::End) => next_request(line).err(),
                        Ok(_) => Some(Closing::Staged),
                        Err(_) => Some(Closing::AtOnce),
                    }
                } else {
                    Some(refuse(line, refusal, head_only))
                };
                let (refused, body_bytes) = line.refused();
                record::refused(&line.pool.shared, &line.peer, refused.as_ref(), body_bytes, refusal);
                if let Some(closing) = closing {
                    return closing;
                }
            }
            Step::Closed => {
                let _ = line.flush();
                return Closing::AtOnce;
            }
        }
    }
}

/// Goes on after an answer, or says how the connection ends.
fn close_after(line: &Line, outcome: Outcome, head_only: bool) -> Option<Closing> {
    match outcome {
        Outcome::Complete => next_request(line).err(),
        Outcome::Aborted if line.lock().machine.is_close_delimited() => Some(Closing::Reset),
        Outcome::Aborted => Some(Closing::Staged),
        Outcome::Gone | Outcome::Switched => Some(Closing::AtOnce),
        Outcome::Refused(refusal) => Some(refuse(line, refusal, head_only)),
    }
}

/// Answers what cannot be served, and closes.
fn refuse(line: &Line, refusal: Refusal, head_only: bool) -> Closing {
    record::refusing(&line.pool.shared, &line.peer, refusal);
    match line.refuse(refusal, head_only) {
        Ok(_) => Closing::Staged,
        Err(_) => Closing::AtOnce,
    }
}

/// Goes on to the next request, reading away what is left of this one (HTTP-109, HTTP-167).
fn next_request(line: &Line) -> Result<(), Closing> {
    let config = &line.pool.shared.config;
    let (mut drained, mut deadline) = (0, None);
    loop {
        match line.next_cycle() {
            NextCycle::Ready => return Ok(()),
            NextCycle::Close if line.flush().is_ok() => return Err(Closing::Staged),
            NextCycle::Close => return Err(Closing::AtOnce),
            NextCycle::Drain => {
                // All of it has the time of one pause: nobody waits for this body.
                let deadline = *deadline.get_or_insert_with(|| moment(config.body_timeout));
                drain(line, &mut drained, deadline)?;
            }
        }
    }
}

/// Throws away what is here of the body, and reads once if more is to come.
fn drain(line: &Line, drained: &mut usize, deadline: Instant) -> Result<(), Closing> {
    line.flush().map_err(|_| Closing::AtOnce)?;
    loop {
        match line.lock().machine.next_event() {
            Ok(Event::Data(data)) => *drained += data.len(),
            Ok(Event::NeedMore) => break,
            Ok(_) => return Ok(()),
            Err(_) => return Err(Closing::Staged),
        }
    }
    if *drained > line.pool.shared.config.drain_bytes {
        return Err(Closing::Staged);
    }
    match line.receive(deadline) {
        Received::Bytes => Ok(()),
        Received::Timeout => Err(Closing::Staged),
        _ => Err(Closing::AtOnce),
    }
}
