//! Requests on their way in.
//!
//! Holds the reading, and the waits for a request, its head or its body; and how those are ended that somebody else wants ended.

use super::{Pause, Received, State, Wire};
use crate::h1::Connection;
use crate::serve::pace::{Rule, Wait};
use crate::serve::room::{Guest, Waiting};
use crate::serve::transport::Transport;
use gateway_fastcgi::net::{Elapsed, Room, Timer};
use std::future::poll_fn;
use std::io;
use std::sync::{MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use tokio::time::Instant;

/// What is read at once where a head is expected: a usual one, or some that follow each other.
const HEAD_ROOM: usize = Room::SMALL;

/// A body of which less than this is left is read with what follows it.
const LEAST_OF_BODY: u64 = HEAD_ROOM as u64;

impl Wire {
    /// Begins a wait for more of the body, to be ended with [`Wire::end_wait_for_body`].
    pub(in crate::serve) fn wait_for_body(&self) -> Wait {
        let state = &mut *self.lock();
        state.sending.begin(Rule::of_bodies(&self.shared.config), state.machine.body_arrived())
    }

    pub(in crate::serve) fn end_wait_for_body(&self, wait: &Wait) {
        self.lock().sending.end(wait);
    }
    /// Waits for bytes of a body.
    pub(in crate::serve) async fn receive(&self, timer: &mut Timer, deadline: Instant) -> Received {
        loop {
            match self.lock().try_fill(&self.stream) {
                Ok(Some(0)) => return Received::End,
                Ok(Some(_)) => return Received::Bytes,
                Ok(None) => {}
                Err(_) => return Received::Lost,
            }
            match timer.until(deadline, self.stream.readable()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Received::Lost,
                Err(Elapsed) => return Received::Timeout,
            }
        }
    }

    /// Waits, since then, for a request or the rest of its head; what has arrived is to be looked at under the same lock. The first ends
    /// at a graceful stop, and both where their place is needed.
    pub(in crate::serve) async fn receive_head(
        &self,
        timer: &mut Timer,
        deadline: Instant,
        waiting: Waiting,
        since: Instant,
    ) -> Result<MutexGuard<'_, State>, Received> {
        let mut tries = self.stream.reads_ahead();
        loop {
            if tries {
                let mut state = self.lock();
                match state.try_fill(&self.stream) {
                    // The end is the machine's to judge: between requests it is no error.
                    Ok(Some(read)) => {
                        if read > 0 && waiting == Waiting::ForRequest {
                            tracing::trace!(target: "gateway::marks", mark = "received");
                        }
                        return Ok(state);
                    }
                    Ok(None) => {}
                    Err(_) => return Err(Received::Lost),
                }
            }
            tries = true;
            match timer.until(deadline, self.readable_or_stop(waiting, since)).await {
                Ok(Some(Ok(()))) => {}
                Ok(Some(Err(_))) => return Err(Received::Lost),
                Ok(None) => return Err(Received::Stop),
                Err(Elapsed) => return Err(Received::Timeout),
            }
        }
    }

    /// Between requests the connection's task is the only one that waits, so the socket's single place for a waker will do.
    async fn readable_or_stop(&self, waiting: Waiting, since: Instant) -> Option<io::Result<()>> {
        poll_fn(|cx| {
            if let Poll::Ready(ready) = self.stream.poll_read_ready(cx) {
                return Poll::Ready(Some(ready));
            }
            let is_given_up = self.note_pause(waiting, since, cx.waker());
            // Looked at after the waker is in its place: a stop either is seen here or finds the waker.
            let stops = waiting == Waiting::ForRequest && self.shared.is_stopping();
            if is_given_up || stops { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }

    /// Notes a wait; true if it has been given up since it began.
    fn note_pause(&self, waiting: Waiting, since: Instant, waker: &Waker) -> bool {
        let mut pause = self.pause();
        match &mut *pause {
            Some(pause) => {
                pause.is_given_up &= (pause.waiting, pause.since) == (waiting, since);
                (pause.waiting, pause.since) = (waiting, since);
                pause.waker.clone_from(waker);
                pause.is_given_up
            }
            None => {
                *pause = Some(Pause { waiting, since, waker: waker.clone(), is_given_up: false });
                false
            }
        }
    }

    fn pause(&self) -> MutexGuard<'_, Option<Pause>> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest for Wire {
    /// What the connection waits for, and since when, if nobody answers anything on it.
    fn waiting(&self) -> Option<(Waiting, Instant)> {
        let waiting = {
            let state = self.lock();
            match (state.machine.is_idle(), state.machine.is_in_head()) {
                (true, _) => Waiting::ForRequest,
                (false, true) => Waiting::ForHead,
                (false, false) => return None,
            }
        };
        let pause = self.pause();
        // A pause that is over looks like this one only if it begins again at once.
        pause
            .as_ref()
            .filter(|pause| pause.waiting == waiting && !pause.is_given_up)
            .map(|pause| (waiting, pause.since))
    }

    /// Ends the wait for a request or the rest of its head, if it still goes on.
    fn give_up(&self) {
        if let Some(pause) = &mut *self.pause() {
            pause.is_given_up = true;
            pause.waker.wake_by_ref();
        }
    }

    /// Wakes the connection's task if it waits for a request.
    fn wake_idle(&self) {
        if let Some(pause) = &*self.pause() {
            pause.waker.wake_by_ref();
        }
    }

    /// Cuts the connection, whoever works on it: their next attempt fails.
    fn cut(&self) {
        let _ = rustix::net::shutdown(self.stream.socket(), rustix::net::Shutdown::Both);
    }
}

impl State {
    /// Reads what is there: how many bytes, 0 at the end of input, `None` if nothing is there yet.
    pub(in crate::serve) fn try_fill(&mut self, stream: &Transport) -> io::Result<Option<usize>> {
        self.fill(stream, |machine, room| machine.receive(room.bytes()))
    }

    /// [`State::try_fill`] for a body that is taken piece by piece, which is not copied then.
    pub(in crate::serve) fn try_fill_piece(&mut self, stream: &Transport) -> io::Result<Option<usize>> {
        self.fill(stream, |machine, room| machine.receive_shared(room.share()))
    }

    fn fill(&mut self, stream: &Transport, receive: impl Fn(&mut Connection, &mut Room)) -> io::Result<Option<usize>> {
        let most = match self.machine.body_left() {
            // A long body comes without the beginning of what follows.
            Some(left @ LEAST_OF_BODY..) => usize::try_from(left).map_or(Room::SIZE, |left| left.min(Room::SIZE)),
            Some(_) => HEAD_ROOM,
            None => Room::SIZE,
        };
        loop {
            let read: io::Result<usize> = Room::of_thread(|room| {
                let read = room.read(most, |bytes| stream.try_read(bytes))?;
                receive(&mut self.machine, room);
                Ok(read)
            });
            return match read {
                Ok(0) => {
                    self.machine.receive_end();
                    Ok(Some(0))
                }
                Ok(read) => Ok(Some(read)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => Err(e),
            };
        }
    }
}
