//! Who goes and who comes: the same for a reload, for a limit that is reached, and for one worker too many.
//!
//! A worker that is to go is *leaving*: it works until a replacement is ready, and is then asked to *finish*. So the number of
//! workers that can serve never falls below what is wanted.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use super::arrivals::Arrivals;
use super::{Order, Pool, Spec};
use crate::control::Ask;
use crate::manager::death::Reason;
use crate::manager::mode::Mode;
use crate::manager::process::Process;
use crate::manager::worker::Worker;
use crate::manager::{Config, ReloadError};

/// A reload under way.
#[derive(Debug)]
pub(super) struct Reload {
    started: Instant,
    /// What was in force before.
    previous: Arc<Spec>,
    was_ours: bool,
    done: Vec<oneshot::Sender<Result<(), ReloadError>>>,
}

impl Pool {
    /// Does what is wanted; answers whether another specification is in force.
    pub(super) fn ordered(&mut self, order: Order) -> bool {
        match order {
            Order::Reload(_, done) if self.stopping.is_some() => {
                let _ = done.send(Err(ReloadError::Stopped));
                false
            }
            Order::Reload(spec, done) => {
                let is_other = spec.is_some();
                self.begin_reload(spec, done);
                is_other
            }
            Order::Stop => {
                self.begin_stop();
                false
            }
        }
    }

    fn begin_reload(&mut self, spec: Option<Box<Spec>>, done: oneshot::Sender<Result<(), ReloadError>>) {
        self.generation += 1;
        tracing::info!(generation = self.generation, workers = self.workers.len(), "reload: workers are replaced");
        let previous = Arc::clone(&self.spec);
        let reload = self.reload.get_or_insert_with(|| Reload {
            started: Instant::now(),
            previous,
            was_ours: self.is_ours,
            done: Vec::new(),
        });
        reload.done.push(done);
        if let Some(spec) = spec {
            // What was said of the one program is not true of the other.
            self.is_ours = false;
            self.use_spec(Arc::from(spec));
        }
        // What an operator has mended need not wait.
        self.held_until = None;
        for worker in self.workers.values_mut().filter(|worker| worker.is_wanted()) {
            worker.leaving = Some(Reason::Reload);
        }
    }

    fn use_spec(&mut self, spec: Arc<Spec>) {
        let at_first = spec.mode.at_first();
        self.target = match spec.mode {
            Mode::Static { .. } => at_first,
            _ => self.target.clamp(at_first, spec.mode.max_children()),
        };
        if let Ok(arrivals) = Arrivals::new(&spec.mode, &self.socket) {
            self.arrivals = arrivals;
        }
        self.spec = spec;
    }

    /// A worker of the reload has not come up: what was before stays.
    pub(super) fn reload_failed(&mut self, why: &ReloadError) {
        let Some(reload) = self.reload.take() else { return };
        let kept = self.count(|worker| worker.leaving == Some(Reason::Reload));
        if kept == 0 {
            tracing::error!(error = %why, "reload failed, and there is no old worker: what was in force before is tried again");
        } else {
            tracing::error!(error = %why, kept, "reload failed: the old workers go on");
        }
        for worker in self.workers.values_mut().filter(|worker| worker.leaving == Some(Reason::Reload)) {
            worker.leaving = None;
        }
        self.is_ours = reload.was_ours;
        let is_other = !Arc::ptr_eq(&self.spec, &reload.previous);
        if is_other {
            self.use_spec(reload.previous);
        }
        let new =
            self.workers.iter_mut().filter(|(_, worker)| worker.generation == self.generation && worker.is_wanted());
        let mut not_ready = Vec::new();
        for (id, worker) in new {
            if !worker.ready {
                not_ready.push(*id);
            } else if is_other {
                // It is of what is not in force any more.
                worker.leaving = Some(Reason::Reload);
            }
        }
        for id in not_ready {
            self.finish(id, Reason::Reload);
        }
        if kept >= self.target {
            // Nothing is wanting, so there is nothing to wait for.
            self.held_until = None;
            self.is_failing = false;
        }
        for done in reload.done {
            let _ = done.send(Err(why.clone()));
        }
    }

    fn begin_stop(&mut self) {
        let deadline = Instant::now() + self.spec.config.stop_timeout;
        self.stopping = Some(deadline);
        self.target = 0;
        for done in self.reload.take().into_iter().flat_map(|reload| reload.done) {
            let _ = done.send(Err(ReloadError::Stopped));
        }
        let ids: Vec<u64> = self.workers.keys().copied().collect();
        for id in ids {
            self.finish(id, Reason::Stop);
            if let Some(worker) = self.workers.get_mut(&id) {
                worker.finishing = worker.finishing.map(|(reason, until)| (reason, until.min(deadline)));
            }
        }
    }

    /// Does all that follows from how things are.
    pub(super) fn settle(&mut self) {
        let now = Instant::now();
        self.held_until = self.held_until.filter(|until| *until > now);
        self.look_at_starts(now);
        self.end_those_out_of_time(now);
        if self.stopping.is_none() {
            self.let_go();
            self.fill_up();
            self.complete_reload();
        }
    }

    /// Who counts as ready by now, and who should.
    fn look_at_starts(&mut self, now: Instant) {
        let Config { stable_after, start_timeout, .. } = &self.spec.config;
        let (stable_after, start_timeout, is_ours) = (*stable_after, *start_timeout, self.is_ours);
        let mut has_become_ready = false;
        let mut late = Vec::new();
        for (id, worker) in self.workers.iter_mut().filter(|(_, worker)| !worker.ready && worker.is_wanted()) {
            let age = now.saturating_duration_since(worker.started);
            if !is_ours && age >= stable_after {
                worker.ready = true;
                has_become_ready = true;
            } else if is_ours && age >= start_timeout {
                late.push(*id);
            }
        }
        if has_become_ready {
            self.became_ready();
        }
        for id in late {
            self.kill(id, Reason::StartTimeout);
        }
    }

    fn end_those_out_of_time(&mut self, now: Instant) {
        let late = |worker: &Worker| {
            worker.killed_for.is_none() && worker.finishing.is_some_and(|(_, deadline)| deadline <= now)
        };
        let late: Vec<_> =
            self.workers.iter().filter(|(_, worker)| late(worker)).map(|(id, w)| (*id, w.finishing)).collect();
        for (id, finishing) in late {
            let Some((reason, _)) = finishing else { continue };
            if let Some(worker) = self.workers.get(&id) {
                tracing::warn!(pid = worker.pid, active = worker.active(), "worker did not end in time and is killed");
            }
            self.kill(id, reason);
        }
    }

    /// Asks those to finish that are not needed any more: the leaving first, the oldest of them first.
    fn let_go(&mut self) {
        let ready = self.count(|worker| worker.ready && worker.is_wanted());
        let mut excess = ready.saturating_sub(self.target);
        let leaving = self.workers.iter().filter(|(_, worker)| worker.leaving.is_some() && worker.is_wanted());
        let leaving: Vec<_> = leaving.map(|(id, worker)| (*id, worker.ready, worker.leaving)).collect();
        let is_replaced = self.count(|worker| worker.ready && worker.is_staying()) >= self.target;
        for (id, is_ready, reason) in leaving {
            // One that has not been seen to be ready may serve all the same, if it is not ours.
            if is_replaced || is_ready && excess > 0 {
                excess = excess.saturating_sub(usize::from(is_ready));
                self.finish(id, reason.unwrap_or(Reason::Spare));
            }
        }
        let over = self.count(Worker::is_staying).saturating_sub(self.target);
        let is_any = matches!(self.spec.mode, Mode::Static { .. });
        let mut idle: Vec<_> = self.workers.iter().filter(|(_, worker)| worker.is_staying()).collect();
        idle.retain(|(_, worker)| is_any || worker.is_idle());
        // Those that have been idle for longest first.
        idle.sort_by_key(|(_, worker)| worker.idle_since.map_or((1, worker.started), |since| (0, since)));
        let spare: Vec<u64> = idle.into_iter().take(over.min(excess)).map(|(id, _)| *id).collect();
        for id in spare {
            self.finish(id, Reason::Spare);
        }
    }

    /// Starts those that are wanting. While others leave, only so many at a time that a quarter more run than are wanted.
    fn fill_up(&mut self) {
        if self.held_until.is_some() {
            return;
        }
        let staying = self.count(Worker::is_staying);
        let running = self.count(Worker::is_wanted);
        let surge = (self.target / 4).max(1);
        let room = (self.target + surge).saturating_sub(running);
        let mut wanting = self.target.saturating_sub(staying).min(room).min(self.spec.config.max_spawn_rate);
        if self.is_failing {
            let starting = self.count(|worker| worker.is_wanted() && !worker.ready);
            wanting = wanting.min(1_usize.saturating_sub(starting));
        }
        for _ in 0..wanting {
            if !self.start_or_hold() {
                break;
            }
        }
    }

    fn complete_reload(&mut self) {
        let is_over = self.count(|worker| worker.leaving == Some(Reason::Reload) && worker.is_wanted()) == 0
            && self.count(|worker| worker.is_wanted() && !worker.ready) == 0;
        if !is_over {
            return;
        }
        let Some(reload) = self.reload.take() else { return };
        self.status.reloads += 1;
        tracing::info!(generation = self.generation, took = ?reload.started.elapsed(), "reload complete");
        for done in reload.done {
            let _ = done.send(Ok(()));
        }
    }

    /// Asks a worker to finish: ours on its channel, others by a signal.
    pub(super) fn finish(&mut self, id: u64, reason: Reason) {
        let config = &self.spec.config;
        let Some(worker) = self.workers.get_mut(&id).filter(|worker| worker.is_wanted()) else { return };
        worker.finishing = Some((reason, Instant::now() + config.finish_timeout));
        tracing::debug!(pid = worker.pid, reason = reason.name(), "worker is asked to finish");
        if worker.is_ours() && worker.ask(Ask::Finish) {
            return;
        }
        let signal = config.finish_signal.signal();
        if let Some(Err(error)) = self.processes.with(id, |process| process.signal(signal)) {
            tracing::debug!(pid = worker.pid, %error, "worker not asked to end");
        }
    }

    /// Kills a worker and its group.
    pub(super) fn kill(&mut self, id: u64, reason: Reason) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.killed_for = Some(reason);
            self.processes.with(id, Process::kill);
        }
    }
}
