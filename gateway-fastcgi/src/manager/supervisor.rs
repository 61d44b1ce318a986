//! The loop that keeps one place filled with a running worker.
//!
//! Holds start, watch, log and start again, and what all places share. The arithmetic of delays is in `backoff`.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::unix::pipe::Receiver;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::backoff::{Backoff, Ending};
use super::process::{Process, Watch};
use super::socket::Socket;
use super::{Config, SpawnError, State, StatusBoard, WorkerStatus};
use crate::lines::Lines;

/// What the workers of one program share.
#[derive(Debug)]
pub(super) struct Shared {
    program: PathBuf,
    args: Vec<OsString>,
    config: Config,
    socket: Socket,
    slots: Vec<Mutex<Slot>>,
    pub(super) status: StatusBoard,
    pub(super) phase: watch::Sender<Phase>,
}

/// Whether workers are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    Stopping,
}

/// One place. The process is held here, not by the task that watches it, so that dropping [`super::Workers`] can end it
/// at once, whatever the runtime is doing.
#[derive(Debug, Default)]
struct Slot {
    process: Option<Process>,
    closed: bool,
}

/// A process under watch, and its standard error.
pub(super) struct Running {
    watch: Watch,
    stderr: Option<Receiver>,
    lines: Lines,
    pid: u32,
}

impl Shared {
    pub(super) fn new(program: PathBuf, args: Vec<OsString>, config: Config, socket: Socket, count: usize) -> Self {
        Self {
            program,
            args,
            config,
            socket,
            slots: std::iter::repeat_with(Mutex::default).take(count).collect(),
            status: watch::Sender::new(vec![WorkerStatus::new(); count]),
            phase: watch::Sender::new(Phase::Running),
        }
    }

    pub(super) fn spawn_error(&self, source: io::Error) -> SpawnError {
        SpawnError::Program { program: self.program.clone(), source }
    }

    /// Starts a process in the place.
    pub(super) fn start(&self, slot: usize) -> io::Result<Running> {
        let mut place = self.place(slot).ok_or(io::ErrorKind::InvalidInput)?;
        if place.closed {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let mut command = self.config.command(&self.program, &self.args);
        command.stdin(Stdio::from(self.socket.duplicate()?)); // FCGI-2
        let (process, stderr) = Process::start(&mut command)?;
        let (pid, watch) = (process.id(), process.watch()?);
        let stderr = stderr.map(Receiver::from_owned_fd).transpose()?;
        place.process = Some(process);
        drop(place);
        self.note(slot, |status| {
            status.state = State::Running { pid };
            status.starts += 1;
        });
        tracing::info!(program = %self.program.display(), pid, "worker started");
        Ok(Running { watch, stderr, lines: Lines::default(), pid })
    }

    /// Takes the process out of its place and ends it, if it is still there.
    fn end(&self, slot: usize) -> Option<(io::Result<ExitStatus>, Duration)> {
        let process = self.place(slot)?.process.take()?;
        let lifetime = process.started.elapsed();
        Some((process.end(), lifetime))
    }

    /// Ends all processes now, and lets no other start.
    pub(super) fn kill_all(&self) {
        for (slot, place) in self.slots.iter().enumerate() {
            let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
            place.closed = true;
            let process = place.process.take();
            drop(place);
            drop(process);
            self.note(slot, |status| status.state = State::Stopped);
        }
    }

    fn place(&self, slot: usize) -> Option<MutexGuard<'_, Slot>> {
        Some(self.slots.get(slot)?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, slot: usize, change: impl FnOnce(&mut WorkerStatus)) {
        self.status.send_modify(|board| {
            if let Some(status) = board.get_mut(slot) {
                change(status);
            }
        });
    }
}

/// Keeps a place filled until workers are not wanted any more.
pub(super) async fn supervise(shared: Arc<Shared>, slot: usize, first: Running) {
    let config = &shared.config;
    let mut backoff = Backoff::new(config.min_restart_delay, config.max_restart_delay, config.stable_after);
    let mut phase = shared.phase.subscribe();
    let mut running = Some(first);
    loop {
        let delay = match running.take() {
            Some(process) => {
                let Some(delay) = see_through(&shared, slot, process, &mut phase, &mut backoff).await else { break };
                delay
            }
            None => backoff.after(Duration::ZERO, Ending::Crash),
        };
        shared.note(slot, |status| status.state = State::Waiting { delay });
        tokio::select! {
            () = sleep(delay) => {}
            () = stopping(&mut phase) => break,
        }
        match shared.start(slot) {
            Ok(process) => running = Some(process),
            Err(e) => tracing::error!(program = %shared.program.display(), error = %e, "worker not started"),
        }
    }
    shared.note(slot, |status| status.state = State::Stopped);
}

/// Waits for the end of a process; answers how long to wait before the next, `None` if none is wanted.
async fn see_through(
    shared: &Shared,
    slot: usize,
    mut process: Running,
    phase: &mut watch::Receiver<Phase>,
    backoff: &mut Backoff,
) -> Option<Duration> {
    let stopped = tokio::select! {
        () = ended(&mut process) => false,
        () = stopping(phase) => true,
    };
    if stopped {
        if let Some(Err(e)) = shared.place(slot)?.process.as_ref().map(Process::terminate) {
            tracing::debug!(pid = process.pid, error = %e, "worker not asked to end");
        }
        if timeout(shared.config.stop_timeout, ended(&mut process)).await.is_err() {
            tracing::warn!(pid = process.pid, "worker did not end in time and is killed");
        }
    }
    let (exit, lifetime) = shared.end(slot)?;
    let status = exit.inspect_err(|e| tracing::error!(pid = process.pid, error = %e, "worker not reaped")).ok();
    shared.note(slot, |known| known.last_exit = status);
    if stopped {
        tracing::info!(pid = process.pid, exit = %text(status), "worker stopped");
        return None;
    }
    // FCGI-9: status 0 is a deliberate end.
    let ending = if status.is_some_and(|status| status.success()) { Ending::Clean } else { Ending::Crash };
    let delay = backoff.after(lifetime, ending);
    match ending {
        Ending::Clean => tracing::info!(pid = process.pid, ?lifetime, restart_in = ?delay, "worker ended"),
        Ending::Crash => {
            tracing::warn!(pid = process.pid, exit = %text(status), ?lifetime, restart_in = ?delay, "worker died");
        }
    }
    Some(delay)
}

fn text(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "unknown".to_owned(), |status| status.to_string())
}

async fn stopping(phase: &mut watch::Receiver<Phase>) {
    // The sender lives as long as `Shared`, which the caller holds.
    let _ = phase.wait_for(|phase| *phase == Phase::Stopping).await;
}

/// Waits for the end of a process and logs meanwhile what it writes to its standard error.
///
/// Safe to cancel and to call again. A grandchild that keeps the pipe open is not waited for.
async fn ended(process: &mut Running) {
    loop {
        let Running { watch, stderr, .. } = process;
        let Some(pipe) = stderr else {
            let _ = watch.ended().await;
            break;
        };
        tokio::select! {
            biased;
            _ = watch.ended() => break,
            _ = pipe.readable() => if !process.log_what_is_there() { process.stderr = None },
        }
    }
    for _ in 0..READS_AFTER_THE_END {
        if !process.log_what_is_there() {
            break;
        }
    }
    let pid = process.pid;
    process.lines.finish(|line| log(pid, line));
}

/// How often the standard error of a worker that has ended is read: more than a pipe holds by default (pipe(7)).
const READS_AFTER_THE_END: usize = 20;

impl Running {
    /// Reads once and logs the lines; answers whether there may be more.
    fn log_what_is_there(&mut self) -> bool {
        let Self { stderr: Some(pipe), lines, pid, .. } = self else { return false };
        let mut buffer = [0; 4096];
        match pipe.try_read(&mut buffer) {
            Ok(0) => false,
            Ok(length) => {
                lines.receive(buffer.get(..length).unwrap_or_default(), |line| log(*pid, line));
                true
            }
            Err(e) => e.kind() == io::ErrorKind::WouldBlock || e.kind() == io::ErrorKind::Interrupted,
        }
    }
}

fn log(pid: u32, line: &str) {
    tracing::info!(pid, text = line, "worker wrote to its standard error");
}
