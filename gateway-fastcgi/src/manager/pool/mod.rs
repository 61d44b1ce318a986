//! The pool: all workers of one program, and the one task that decides about them.
//!
//! Holds the loop: something happens, what follows from it is done, what is known is published. What follows is in
//! `starting` (starts and ends), `rolling` (who goes, who comes, reloads) and `watching` (limits, the number of workers); what comes
//! from outside the program is in `arrivals`.

mod arrivals;
mod rolling;
mod starting;
mod watching;

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until};

use super::attend::Event;
use super::backoff::Backoff;
use super::processes::Processes;
use super::socket::Socket;
use super::spawner::Spawner;
use super::worker::Worker;
use super::{Config, Mode, ReloadError, SpawnError, Status, observe};
use arrivals::Arrivals;
use rolling::Reload;

/// What is started, how many times, and how.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) program: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) mode: Mode,
    pub(super) config: Config,
}

impl Spec {
    pub(super) fn new(
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = impl Into<OsString>>,
        mode: impl Into<Mode>,
        config: Config,
    ) -> Self {
        Self { program: program.into(), args: args.into_iter().map(Into::into).collect(), mode: mode.into(), config }
    }
}

/// Whether the log has told that a worker is ready, or that none has been so far. Each is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readiness {
    Untold,
    NoneSoFar,
    Told,
}

/// What the holder of the pool wants.
#[derive(Debug)]
pub(super) enum Order {
    /// Replace all workers, by those of another specification if there is one.
    Reload(Option<Box<Spec>>, oneshot::Sender<Result<(), ReloadError>>),
    Stop,
}

/// The workers of one program.
#[derive(Debug)]
pub(super) struct Pool {
    spec: Arc<Spec>,
    socket: Socket,
    arrivals: Arrivals,
    spawner: Spawner,
    processes: Arc<Processes>,
    /// By their numbers, which grow: the first is the oldest.
    workers: BTreeMap<u64, Worker>,
    next_id: u64,
    orders: mpsc::UnboundedReceiver<Order>,
    events: mpsc::UnboundedReceiver<Event>,
    tell: mpsc::UnboundedSender<Event>,
    board: watch::Sender<Status>,
    /// What has been counted; the rest of it is made when it is published.
    status: Status,
    /// How many workers there should be.
    target: usize,
    generation: u64,
    /// Whether a worker of this program has answered on the control channel: then all can, and are ready when they do.
    is_ours: bool,
    reload: Option<Reload>,
    backoff: Backoff,
    /// Nothing is started before.
    held_until: Option<Instant>,
    /// The last worker did not become ready: the next one is started alone.
    is_failing: bool,
    /// What the log says of workers that are ready.
    readiness: Readiness,
    /// More workers were wanted than there may be, when it was last looked.
    is_at_most: bool,
    crashes: VecDeque<Instant>,
    out_of_memory_kills: u64,
    /// All are to end, and will be killed then.
    stopping: Option<Instant>,
}

impl Pool {
    /// Starts the first workers.
    pub(super) fn begin(
        spec: Spec,
        socket: Socket,
        processes: Arc<Processes>,
        orders: mpsc::UnboundedReceiver<Order>,
    ) -> Result<(Self, watch::Receiver<Status>), SpawnError> {
        let (tell, events) = mpsc::unbounded_channel();
        let status = Status::new(spec.mode.name(), spec.mode.max_children());
        let (board, published) = watch::channel(status.clone());
        let config = &spec.config;
        let mut pool = Self {
            arrivals: Arrivals::new(&spec.mode, &socket).map_err(SpawnError::Socket)?,
            spawner: Spawner::new().map_err(SpawnError::Socket)?,
            backoff: Backoff::new(config.min_restart_delay, config.max_restart_delay, Duration::MAX),
            target: spec.mode.at_first(),
            spec: Arc::new(spec),
            socket,
            processes,
            workers: BTreeMap::new(),
            next_id: 0,
            orders,
            events,
            tell,
            board,
            status,
            generation: 0,
            is_ours: false,
            reload: None,
            held_until: None,
            is_failing: false,
            readiness: Readiness::Untold,
            is_at_most: false,
            crashes: VecDeque::new(),
            out_of_memory_kills: observe::out_of_memory_kills(),
            stopping: None,
        };
        for _ in 0..pool.target {
            let failed =
                |pool: &Self, source: io::Error| SpawnError::Program { program: pool.spec.program.clone(), source };
            if let Err(source) = pool.start() {
                pool.processes.kill_all();
                return Err(failed(&pool, source));
            }
        }
        pool.publish();
        Ok((pool, published))
    }

    /// Until all workers have ended.
    pub(super) async fn run(mut self) {
        let mut looks = self.looks();
        loop {
            self.settle();
            self.publish();
            if self.stopping.is_some() && self.workers.is_empty() {
                break;
            }
            let next = self.next_deadline();
            tokio::select! {
                Some(event) = self.events.recv() => self.happened(event),
                Some(order) = self.orders.recv() => {
                    if self.ordered(order) {
                        looks = self.looks();
                    }
                }
                _ = looks.tick() => self.look(),
                () = at(next) => {}
                () = self.arrivals.wait(&self.socket) => self.look(),
            }
        }
        self.status.stopped = true;
        self.publish();
    }

    fn looks(&self) -> Interval {
        let mut looks = interval(self.spec.config.time_between_looks());
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::Report(id, report) => self.reported(id, report),
            Event::Ended(id, last_words) => self.ended(id, &last_words),
        }
    }

    /// The next moment at which something follows from time alone.
    fn next_deadline(&self) -> Option<Instant> {
        let config = &self.spec.config;
        let of_worker = |worker: &Worker| match worker.finishing {
            Some((_, deadline)) => worker.killed_for.is_none().then_some(deadline),
            None if worker.ready || worker.killed_for.is_some() => None,
            None if self.is_ours => worker.started.checked_add(config.start_timeout),
            None => worker.started.checked_add(config.stable_after),
        };
        let held = self.held_until.filter(|_| self.stopping.is_none());
        self.workers.values().filter_map(of_worker).chain(held).min()
    }

    fn publish(&mut self) {
        let status = &mut self.status;
        status.workers = self.workers.values().map(Worker::status).collect();
        let busy = self.workers.values().filter(|worker| !worker.is_idle()).count();
        status.max_busy = status.max_busy.max(busy);
        status.target = self.target;
        status.mode = self.spec.mode.name();
        status.max_children = self.spec.mode.max_children();
        status.is_reloading = self.reload.is_some();
        if self.held_until.is_none() {
            status.held_back = None;
        }
        let mut published = status.clone();
        for report in self.workers.values().filter_map(|worker| worker.report.as_ref()) {
            published.requests += report.finished;
            published.slow += report.slow;
        }
        self.board.send_replace(published);
    }

    /// How many workers are like this.
    fn count(&self, is: impl Fn(&Worker) -> bool) -> usize {
        self.workers.values().filter(|worker| is(worker)).count()
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}
