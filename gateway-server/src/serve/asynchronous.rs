//! One request through an asynchronous application: request body and response flow at the same time.
//!
//! Holds the driving of its exchange, and how a connection is given over to another protocol. Does not hold the choice of where an
//! application runs (`answer`).

use super::carrier::Carrier;
use super::drive::{Outcome, log_failure, send_file};
use super::upgrade::{Upgrade, Upgraded};
use super::wire::{Put, Wire};
use gateway_fastcgi::net::Timer;
use gateway_spec::{AsyncExchange, DynAsyncApplication, Environ, Event, InputStream, ResponseHead, StatusCode};
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// Calls an asynchronous application, which runs when the exchange is polled. What was answered before has been written.
pub(super) fn ask<'a, C: Carrier>(
    wire: &Arc<C>,
    app: &'a dyn DynAsyncApplication,
    mut environ: Environ,
    input: InputStream,
    upgrade: Option<&Upgrade>,
) -> AsyncExchange<'a> {
    tracing::trace!(target: "gateway::marks", mark = "dispatched");
    wire.note_called();
    if app.has_interim()
        && let Some(interim) = C::interim(wire)
    {
        environ.extensions.insert(interim);
    }
    let Some(upgrade) = upgrade else { return AsyncExchange::call(app, environ, input) };
    environ.extensions.insert(upgrade.clone());
    AsyncExchange::call(app, environ, input).may_switch_protocols()
}

/// Drives an asynchronous application; request body and response flow at the same time.
///
/// This future is made for each request, so it is kept small: what seldom happens has a box of its own.
#[allow(clippy::manual_async_fn, reason = "the arguments of an async fn are moved once more when it begins")]
pub(super) fn converse<C: Carrier>(
    wire: &Arc<C>,
    mut exchange: AsyncExchange<'_>,
    upgrade: Option<Upgrade>,
    timer: &mut Timer,
) -> impl Future<Output = Outcome> {
    async move {
        let mut head = None;
        loop {
            if let Some(part) = wire.sendable(|| exchange.take_file()) {
                match send_file(&**wire, head.take(), part) {
                    Ok(Put::Abort) => return Outcome::Aborted,
                    Ok(Put::Flush) if flush(wire, timer).await.is_err() => return Outcome::Gone,
                    Ok(_) => {}
                    Err(_) => return Outcome::Gone,
                }
            }
            // A head goes out together with what is ready behind it, and does not wait for what is not.
            let ready = if head.is_some() { ready(&mut exchange).await } else { None };
            if ready.is_none()
                && let Some(head) = head.take()
            {
                if wire.put(Event::Head(head)) == Put::Abort {
                    return Outcome::Aborted;
                }
                if flush(wire, timer).await.is_err() {
                    return Outcome::Gone;
                }
            }
            let event = loop {
                if let Some(event) = ready {
                    break event;
                }
                // A client that has torn down its connection is noticed within this time, and the application dropped.
                match timer.within(PEER_LOOK, event_or_end(&mut exchange, &**wire)).await {
                    Ok(Some(event)) => break event,
                    Ok(None) => return Outcome::Gone,
                    Err(_) if wire.is_peer_gone() => return Outcome::Gone,
                    Err(_) => {}
                }
            };
            if let Some(failure) = exchange.take_failure() {
                log_failure(wire.peer(), &failure);
                if let (Event::Head(_), Some(trouble)) = (&event, wire.trouble()) {
                    return Outcome::Refused(trouble);
                }
            }
            let event = match (event, &upgrade) {
                (Event::Head(head), Some(upgrade)) if head.status == StatusCode::SWITCHING_PROTOCOLS => {
                    drop(exchange);
                    return Box::pin(C::switch(wire, head, upgrade, timer)).await;
                }
                (Event::Head(next), _) => {
                    head = Some(next);
                    continue;
                }
                (event, _) => event,
            };
            match wire.send(head.take(), event) {
                Ok(Put::More) => {}
                Ok(Put::Flush | Put::Nothing) => {
                    if flush(wire, timer).await.is_err() {
                        return Outcome::Gone;
                    }
                }
                Ok(Put::End) => return Outcome::Complete,
                Ok(Put::Abort) => return Outcome::Aborted,
                Err(_) => return Outcome::Gone,
            }
        }
    }
}

/// [`Carrier::flush`], in a box where something has to be waited for.
async fn flush<C: Carrier>(wire: &Arc<C>, timer: &mut Timer) -> io::Result<()> {
    if wire.try_flush()? { Ok(()) } else { Box::pin(wire.flush(timer)).await }
}

/// The next event, if it is there already.
async fn ready(exchange: &mut AsyncExchange<'_>) -> Option<Event> {
    poll_fn(|cx| match exchange.poll_event(cx) {
        Poll::Ready(event) => Poll::Ready(Some(event)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// The next event; nothing if the client goes first.
async fn event_or_end(exchange: &mut AsyncExchange<'_>, wire: &impl Carrier) -> Option<Event> {
    poll_fn(|cx| match exchange.poll_event(cx) {
        Poll::Ready(event) => Poll::Ready(Some(event)),
        Poll::Pending => wire.poll_peer_gone(cx).map(|()| None),
    })
    .await
}

/// Sends the last head in HTTP, and lets the application speak what was agreed (HTTP-130).
pub(super) async fn switch(wire: &Arc<Wire>, mut head: ResponseHead, upgrade: &Upgrade, timer: &mut Timer) -> Outcome {
    let Some(accepted) = upgrade.take_accepted() else {
        tracing::warn!(peer = %wire.peer, "application answered 101 without accepting the upgrade");
        return Outcome::Aborted;
    };
    head.headers.push(http::header::UPGRADE, accepted.protocol);
    if wire.put(Event::Head(head)) == Put::Abort || wire.flush(timer).await.is_err() {
        return Outcome::Gone;
    }
    (accepted.run)(Upgraded::new(Arc::clone(wire))).await;
    Outcome::Switched
}

const PEER_LOOK: Duration = Duration::from_secs(1);
