//! The task of a shared connection: it reads, hands out what comes, and ends with the connection.
//!
//! Holds when it reads, and how long it waits for nothing. Does not hold what the bytes mean (`state`).

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use bytes::Buf;
use tokio::time::{Instant, Sleep, sleep_until};

use super::SharedConnection;
use super::state::{ABORT_PATIENCE, State};
use crate::client::mailbox::Loss;
use crate::client::pool::Pool;

/// First read; most answers are short.
const ROOM: usize = 16 * 1024;

/// Reads before other tasks get their turn.
const MAX_READS: usize = 16;

/// Reads until the connection is over.
pub(super) async fn drive(shared: Arc<SharedConnection>, pool: Weak<Pool>) {
    let mut timer = Box::pin(sleep_until(Instant::now()));
    poll_fn(|cx| shared.poll_drive(cx, timer.as_mut())).await;
    shared.stream.shutdown();
    if let Some(pool) = pool.upgrade() {
        pool.forget(&shared);
    }
}

impl SharedConnection {
    fn poll_drive(&self, cx: &mut Context<'_>, timer: Pin<&mut Sleep>) -> Poll<()> {
        let mut state = self.state();
        for _ in 0..MAX_READS {
            state.driver = None;
            self.write(&mut state);
            while state.machine.output().has_remaining() {
                match self.stream.poll_write_ready(cx) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(())) => self.write(&mut state),
                    Poll::Ready(Err(e)) => state.broken = Some(e.kind()),
                }
            }
            state.wake_a_sender();
            if state.is_over() {
                return Poll::Ready(());
            }
            let read = match self.stream.try_read_buf(state.machine.input(ROOM)) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => match self.stream.poll_read_ready(cx) {
                    Poll::Pending => return self.poll_time(&mut state, cx, timer),
                    Poll::Ready(ready) => ready.map(|()| None),
                },
                Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(None),
                other => other.map(Some),
            };
            match read {
                Ok(None) => {}
                Ok(Some(0)) => {
                    state.machine.receive_end();
                    state.hand_out();
                    state.lose(Loss::Gone(None));
                }
                Ok(Some(_)) => state.hand_out(),
                Err(e) => state.lose(Loss::Gone(Some(e.kind()))),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Nothing moves: how long may that last?
    fn poll_time(&self, state: &mut State, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<()> {
        state.driver = Some(cx.waker().clone());
        loop {
            let now = Instant::now();
            let deadline = state.deadline(&self.config);
            if deadline <= now {
                state.is_retired = true;
                if state.routes.iter().all(|route| route.aborted.is_some_and(|at| now >= at + ABORT_PATIENCE)) {
                    state.lose(Loss::Gone(None));
                    return Poll::Ready(());
                }
            }
            let wake_at = if deadline > now { deadline } else { now + ABORT_PATIENCE };
            if timer.deadline() != wake_at {
                timer.as_mut().reset(wake_at);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}
