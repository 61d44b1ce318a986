//! Unsent bytes on their way to the client.
//!
//! Holds the writing, as long as the peer takes it at the pace that is asked of it.

use super::{State, Wire};
use crate::serve::pace::{Rule, Wait, too_slow};
use gateway_fastcgi::net::{Elapsed, Readiness, Timer};
use std::io;

impl Wire {
    /// Writes what the socket takes; true when everything is gone.
    pub(in crate::serve) fn try_flush(&self) -> io::Result<bool> {
        self.lock().out.try_flush(&self.stream)
    }

    /// Writes everything out, however long it takes, as long as the peer takes it at the pace that is asked of it.
    pub(in crate::serve) async fn flush(&self, timer: &mut Timer) -> io::Result<()> {
        while !self.try_flush()? {
            let wait = self.wait_for_room();
            match timer.within(wait.longest, self.stream.writable()).await {
                Ok(ready) => {
                    self.lock().taking.end(&wait);
                    ready?;
                }
                Err(Elapsed) => self.takes_anything(&wait)?,
            }
        }
        Ok(())
    }

    /// [`Wire::flush`] for threads that may block.
    pub(in crate::serve) fn flush_blocking(&self) -> io::Result<()> {
        let _insisting = self.stream.insist();
        while !self.try_flush()? {
            let wait = self.wait_for_room();
            match self.stream.block_until(Readiness::Write, wait.longest) {
                Err(e) if e.kind() == io::ErrorKind::TimedOut => self.takes_anything(&wait)?,
                ready => {
                    self.lock().taking.end(&wait);
                    ready?;
                }
            }
        }
        Ok(())
    }

    fn wait_for_room(&self) -> Wait {
        let state = &mut *self.lock();
        state.taking.begin(Rule::of_responses(&self.shared.config), self.taken(state))
    }

    /// How much the peer has taken. Under TLS what is written counts too: that may go on while nothing more is taken into it.
    fn taken(&self, state: &State) -> u64 {
        state.out.taken() + self.stream.written()
    }

    /// After a wait without room: has the peer taken anything all the same, and enough of it?
    fn takes_anything(&self, wait: &Wait) -> io::Result<()> {
        let state = &mut *self.lock();
        state.taking.end(wait);
        let before = self.taken(state);
        {
            let _insisting = self.stream.insist();
            state.out.try_flush(&self.stream)?;
        }
        let taken = self.taken(state);
        if state.taking.is_kept(Rule::of_responses(&self.shared.config), before, taken) {
            return Ok(());
        }
        Err(too_slow(self.peer, state.body_bytes, self.stream.socket()))
    }
}
