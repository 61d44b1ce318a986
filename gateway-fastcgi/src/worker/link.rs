//! One connection's socket and machine together: bytes in, events out, output written.
//!
//! Holds every read and write of a worker, for tasks and for blocking code alike. The lock is held for single attempts, never while
//! anybody waits. Does not hold what the events lead to.

use super::WorkerConfig;
use super::spool::Spool;
use crate::connection::{Outgoing, WorkerConnection, WorkerEvent};
use crate::net::{Readiness, Stream};
use crate::protocol::ProtocolError;
use bytes::{Buf, Bytes};
use gateway_spec::Disconnected;
use std::io::{self, IoSlice};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Room for one read: a request's parameters, in nearly all cases.
const ROOM: usize = 16 * 1024;

/// Room for one read of a body by blocking code.
const BODY_ROOM: usize = 64 * 1024;

/// Slices in one vectored write.
const SLICES: usize = 16;

pub(super) struct Link {
    stream: Stream,
    state: Mutex<State>,
    /// Held by whoever takes the body from the connection, so that its pieces stay in order.
    pub(super) taking_input: Mutex<()>,
    read_timeout: Duration,
    write_timeout: Duration,
    max_spool_bytes: u64,
}

pub(super) struct State {
    pub(super) machine: WorkerConnection,
    /// Counts requests, so that what an earlier one left behind cannot touch the next.
    generation: u64,
    /// The gateway has aborted the request.
    aborted: bool,
    /// The connection is of no use any more.
    gone: bool,
    /// The application has let go of the body; the rest may be dropped.
    input_unwanted: bool,
    /// The encoded head, waiting for its first chunk.
    pub(super) head: Vec<u8>,
    /// What is missing of a declared length.
    pub(super) left: Option<u64>,
    scratch: Vec<u8>,
    /// An event that was met while late input was dropped.
    early: Option<WorkerEvent>,
    /// The rest of the body, once it had to be received before the application asked for it.
    pub(super) spool: Option<Spool>,
}

/// How a connection came to its end before its time.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    #[error("connection lost")]
    Io(#[from] io::Error),
    #[error("nothing came for {0:?}")]
    Silent(Duration),
    #[error("nothing was taken for {0:?}")]
    Stuck(Duration),
    #[error("the peer has gone")]
    Gone,
    #[error("the response was broken off")]
    BrokenOff,
}

/// Who asks: each has its own way to a socket.
#[derive(Debug, Clone, Copy)]
pub(super) enum Caller {
    /// A task: the runtime knows whether anything is there, mostly without a system call.
    Task,
    /// A thread that may block.
    Thread,
}

/// What happens to output while input is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meanwhile {
    Sent,
    /// The gateway would send no more input.
    Held,
}

impl Link {
    pub(super) fn new(stream: Stream, config: &WorkerConfig) -> Self {
        let state = State {
            machine: WorkerConnection::new(config.limits.clone(), config.capabilities()),
            generation: 0,
            aborted: false,
            gone: false,
            input_unwanted: false,
            head: Vec::new(),
            left: None,
            scratch: Vec::new(),
            early: None,
            spool: None,
        };
        let (read_timeout, write_timeout) = (config.read_timeout, config.write_timeout);
        Self {
            stream,
            state: Mutex::new(state),
            taking_input: Mutex::new(()),
            read_timeout,
            write_timeout,
            max_spool_bytes: config.max_spool_bytes,
        }
    }

    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing inside panics, and each field would be valid by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, for a request that is still the one under way.
    pub(super) fn lock_for(&self, generation: u64) -> Result<MutexGuard<'_, State>, Disconnected> {
        let state = self.lock();
        let over = state.generation != generation || state.aborted || state.gone;
        if over { Err(Disconnected) } else { Ok(state) }
    }

    /// A request begins, or ends: whatever belongs to the one before has no access any more.
    pub(super) fn turn(&self) -> u64 {
        let mut state = self.lock();
        state.generation += 1;
        state.aborted = false;
        state.input_unwanted = false;
        state.head.clear();
        state.left = None;
        state.spool = None;
        state.generation
    }

    pub(super) fn is_idle(&self) -> bool {
        self.lock().machine.is_idle()
    }

    pub(super) fn is_closing(&self) -> bool {
        let state = self.lock();
        state.gone || state.machine.is_closing()
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.lock().aborted
    }

    /// Is there input that somebody may still ask for?
    pub(super) fn expects_input(&self) -> bool {
        let state = self.lock();
        !state.input_unwanted && !state.machine.is_input_complete()
    }

    /// Keeps a piece of the body for later.
    pub(super) fn spool(&self, generation: u64, data: Bytes) -> Result<(), LinkError> {
        let mut state = self.lock_for(generation).map_err(|_| LinkError::Gone)?;
        Ok(state.spool.get_or_insert_with(|| Spool::new(self.max_spool_bytes)).push(data)?)
    }

    pub(super) fn let_go_of_input(&self, generation: u64) {
        if let Ok(mut state) = self.lock_for(generation) {
            state.input_unwanted = true;
        }
    }

    /// The next event; `None` when the gateway has closed between requests. Nothing is lost if the future is dropped.
    ///
    /// Waits up to `idle` while there is no request, up to the read timeout within one.
    pub(super) async fn next_event(&self, idle: Duration) -> Result<Option<WorkerEvent>, LinkError> {
        loop {
            if let Some(event) = self.event()? {
                return Ok(Some(event));
            }
            if self.is_closing() {
                return Ok(None);
            }
            self.flush().await?;
            match self.read(Caller::Task)? {
                Read::Some => {}
                Read::End => return self.event(),
                Read::Nothing => {
                    let longest = if self.is_idle() { idle } else { self.read_timeout };
                    let ready = tokio::time::timeout(longest, self.stream.readable()).await;
                    ready.map_err(|_| self.lost(LinkError::Silent(longest)))??;
                }
            }
        }
    }

    /// [`Link::next_event`] within a request, for a thread.
    pub(super) fn next_event_blocking(
        &self,
        generation: u64,
        output: Meanwhile,
    ) -> Result<Option<WorkerEvent>, LinkError> {
        loop {
            drop(self.lock_for(generation).map_err(|_| LinkError::Gone)?);
            if let Some(event) = self.event()? {
                return Ok(Some(event));
            }
            let unsent = output == Meanwhile::Sent && !self.try_flush(Caller::Thread)?;
            match self.read(Caller::Thread)? {
                Read::Some => {}
                Read::End => return self.event(),
                Read::Nothing => {
                    let what = if unsent { Readiness::Either } else { Readiness::Read };
                    self.block(what, self.read_timeout, LinkError::Silent)?;
                }
            }
        }
    }

    /// Writes all output.
    pub(super) async fn flush(&self) -> Result<(), LinkError> {
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
            self.drain(Caller::Task)?;
        }
        Ok(())
    }

    /// [`Link::flush`] for a thread.
    pub(super) fn flush_blocking(&self) -> Result<(), LinkError> {
        while !self.try_flush(Caller::Thread)? {
            let what = if self.drains_input() { Readiness::Either } else { Readiness::Write };
            self.block(what, self.write_timeout, LinkError::Stuck)?;
            self.drain(Caller::Thread)?;
        }
        Ok(())
    }

    /// Writes what the socket takes; says whether that was all.
    pub(super) fn try_flush(&self, caller: Caller) -> Result<bool, LinkError> {
        let mut state = self.lock();
        while state.machine.output().has_remaining() {
            match write(&self.stream, state.machine.output(), caller) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(length) => state.machine.output().advance(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => {
                    state.gone = true;
                    return Err(error.into());
                }
            }
        }
        Ok(true)
    }

    /// Looks, without waiting, whether the gateway still wants the answer (FCGI-79, FCGI-80).
    ///
    /// Only once all input is there: before that, the bytes that come are the application's.
    pub(super) fn look_at_peer(&self, caller: Caller) -> Result<(), LinkError> {
        if !self.lock().machine.is_input_complete() {
            return Ok(());
        }
        while let Read::Some = self.read(caller)? {
            while self.event()?.is_some() {}
        }
        let state = self.lock();
        if state.aborted || state.gone { Err(LinkError::Gone) } else { Ok(()) }
    }

    /// A gateway may want to write the body before it reads (FCGI-116). If nobody wants it, it is taken in and dropped.
    fn drain(&self, caller: Caller) -> Result<(), LinkError> {
        if self.drains_input()
            && let Read::Some = self.read(caller)?
        {
            while let Some(event) = self.event()? {
                if matches!(event, WorkerEvent::Request(_)) {
                    self.lock().early = Some(event);
                    break;
                }
            }
        }
        if self.is_aborted() { Err(LinkError::Gone) } else { Ok(()) }
    }

    /// Is what comes now the rest of a body, either let go of or of a request that is over?
    fn drains_input(&self) -> bool {
        let state = self.lock();
        let let_go = state.input_unwanted && !state.machine.is_input_complete();
        let over = state.machine.active().is_none() && state.early.is_none();
        !state.gone && (let_go || over)
    }

    /// What the bytes received so far mean.
    fn event(&self) -> Result<Option<WorkerEvent>, LinkError> {
        let mut state = self.lock();
        if let Some(event) = state.early.take() {
            return Ok(Some(event));
        }
        let event = state.machine.next_event();
        match &event {
            Ok(Some(WorkerEvent::Abort(_))) => state.aborted = true,
            Ok(_) => {}
            Err(_) => state.gone = true,
        }
        Ok(event?)
    }

    /// One attempt to read. The end of the connection is noted; within a request it counts as an abort.
    fn read(&self, caller: Caller) -> Result<Read, LinkError> {
        let mut state = self.lock();
        let State { machine, scratch, .. } = &mut *state;
        let read = match caller {
            Caller::Task => self.stream.try_read_buf(machine.input(ROOM)),
            Caller::Thread => {
                scratch.resize(BODY_ROOM, 0);
                let read = self.stream.read_now(scratch);
                if let Ok(length) = read {
                    machine.receive(scratch.get(..length).unwrap_or_default());
                }
                read
            }
        };
        match read {
            Ok(0) => {
                machine.receive_end();
                state.gone = true;
                Ok(Read::End)
            }
            Ok(_) => Ok(Read::Some),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Read::Nothing),
            Err(error) => {
                state.gone = true;
                Err(error.into())
            }
        }
    }

    fn block(&self, what: Readiness, longest: Duration, late: fn(Duration) -> LinkError) -> Result<(), LinkError> {
        self.stream.block_until(what, longest).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => self.lost(late(longest)),
            _ => self.lost(error.into()),
        })
    }

    /// Whoever asks next will be told that the peer has gone.
    fn lost(&self, error: LinkError) -> LinkError {
        self.lock().gone = true;
        error
    }
}

fn write(stream: &Stream, output: &Outgoing, caller: Caller) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let filled = output.chunks_vectored(&mut slices);
    let slices = slices.get(..filled).unwrap_or_default();
    match (caller, slices) {
        (Caller::Task, [one]) => stream.try_write(one),
        (Caller::Task, several) => stream.try_write_vectored(several),
        (Caller::Thread, slices) => stream.write_now(slices),
    }
}

/// What one attempt to read came to.
enum Read {
    Some,
    Nothing,
    End,
}
