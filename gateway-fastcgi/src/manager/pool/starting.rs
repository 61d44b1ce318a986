//! How a worker is started, and what its end means.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use tokio::net::UnixDatagram;
use tokio::net::unix::pipe::Receiver;

use super::{Pool, Readiness};
use crate::control::Report;
use crate::lines::Lines;
use crate::manager::attend::{Attendant, LastWords};
use crate::manager::backoff::Ending;
use crate::manager::death::{Death, Reason};
use crate::manager::spawner::Order;
use crate::manager::worker::Worker;
use crate::manager::{ReloadError, observe};

impl Pool {
    /// Starts a worker. What goes wrong later, its end among it, comes as an event.
    pub(super) fn start(&mut self) -> io::Result<()> {
        let spec = Arc::clone(&self.spec);
        let limits = spec.config.limits.of_one();
        let program = spec.config.resident(&spec.program, &spec.args, &limits)?;
        let (channel, control) = if spec.config.control {
            control_channel().map(|(ours, its)| (Some(ours), Some(its)))?
        } else {
            (None, None)
        };
        let (errors, its_errors) = io::pipe()?;
        let order = Order { program, socket: self.socket.duplicate()?, errors: its_errors.into(), control };
        let process = self.spawner.start(order)?;
        let (id, pid, watch) = (self.next_id, process.id(), process.watch()?);
        let errors = Some(Receiver::from_owned_fd(errors.into())?);
        if !self.processes.insert(id, process) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.next_id += 1;
        let (lines, last_words, events) = (Lines::default(), LastWords::default(), self.tell.clone());
        tokio::spawn(Attendant { id, pid, watch, errors, channel: channel.clone(), events, lines, last_words }.run());
        let worker = Worker::new(pid, self.generation, limits, channel);
        worker.ask_for_report();
        self.workers.insert(id, worker);
        self.status.starts += 1;
        tracing::info!(program = %spec.program.display(), pid, "worker started");
        Ok(())
    }

    /// Starts one, and holds back others if that cannot be done.
    pub(super) fn start_or_hold(&mut self) -> bool {
        match self.start() {
            Ok(()) => true,
            Err(error) => {
                let delay = self.backoff.after(Duration::ZERO, Ending::Crash);
                tracing::error!(program = %self.spec.program.display(), %error, again_in = ?delay, "worker not started");
                self.hold(delay);
                self.reload_failed(&ReloadError::NotStarted { reason: error.to_string() });
                false
            }
        }
    }

    /// Starts nothing for so long, and then one alone.
    fn hold(&mut self, delay: Duration) {
        self.is_failing = true;
        self.held_until = Some(Instant::now() + delay);
        self.status.held_back = Some(delay);
    }

    /// A worker has said what it is doing.
    pub(super) fn reported(&mut self, id: u64, report: Report) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if report.cut_off {
            let (pid, requests) = (worker.pid, report.active);
            tracing::warn!(pid, requests, "requests cut off: the worker's own time to finish is up");
        }
        worker.receive(report);
        if !std::mem::replace(&mut worker.ready, true) {
            self.is_ours = true;
            self.became_ready();
        }
        self.judge(id);
    }

    /// Starting workers works.
    pub(super) fn became_ready(&mut self) {
        self.backoff.after(Duration::MAX, Ending::Clean);
        self.is_failing = false;
        self.status.emergency = false;
        if std::mem::replace(&mut self.readiness, Readiness::Told) != Readiness::Told {
            tracing::info!("the first worker is ready");
        }
    }

    /// A worker did not come up. An operator who sees no more than warnings learns once what that means for requests.
    fn tell_that_none_is_ready(&mut self) {
        if self.readiness == Readiness::Untold {
            self.readiness = Readiness::NoneSoFar;
            tracing::warn!(program = %self.spec.program.display(), "no worker has been ready so far: requests wait for one");
        }
    }

    /// A worker has ended: it is reaped, its group with it, and its end is told.
    pub(super) fn ended(&mut self, id: u64, last_words: &LastWords) {
        let Some(mut worker) = self.workers.remove(&id) else { return };
        let Some(process) = self.processes.take(id) else { return };
        let pid = worker.pid;
        let status = process.end().inspect_err(|error| tracing::error!(pid, %error, "worker not reaped")).ok();
        let before = std::mem::replace(&mut self.out_of_memory_kills, observe::out_of_memory_kills());
        let out_of_memory = self.out_of_memory_kills > before;
        let death = Death { status, killed_for: worker.killed_for, out_of_memory };
        self.status.last_exit = status;
        let (served, slow) = worker.report.as_ref().map_or((0, 0), |report| (report.finished, report.slow));
        self.status.requests += served;
        self.status.slow += slow;
        let lifetime = worker.started.elapsed();
        // It may have come of age and ended before anybody looked.
        worker.ready |= !self.is_ours && lifetime >= self.spec.config.stable_after;
        if let Some((reason, _)) = worker.finishing {
            return finished(&worker, &death, reason);
        }
        if let Some(reason) = worker.killed_for.filter(|reason| *reason != Reason::StartTimeout) {
            tracing::info!(pid, exit = %death, ?lifetime, reason = reason.name(), "worker killed");
            return;
        }
        let ending = if death.is_clean() { Ending::Clean } else { Ending::Crash };
        // One that was ready is replaced at once; FCGI-9: status 0 is a deliberate end.
        let lived = if worker.ready { Duration::MAX } else { lifetime };
        let held = self.held_until.is_some_and(|until| until > Instant::now());
        let delay = if held { self.status.held_back.unwrap_or_default() } else { self.backoff.after(lived, ending) };
        // Of one that is not ours the number of requests may be limited, and be reached before it counts as ready.
        let is_meant = worker.ready || worker.limits.max_requests.is_some() && !self.is_ours;
        let wrote = last_words.text().filter(|_| !worker.ready);
        match ending {
            Ending::Clean if !is_meant => {
                tracing::warn!(pid, ?lifetime, wrote, restart_in = ?delay, "worker ended before it was ready: is it a FastCGI worker?");
            }
            Ending::Clean => tracing::info!(pid, ?lifetime, requests = served, restart_in = ?delay, "worker ended"),
            Ending::Crash => {
                self.status.crashes += 1;
                let lost = worker.active();
                tracing::warn!(pid, exit = %death, ?lifetime, requests = served, lost, wrote, restart_in = ?delay, "worker died");
            }
        }
        if !worker.ready && (ending == Ending::Crash || !is_meant) {
            self.tell_that_none_is_ready();
        }
        if !delay.is_zero() && !held {
            self.hold(delay);
        }
        if ending == Ending::Crash && worker.ready {
            self.count_crash();
        }
        if !worker.ready && worker.leaving.is_none() {
            self.reload_failed(&ReloadError::Died { exit: death.to_string() });
        }
    }

    /// Crashes of workers that were ready are held against the threshold (php-fpm: emergency_restart_threshold).
    fn count_crash(&mut self) {
        let Some((most, within)) = self.spec.config.emergency else { return };
        let now = Instant::now();
        self.crashes.push_back(now);
        self.crashes.retain(|crash| now.duration_since(*crash) <= within);
        if self.crashes.len() >= most {
            self.crashes.clear();
            let delay = self.spec.config.max_restart_delay;
            tracing::error!(crashes = most, ?within, restart_in = ?delay, "emergency: workers crash again and again");
            self.status.emergency = true;
            self.hold(delay);
        }
    }
}

fn finished(worker: &Worker, death: &Death, reason: Reason) {
    let (pid, lifetime, requests) =
        (worker.pid, worker.started.elapsed(), worker.report.as_ref().map(|report| report.finished));
    let reason = reason.name();
    // Programs that are not ours may know no other end than by the signal.
    if worker.is_ours() && !death.is_clean() {
        let lost = worker.active();
        tracing::warn!(pid, exit = %death, ?lifetime, requests, lost, reason, "worker died while it finished");
    } else {
        tracing::info!(pid, exit = %death, ?lifetime, requests, reason, "worker finished");
    }
}

/// A channel: our end and the worker's.
fn control_channel() -> io::Result<(Arc<UnixDatagram>, OwnedFd)> {
    let (ours, its) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let ours = StdDatagram::from(ours);
    ours.set_nonblocking(true)?;
    Ok((Arc::new(UnixDatagram::from_std(ours)?), its))
}
