//! What is looked at once in an interval: what workers do, what they take, how many there should be.

use std::time::Instant;

use super::Pool;
use crate::control::RequestLine;
use crate::manager::death::Reason;
use crate::manager::mode::{Crew, Wish};
use crate::manager::observe;
use crate::manager::worker::Worker;

impl Pool {
    /// Looks at all workers and at the socket; asks ours what they do, which they answer in a moment.
    pub(super) fn look(&mut self) {
        let now = Instant::now();
        let traffic = self.socket.inode().map(|inode| observe::traffic(self.socket.address(), inode));
        let traffic = traffic.unwrap_or_default();
        self.status.queue = traffic.queue;
        self.status.max_queue = self.status.max_queue.max(traffic.queue);
        for worker in self.workers.values_mut() {
            worker.ask_for_report();
            let traffic = Some(&traffic).filter(|_| !worker.is_ours());
            if let Some(seen) = observe::worker(worker.pid, traffic) {
                worker.observe(seen, now);
            }
        }
        let ids: Vec<u64> = self.workers.keys().copied().collect();
        for id in ids {
            self.judge(id);
        }
        if self.stopping.is_none() {
            self.adapt(now, traffic.queue);
        }
    }

    /// Holds one worker against its limits.
    pub(super) fn judge(&mut self, id: u64) {
        let now = Instant::now();
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let pid = worker.pid;
        let (running, ended) = worker.slow();
        running.iter().for_each(|line| tell_slow(pid, line, "slow request, still running"));
        ended.iter().for_each(|line| tell_slow(pid, line, "slow request"));
        if worker.killed_for.is_some() {
            return;
        }
        if let Some(line) = worker.timed_out(now) {
            tell_timeout(worker, &line);
            self.status.timeouts += 1;
            return self.kill(id, Reason::RequestTimeout);
        }
        if worker.is_staying()
            && worker.ready
            && let Some(reason) = worker.reached(now)
        {
            worker.leaving = Some(reason);
            let (memory, requests) = (worker.seen.memory_bytes, worker.report.as_ref().map(|report| report.finished));
            tracing::info!(pid, limit = reason.name(), memory, requests, "worker is replaced");
        }
    }

    /// Adapts the number of workers to what is going on.
    fn adapt(&mut self, now: Instant, queue: usize) {
        let idle_timeout = self.spec.mode.idle_timeout();
        let mut crew = Crew { waiting: queue, ..Crew::default() };
        for worker in self.workers.values().filter(|worker| worker.is_staying()) {
            crew.staying += 1;
            crew.idle += usize::from(worker.is_idle());
            let is_too_long =
                idle_timeout.zip(worker.idle_for(now)).is_some_and(|(most, idle)| worker.ready && idle >= most);
            crew.idle_too_long += usize::from(is_too_long);
            if worker.is_ours() {
                crew.waiting += usize::try_from(worker.active().saturating_sub(1)).unwrap_or(usize::MAX);
            }
        }
        let Wish { target, is_at_most } = self.spec.mode.wish(self.target, crew, self.spec.config.max_spawn_rate);
        self.target = target;
        if is_at_most && !std::mem::replace(&mut self.is_at_most, true) {
            self.status.max_children_reached += 1;
            let max_children = self.spec.mode.max_children();
            tracing::warn!(max_children, queue, "all workers are busy and there may be no more");
        }
        self.is_at_most = is_at_most;
    }
}

fn tell_slow(pid: u32, line: &RequestLine, message: &str) {
    let (method, path) = (line.method.escape_ascii(), line.path.escape_ascii());
    tracing::warn!(pid, request = line.serial, %method, %path, took = ?line.age, "{message}");
}

fn tell_timeout(worker: &Worker, line: &RequestLine) {
    let (pid, others) = (worker.pid, worker.active().saturating_sub(1));
    if worker.is_ours() {
        let (method, path) = (line.method.escape_ascii(), line.path.escape_ascii());
        tracing::warn!(pid, request = line.serial, %method, %path, took = ?line.age, others, "request timed out: its worker is killed");
    } else {
        tracing::warn!(pid, took = ?line.age, others, "a connection is held for too long: its worker is killed");
    }
}
