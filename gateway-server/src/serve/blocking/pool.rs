//! The threads: who accepts, how many there are, who gives way, and the end.
//!
//! Each thread does the same: it waits for its turn to accept, takes a connection, serves it to its end, and comes back. There
//! is a new one whenever the last free one has taken a connection, until there are as many as may be; then further connections
//! wait in the system's queue. With one thread this is the iterative server.
//!
//! A client that keeps its connection open without asking anything keeps a thread. So when no thread is free and somebody waits in
//! the queue, a connection ends after its answer, or when it has been silent for a moment.

use super::connection::serve_connection;
use super::line::Line;
use super::waiting::{Ready, wait};
use crate::serve::peers::Present;
use crate::serve::shared::{Entry, Shared};
use gateway_fastcgi::net::{AcceptTrouble, BlockingListener, BlockingStream, Listener, Peer};
use rustix::event::{EventfdFlags, eventfd};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// All threads of one server, and what they share.
pub(super) struct Pool {
    pub(super) shared: Arc<Shared>,
    listeners: Vec<BlockingListener>,
    most: usize,
    /// Whoever holds it waits for the next connection. If all free threads did, each connection would wake them all.
    turn: Mutex<()>,
    crew: Mutex<Crew>,
    /// Can be read from the stop on, for ever, by everybody who waits for something else as well.
    pub(super) bell: OwnedFd,
    /// Rings when a thread has ended.
    ended: Notify,
}

#[derive(Default)]
struct Crew {
    threads: usize,
    free: usize,
    lines: HashMap<u64, Weak<Line>>,
    next_id: u64,
    failure: Option<io::Error>,
}

/// How long to leave a system alone that has no descriptors left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Serves until the stop, with at most `most` threads; then waits for the requests in progress, but not for ever.
pub(in crate::serve) async fn serve(shared: Arc<Shared>, listeners: Vec<Listener>, most: usize) -> io::Result<()> {
    let listeners = listeners.into_iter().map(Listener::into_blocking).collect::<io::Result<Vec<_>>>()?;
    let stop_timeout = shared.config.stop_timeout;
    let pool = Arc::new(Pool {
        shared,
        listeners,
        most,
        turn: Mutex::default(),
        crew: Mutex::default(),
        bell: eventfd(0, EventfdFlags::CLOEXEC)?,
        ended: Notify::new(),
    });
    pool.start_thread(&mut pool.crew())?;
    tokio::select! {
        () = pool.shared.stop.wanted() => {}
        () = pool.all_ended() => {}
    }
    rustix::io::write(&pool.bell, &1_u64.to_ne_bytes())?;
    if tokio::time::timeout(stop_timeout, pool.all_ended()).await.is_err() {
        let lines: Vec<_> = pool.crew().lines.values().filter_map(Weak::upgrade).collect();
        tracing::warn!(connections = lines.len(), "stopped before all requests were done");
        lines.iter().for_each(|line| line.cut());
    }
    let failure = pool.crew().failure.take();
    failure.map_or(Ok(()), Err)
}

impl Pool {
    fn crew(&self) -> MutexGuard<'_, Crew> {
        // Nothing in here panics; and each field would be valid by itself.
        self.crew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_thread(self: &Arc<Self>, crew: &mut Crew) -> io::Result<()> {
        let pool = Arc::clone(self);
        let place = Place(Arc::clone(self));
        crew.threads += 1;
        crew.free += 1;
        let started = std::thread::Builder::new().name("connection".to_owned()).spawn(move || {
            let _place = place;
            pool.work();
        });
        if started.is_err() {
            crew.threads -= 1;
            crew.free -= 1;
        }
        started.map(drop)
    }

    /// The life of a thread.
    fn work(self: &Arc<Self>) {
        loop {
            match self.next_connection() {
                Ok(Some((stream, peer, present))) => {
                    let line = Arc::new(Line::new(stream, peer, Arc::clone(self)));
                    let _busy = self.begin(&line, present);
                    serve_connection(&line);
                }
                Ok(None) => return,
                Err(error) => {
                    self.crew().failure = Some(error);
                    return;
                }
            }
        }
    }

    /// Waits for a connection; `None` when the server stops.
    fn next_connection(&self) -> io::Result<Option<(BlockingStream, Peer, Present)>> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sockets = vec![self.bell.as_fd()];
        sockets.extend(self.listeners.iter().map(AsFd::as_fd));
        loop {
            let Ready(ready) = wait(&sockets, None)?;
            if ready.first() == Some(&true) {
                return Ok(None);
            }
            let waiting = self.listeners.iter().zip(ready.iter().skip(1)).find(|(_, ready)| **ready);
            let Some((listener, _)) = waiting else { continue };
            match listener.accept_waiting() {
                Ok((stream, peer)) => {
                    if let Some(present) = self.shared.let_in(&stream, peer) {
                        return Ok(Some((stream, peer, present)));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => match AcceptTrouble::of(&error) {
                    AcceptTrouble::Connection => {}
                    AcceptTrouble::Exhausted => {
                        tracing::error!(%error, "cannot accept connections");
                        std::thread::sleep(EXHAUSTED_PAUSE);
                    }
                    AcceptTrouble::Listener => return Err(error),
                },
            }
        }
    }

    /// A thread has a connection now. If it was the last free one, and there may be more, there is another.
    fn begin(self: &Arc<Self>, line: &Arc<Line>, present: Present) -> Busy {
        let mut crew = self.crew();
        crew.free -= 1;
        crew.next_id += 1;
        let id = crew.next_id;
        crew.lines.insert(id, Arc::downgrade(line));
        if crew.free == 0
            && crew.threads < self.most
            && let Err(error) = self.start_thread(&mut crew)
        {
            tracing::warn!(%error, threads = crew.threads, "no more threads");
        }
        Busy { pool: Arc::clone(self), id, _held: (self.shared.enter(None), present) }
    }

    /// Whether a connection should end so that another can begin.
    pub(super) fn must_give_way(&self) -> bool {
        let is_full = self.is_full();
        let sockets: Vec<_> = self.listeners.iter().map(AsFd::as_fd).collect();
        is_full && wait(&sockets, Some(Instant::now())).is_ok_and(|Ready(ready)| ready.contains(&true))
    }

    pub(super) fn is_full(&self) -> bool {
        self.crew().free == 0
    }

    /// Whether applications may run at once: `multithread` in the environ.
    pub(super) fn is_concurrent(&self) -> bool {
        self.most > 1
    }

    async fn all_ended(&self) {
        while self.crew().threads > 0 {
            self.ended.notified().await;
        }
    }
}

/// A thread's place in the count; taken off on drop, however it ends.
struct Place(Arc<Pool>);

impl Drop for Place {
    fn drop(&mut self) {
        let mut crew = self.0.crew();
        crew.threads -= 1;
        crew.free -= 1;
        drop(crew);
        self.0.ended.notify_one();
    }
}

/// A connection's place in the list.
struct Busy {
    pool: Arc<Pool>,
    id: u64,
    _held: (Entry, Present),
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut crew = self.pool.crew();
        crew.free += 1;
        crew.lines.remove(&self.id);
    }
}
