//! What is flooded, and how one sees that it stands.
//!
//! Holds the worker under test, its neighbours who ask while the flood runs, and one line of a flood. Does not hold floods.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gateway_tests::place::Place;
use gateway_tests::process::{Process, descriptors, peak_memory, poll_until};
use gateway_tests::records::{Peer, get};
use gateway_tests::servers::ours;

/// A worker that takes nothing for so long takes nothing more.
const STUCK: Duration = Duration::from_millis(300);

/// A neighbour's longest wait: a small part of what a gateway waits, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(10);

/// Until descriptors are back: the longest of the worker's own waits for a peer that has gone, and some.
const SETTLED: Duration = Duration::from_secs(20);

/// The real `testbed` as a worker on a socket.
pub(crate) struct Target {
    worker: Process,
    pub(crate) socket: PathBuf,
    /// How many descriptors it had when nobody asked.
    descriptors: usize,
    _place: Place,
}

impl Target {
    pub(crate) fn start() -> Self {
        let place = Place::new();
        let (worker, socket) = ours::testbed_worker_unix(&place);
        hello(&mut Peer::connect(&socket), false);
        let mut target = Self { worker, socket, descriptors: 0, _place: place };
        target.descriptors = target.settled();
        target
    }

    /// Floods, while others go on asking; then what the flood holds open is closed.
    ///
    /// # Panics
    /// If the worker ever had more than `max_resident_bytes`, if others had to wait, or if it does not recover.
    #[track_caller]
    pub(crate) fn survives<H>(&mut self, max_resident_bytes: u64, flood: impl FnOnce(&Path) -> H) {
        let flooded = AtomicBool::new(false);
        let socket = &self.socket;
        let (answered, slowest) = std::thread::scope(|scope| {
            let neighbour = scope.spawn(|| {
                let mut kept = Peer::connect(socket);
                let (mut answered, mut slowest) = (0, Duration::ZERO);
                // After the flood ten more, while all its connections are still open.
                let mut after = 0;
                while after < 10 {
                    after += u32::from(flooded.load(Ordering::Acquire));
                    let start = Instant::now();
                    hello(&mut kept, true);
                    hello(&mut Peer::connect(socket), false);
                    slowest = slowest.max(start.elapsed());
                    answered += 2;
                }
                (answered, slowest)
            });
            let held = {
                // Also when the flood fails: somebody waits for it.
                let _done = Done(&flooded);
                flood(socket)
            };
            let asked = neighbour.join().expect("others are answered");
            drop(held);
            asked
        });
        let peak = peak_memory(self.worker.id()).expect("it runs");
        println!("{answered} others were answered, the slowest two in {slowest:?}; peak {} KiB", peak / 1024);
        assert!(slowest < PATIENCE, "others waited {slowest:?}");
        assert!(peak <= max_resident_bytes, "it had {peak} bytes");
        let now = self.settled();
        assert!(now <= self.descriptors, "{now} descriptors, {} before", self.descriptors);
        assert!(!self.worker.has_ended() && !self.worker.log().contains("panicked"), "{}", self.worker.log());
        hello(&mut Peer::connect(&self.socket), false);
    }

    /// Its descriptors, once they are no more than before.
    fn settled(&self) -> usize {
        let count = || descriptors(self.worker.id()).values().sum();
        let wanted = if self.descriptors == 0 { usize::MAX } else { self.descriptors };
        poll_until(SETTLED, || Some(count()).filter(|now| *now <= wanted)).unwrap_or_else(count)
    }
}

/// Says on drop that the flood is over.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[track_caller]
pub(crate) fn hello(peer: &mut Peer, keep: bool) {
    peer.send(&get(1, keep, "/hello"));
    assert!(peer.receive_output(1).expect("an answer").ends_with("Hello, World!"));
}

/// One connection of a flood.
pub(crate) struct Line(UnixStream);

impl Line {
    pub(crate) fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).expect("the worker listens");
        stream.set_write_timeout(Some(STUCK)).expect("a timeout");
        Self(stream)
    }

    /// As many.
    pub(crate) fn connect_all(socket: &Path, number: usize) -> Vec<Self> {
        (0..number).map(|_| Self::connect(socket)).collect()
    }

    /// Sends as long as somebody takes it; says whether that was all.
    pub(crate) fn pour(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match self.0.write(bytes) {
                Ok(taken) => bytes = &bytes[taken..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Nothing was taken for a while, or the worker has closed: both are its right.
                Err(_) => return false,
            }
        }
        true
    }

    /// The same, reading what is answered in between.
    pub(crate) fn pour_and_read(&mut self, bytes: &[u8]) -> bool {
        let all = bytes.chunks(16 * 1024).all(|piece| {
            let poured = self.pour(piece);
            self.read();
            poured
        });
        self.read();
        all
    }

    /// Drops what is there.
    pub(crate) fn read(&mut self) {
        self.0.set_nonblocking(true).expect("our own socket");
        let mut buffer = vec![0; 256 * 1024];
        while let Ok(1..) = self.0.read(&mut buffer) {}
        self.0.set_nonblocking(false).expect("our own socket");
    }

    /// Waits for so many bytes, and drops them.
    pub(crate) fn wait_for(&mut self, bytes: u64) {
        self.0.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let taken = std::io::copy(&mut Read::by_ref(&mut self.0).take(bytes), &mut std::io::sink());
        assert_eq!(taken.expect("more output"), bytes);
    }

    /// Has the worker closed its side? What is still sent to it then, it may drop for a while.
    pub(crate) fn is_refused(&mut self) -> bool {
        self.0.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let ended = std::io::copy(&mut self.0, &mut std::io::sink());
        ended.is_ok() || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
    }
}
