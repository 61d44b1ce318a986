//! The life of one connection: request after request, and a close that loses nothing.

use super::answer::{Rest, answer, answer_at_once};
use super::asynchronous::converse;
use super::drive::Outcome;
use super::record::{self, Recording};
use super::refusal::Refusal;
use super::request::Step;
use super::room::Waiting;
use super::transport::reset_at_close;
use super::wire::{Before, Put, Received, State, Wire};
use crate::h1::Event;
use gateway_fastcgi::net::{Timer, after};
use std::sync::{Arc, MutexGuard};
use tokio::time::Instant;
use tracing::Instrument as _;

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// The peer is gone or has said all it will say.
    AtOnce,
    /// Our last response must reach a peer that may still be sending (HTTP-172).
    Staged,
    /// A response that only the end of the connection would end was broken off: the peer must see the difference (HTTP-159).
    Reset,
}

/// Serves a connection to its end.
pub(super) async fn serve_connection(wire: Arc<Wire>) {
    let mut timer = Timer::new(wire.shared.config.keep_alive_timeout);
    let closing = serve_requests(&wire, &mut timer).await;
    match closing {
        Closing::AtOnce => wire.stream.say_end(),
        Closing::Staged => close_staged(&wire, &mut timer).await,
        Closing::Reset => reset_at_close(wire.stream.socket()),
    }
    tracing::debug!(peer = %wire.peer, ?closing, "connection closed");
}

async fn serve_requests(wire: &Arc<Wire>, timer: &mut Timer) -> Closing {
    let config = &wire.shared.config;
    let mut head_deadline = Some(after(config.header_timeout));
    let mut in_a_row = 0;
    let mut step = wire.step(&mut wire.lock());
    loop {
        if in_a_row == config.max_pipelined {
            in_a_row = 0;
            if wire.flush(timer).await.is_err() {
                return Closing::AtOnce;
            }
            tokio::task::yield_now().await;
        }
        step = match step {
            Step::Receive { idle, unsent } => {
                if unsent && wire.flush(timer).await.is_err() {
                    return Closing::AtOnce;
                }
                let (deadline, limit) = match (idle, head_deadline) {
                    (_, Some(deadline)) => (deadline, config.header_timeout),
                    (true, None) => (after(config.keep_alive_timeout), config.keep_alive_timeout),
                    (false, None) => (*head_deadline.insert(after(config.header_timeout)), config.header_timeout),
                };
                let since = deadline.checked_sub(limit).unwrap_or(deadline);
                let waiting = if idle { Waiting::ForRequest } else { Waiting::ForHead };
                let trouble = match wire.receive_head(timer, deadline, waiting, since).await {
                    Ok(mut state) => {
                        step = wire.step(&mut state);
                        continue;
                    }
                    Err(trouble) => trouble,
                };
                // Its first request may be on its way, and its client does not know of the stop.
                if trouble == Received::Stop && head_deadline.is_some() && wire.shared.is_stopping() {
                    let soon = after(config.linger_timeout);
                    if wire.receive(timer, soon).await == Received::Bytes {
                        step = wire.step(&mut wire.lock());
                        continue;
                    }
                    return Closing::AtOnce;
                }
                if idle || trouble == Received::Lost {
                    return Closing::AtOnce;
                }
                let head_only = wire.lock().machine.is_head_asked_for();
                return refuse_unread(wire, Refusal::HeadTimeout, head_only, timer).await;
            }
            Step::Call(mut call) => {
                head_deadline = None;
                in_a_row += 1;
                let recording = Recording::begin(&wire.shared, &mut call.environ);
                let head_only = call.environ.request_method() == "HEAD";
                let span = recording.span();
                let answered = {
                    let _within = span.enter();
                    answer_at_once(wire, call)
                };
                let outcome = match answered {
                    Ok(outcome) => outcome,
                    // In a box: a connection that waits for its next request holds no room for this one's answer. The way of most
                    // asynchronous applications has one that is much smaller.
                    Err(Rest::Asked(exchange, upgrade)) => {
                        Box::pin(converse(wire, exchange, upgrade, timer).instrument(span)).await
                    }
                    Err(rest) => Box::pin(answer(wire, rest, timer).instrument(span)).await,
                };
                if let Outcome::Refused(refusal) = outcome {
                    let closing = refuse(wire, refusal, head_only, timer).await;
                    recording.end(&wire.peer, || wire.result(outcome));
                    return closing;
                }
                recording.end(&wire.peer, || wire.result(outcome));
                match outcome {
                    Outcome::Complete => {}
                    Outcome::Aborted => {
                        let flushed = wire.flush(timer).await;
                        return match flushed {
                            Ok(()) if wire.lock().machine.is_close_delimited() => Closing::Reset,
                            Ok(()) => Closing::Staged,
                            Err(_) => Closing::AtOnce,
                        };
                    }
                    Outcome::Switched => return Closing::Staged,
                    Outcome::Gone | Outcome::Refused(_) => return Closing::AtOnce,
                }
                match next_request(wire, timer).await {
                    Ok(mut state) => wire.step(&mut state),
                    Err(closing) => return closing,
                }
            }
            Step::Refuse { refusal, head_only } => {
                head_deadline = None;
                in_a_row += 1;
                if !refusal.keeps_open() {
                    return refuse_unread(wire, refusal, head_only, timer).await;
                }
                record::refusing(&wire.shared, &wire.peer, refusal);
                let put = wire.refuse(refusal, head_only);
                refused(wire, refusal);
                if put != Put::End {
                    return Closing::Staged;
                }
                match next_request(wire, timer).await {
                    Ok(mut state) => wire.step(&mut state),
                    Err(closing) => return closing,
                }
            }
            Step::Closed => {
                let _ = wire.flush(timer).await;
                return Closing::AtOnce;
            }
        }
    }
}

fn refused(wire: &Wire, refusal: Refusal) {
    let (line, body_bytes) = {
        let mut state = wire.lock();
        (state.refused_line.take(), state.body_bytes)
    };
    record::refused(&wire.shared, &wire.peer, line.as_ref(), body_bytes, refusal);
}

/// [`refuse`] for what has no record yet: no application was found for it.
async fn refuse_unread(wire: &Wire, refusal: Refusal, head_only: bool, timer: &mut Timer) -> Closing {
    let closing = refuse(wire, refusal, head_only, timer).await;
    refused(wire, refusal);
    closing
}

/// Answers what cannot be served, and closes.
async fn refuse(wire: &Wire, refusal: Refusal, head_only: bool, timer: &mut Timer) -> Closing {
    record::refusing(&wire.shared, &wire.peer, refusal);
    wire.refuse(refusal, head_only);
    match wire.flush(timer).await {
        Ok(()) => Closing::Staged,
        Err(_) => Closing::AtOnce,
    }
}

/// Goes on to the next request, reading away what is left of this one (HTTP-109, HTTP-167).
async fn next_request<'w>(wire: &'w Wire, timer: &mut Timer) -> Result<MutexGuard<'w, State>, Closing> {
    let (mut drained, mut deadline) = (0, None);
    loop {
        let before = match wire.next_cycle() {
            Ok(state) => return Ok(state),
            Err(before) => before,
        };
        wire.flush(timer).await.map_err(|_| Closing::AtOnce)?;
        match before {
            Before::Flush => return Ok(wire.lock()),
            Before::Close => return Err(Closing::Staged),
            Before::Drain => {
                let deadline = *deadline.get_or_insert_with(|| after(wire.shared.config.body_timeout));
                drain(wire, &mut drained, deadline, timer).await?;
            }
        }
    }
}

async fn drain(wire: &Wire, drained: &mut usize, deadline: Instant, timer: &mut Timer) -> Result<(), Closing> {
    loop {
        match wire.lock().machine.next_event() {
            Ok(Event::Data(data)) => *drained += data.len(),
            Ok(Event::NeedMore) => break,
            Ok(_) => return Ok(()),
            Err(_) => return Err(Closing::Staged),
        }
    }
    if *drained > wire.shared.config.drain_bytes {
        return Err(Closing::Staged);
    }
    match wire.receive(timer, deadline).await {
        Received::Bytes => Ok(()),
        Received::Timeout => Err(Closing::Staged),
        _ => Err(Closing::AtOnce),
    }
}

/// Says that nothing more will come, then reads on for a while: bytes that arrive on a closed socket would make the system
/// throw away what the peer has not read yet.
async fn close_staged(wire: &Wire, timer: &mut Timer) {
    if wire.stream.shutdown_write().is_err() {
        return;
    }
    let deadline = after(wire.shared.config.linger_timeout);
    let mut scrap = bytes::BytesMut::with_capacity(16 << 10);
    loop {
        scrap.clear();
        match timer.until(deadline, wire.stream.read_buf(&mut scrap)).await {
            Ok(Ok(1..)) if Instant::now() < deadline => {}
            _ => return,
        }
    }
}
