//! The reads and writes of a worker's connection, for tasks and for threads that may block.
//!
//! Holds single attempts, and the loops that write all there is. Does not wait for input.

use super::{Link, LinkError, Reader, State};
use crate::connection::Outgoing;
use crate::net::{Readiness, Room, Stream};
use bytes::Buf;
use std::io::{self, IoSlice};

/// Room for one read: a request's parameters, in nearly all cases.
const ROOM: usize = Room::SMALL;

/// Room for one read of a body by blocking code, and by the pump.
const BODY_ROOM: usize = Room::SIZE;

/// Slices in one vectored write.
const SLICES: usize = 16;

/// Who asks: each has its own way to a socket.
#[derive(Debug, Clone, Copy)]
pub(in crate::worker) enum Caller {
    /// A task: the runtime knows whether anything is there, mostly without a system call.
    Task,
    /// A task that reads for many requests.
    Pump,
    /// A thread that may block.
    Thread,
}

/// What one attempt to read came to.
pub(in crate::worker) enum Read {
    Some,
    Nothing,
    End,
}

impl Link {
    /// Writes all output.
    pub(in crate::worker) async fn flush(&self) -> Result<(), LinkError> {
        while !self.try_flush(Caller::Task)? {
            let longest = self.write_timeout;
            let ready = async {
                if !self.drains_input() {
                    return self.stream.writable().await;
                }
                tokio::select! {
                    ready = self.stream.writable() => ready,
                    ready = self.stream.readable() => ready,
                }
            };
            let ready = tokio::time::timeout(longest, ready).await;
            ready.map_err(|_| self.lost(LinkError::Stuck(longest)))??;
            self.drain_input(Caller::Task)?;
        }
        Ok(())
    }

    /// [`Link::flush`] for a thread.
    pub(in crate::worker) fn flush_blocking(&self) -> Result<(), LinkError> {
        while !self.try_flush(Caller::Thread)? {
            let what = if self.drains_input() { Readiness::Either } else { Readiness::Write };
            let longest = self.write_timeout;
            let ready = self.stream.block_until(what, longest);
            ready.map_err(|error| self.gave_up(error, LinkError::Stuck(longest)))?;
            self.drain_input(Caller::Thread)?;
        }
        Ok(())
    }

    /// Writes what the socket takes; says whether that was all.
    pub(in crate::worker) fn try_flush(&self, caller: Caller) -> Result<bool, LinkError> {
        self.lock().write(&self.stream, caller)
    }

    /// Should the pump wait until the application takes some of its input? Only where there is nobody else to read for: then
    /// the gateway waits too, and nothing goes to a file.
    pub(in crate::worker) fn is_full(&self) -> bool {
        self.is_known_for_one() && self.lock().lives.iter().any(|live| live.stdin.is_full(BODY_ROOM))
    }

    /// Answers that no request waits for and the socket has not taken, in bytes.
    pub(in crate::worker) fn unasked_output(&self) -> usize {
        self.lock().machine.unasked_output()
    }

    /// One attempt to read, and what came is sorted. The end of the connection is noted; within a request it counts as an abort.
    pub(in crate::worker) fn read(&self, caller: Caller) -> Result<Read, LinkError> {
        self.read_under(&mut self.lock(), caller)
    }

    /// [`Link::read`] for whoever has the lock.
    pub(super) fn read_under(&self, state: &mut State, caller: Caller) -> Result<Read, LinkError> {
        if !state.reader.admits(caller) {
            // Looked at with the read: what somebody else took would not wake whoever is to read.
            return Ok(Read::Nothing);
        }
        let State { machine, reader, .. } = state;
        let read = match caller {
            // What a request begins with is soon copied, and a connection that waits for one holds no room of its own for it.
            Caller::Task if *reader == Reader::Session => Room::of_thread(|room| {
                let read = room.read(ROOM, |bytes| self.stream.try_read(bytes))?;
                machine.receive(room.bytes());
                Ok(read)
            }),
            Caller::Task => self.stream.try_read_buf(machine.input(ROOM)),
            Caller::Pump => self.stream.try_read_buf(machine.input(BODY_ROOM)),
            Caller::Thread => Room::of_thread(|room| {
                let read = room.read(BODY_ROOM, |bytes| self.stream.read_now(bytes))?;
                machine.receive_shared(room.share());
                Ok(read)
            }),
        };
        match read {
            Ok(0) => {
                state.machine.receive_end();
                let routed = state.route(self.max_spool_bytes);
                state.lose();
                self.notify(state);
                routed?;
                Ok(Read::End)
            }
            Ok(_) => {
                let routed = state.route(self.max_spool_bytes);
                self.notify(state);
                routed?;
                Ok(Read::Some)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Read::Nothing),
            Err(error) => {
                state.lose();
                self.notify(state);
                Err(error.into())
            }
        }
    }

    /// Looks, without waiting, whether the gateway still wants the answer (FCGI-79, FCGI-80).
    ///
    /// Reads only once all input is there: before that, the bytes that come are the application's. Where there is a pump, it
    /// knows.
    pub(in crate::worker) fn look_at_peer(&self, serial: u64, caller: Caller) -> Result<(), LinkError> {
        let mut held = self.lock_for(serial)?;
        let (machine, live) = held.parts()?;
        let complete = machine.is_input_complete(live.id);
        let anybody = held.state.reader == Reader::Anybody;
        drop(held);
        if complete && anybody {
            while let Read::Some = self.read(caller)? {}
            drop(self.lock_for(serial)?);
        }
        Ok(())
    }

    /// A gateway may want to write the body before it reads (FCGI-116). If nobody wants it, it is taken in and dropped.
    fn drain_input(&self, caller: Caller) -> Result<(), LinkError> {
        if self.drains_input() {
            self.read(caller)?;
        }
        let unwanted = self.lock().lives.first().is_some_and(|live| live.aborted);
        if unwanted && !self.is_pumped() { Err(LinkError::Gone) } else { Ok(()) }
    }

    /// Is what comes now the rest of a body, either let go of or of a request that is over, and nobody else reads it?
    fn drains_input(&self) -> bool {
        let state = self.lock();
        let is_dropped = match state.lives.first() {
            Some(live) => live.stdin.unwanted && !state.machine.is_input_complete(live.id),
            None => true,
        };
        matches!(state.reader, Reader::Session | Reader::Anybody) && !state.gone && state.begun.is_empty() && is_dropped
    }

    /// What waiting for the socket in vain comes to: the connection is lost, to `late` where it took too long.
    pub(super) fn gave_up(&self, error: io::Error, late: LinkError) -> LinkError {
        self.lost(if error.kind() == io::ErrorKind::TimedOut { late } else { error.into() })
    }

    /// Whoever asks next will be told that the peer has gone.
    pub(in crate::worker) fn lost(&self, error: LinkError) -> LinkError {
        let mut state = self.lock();
        state.lose();
        self.notify(&state);
        error
    }

    /// Ends the connection at once; whoever waits for it wakes up.
    pub(in crate::worker) fn shut(&self) {
        let mut state = self.lock();
        state.lose();
        self.notify(&state);
        drop(state);
        self.stream.shutdown();
    }
}

impl State {
    /// Writes what the socket takes; says whether that was all.
    pub(super) fn write(&mut self, stream: &Stream, caller: Caller) -> Result<bool, LinkError> {
        while self.machine.output().has_remaining() {
            match write(stream, self.machine.output(), caller) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(length) => self.machine.output().advance(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => {
                    self.lose();
                    return Err(error.into());
                }
            }
        }
        Ok(true)
    }
}

fn write(stream: &Stream, output: &Outgoing, caller: Caller) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let filled = output.chunks_vectored(&mut slices);
    let slices = slices.get(..filled).unwrap_or_default();
    match (caller, slices) {
        (Caller::Thread, slices) => stream.write_now(slices),
        (_, [one]) => stream.try_write(one),
        (_, several) => stream.try_write_vectored(several),
    }
}
