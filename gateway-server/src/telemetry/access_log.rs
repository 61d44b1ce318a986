//! The access log: a line for each request, written by a thread of its own.
//!
//! Holds who adds lines, and the thread that writes them. Does not hold how they are put in order (`gathered`), or what is in a line (`line`).
//!
//! Whoever ends a request writes its line into memory that belongs to its thread's number, under a lock that nobody else wants but for the moment
//! in which the writer takes the lines away. The writer wakes with the first line, lets others gather, and writes all of them at once; where
//! nothing happens it sleeps. Lines of one moment may stand out of order, as they do in every server that gathers them by thread.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::format::AccessFormat;
use super::gathered::{Lines, merge};
use super::record::{Known, Record};
use super::shard::{SHARDS, this_shard};

/// A log with a line for each request; clones are the same log.
///
/// Lines reach their file within half a second, at [`AccessLog::flush`], and when the last clone is dropped.
///
/// # Examples
/// ```
/// use gateway_server::serve::Config;
/// use gateway_server::telemetry::{AccessLog, AccessFormat, Telemetry};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("access.log");
/// let log = AccessLog::file(&path, AccessFormat::default())?;
/// let config = Config::default().telemetry(Telemetry::new().access_log(log.clone()));
/// // After the file was renamed by logrotate:
/// log.reopen()?;
/// # drop(config);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct AccessLog {
    inner: Arc<Inner>,
    /// Ends the writer with the last clone.
    writer: Arc<Writer>,
}

#[derive(Debug)]
struct Inner {
    format: AccessFormat,
    /// `None` for standard output.
    path: Option<PathBuf>,
    shards: [Mutex<Shard>; SHARDS],
    /// Somebody has told the writer that there is something to write.
    is_awake: AtomicBool,
    /// A shard is full enough to be written at once.
    is_full: AtomicBool,
    ends: AtomicBool,
    /// Where lines go from the next round on.
    next_file: Mutex<Option<File>>,
    /// Rounds that were wanted, and that are done.
    wanted: AtomicU64,
    done: (Mutex<u64>, Condvar),
    /// Lines that found no room, or could not be written.
    lost: AtomicU64,
}

/// The lines of some threads.
#[derive(Debug, Default)]
struct Shard {
    lines: Lines,
    clock: Clock,
}

/// How long lines gather.
const GATHER: Duration = Duration::from_millis(500);

/// At this size the writer is woken early.
const FULL: usize = 64 << 10;

/// What one shard holds at most, while the disk does not take it: some thousand lines. Further ones are lost, and counted.
const MAX_SHARD_BYTES: usize = 1 << 20;

/// How long whoever stops waits for the writer.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// Ends the thread on drop, when everything is written.
#[derive(Debug)]
struct Writer {
    inner: Arc<Inner>,
    thread: Thread,
}

impl AccessLog {
    /// A log that is appended to a file, which is made if it is not there (mode 0640).
    ///
    /// # Errors
    /// The file cannot be opened, or no thread can be started.
    pub fn file(path: impl AsRef<Path>, format: AccessFormat) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let file = open(&path)?;
        Self::start(Some(path), file, format)
    }

    /// A log on standard output.
    ///
    /// # Errors
    /// No thread can be started, or standard output is closed.
    pub fn stdout(format: AccessFormat) -> io::Result<Self> {
        use std::os::fd::AsFd as _;
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Self::start(None, file, format)
    }

    fn start(path: Option<PathBuf>, file: File, format: AccessFormat) -> io::Result<Self> {
        let inner = Arc::new(Inner {
            format,
            path,
            shards: Default::default(),
            is_awake: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            ends: AtomicBool::new(false),
            next_file: Mutex::new(None),
            wanted: AtomicU64::new(0),
            done: Default::default(),
            lost: AtomicU64::new(0),
        });
        let of_thread = Arc::clone(&inner);
        let thread = std::thread::Builder::new().name("access log".to_owned());
        let thread = thread.spawn(move || of_thread.write_on(file))?.thread().clone();
        let writer = Writer { inner: Arc::clone(&inner), thread };
        Ok(Self { inner, writer: Arc::new(writer) })
    }

    /// Where it goes; `None` for standard output.
    pub fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }

    /// Goes on in the file that its path names now: for a file that was renamed. Lines so far go to the old one. Does nothing on standard output.
    ///
    /// # Errors
    /// The file cannot be opened; the log goes on where it was.
    pub fn reopen(&self) -> io::Result<()> {
        if let Some(path) = &self.inner.path {
            let file = open(path)?;
            *lock(&self.inner.next_file) = Some(file);
            self.flush();
        }
        Ok(())
    }

    /// Waits until all lines so far are written, but not for ever: a pipe that nobody reads must not hold up a stop.
    pub fn flush(&self) {
        let round = self.inner.wanted.fetch_add(1, Ordering::AcqRel) + 1;
        self.writer.thread.unpark();
        self.inner.wait_for(round);
    }

    pub(super) fn format(&self) -> &AccessFormat {
        &self.inner.format
    }

    /// Adds the line of a request.
    pub(super) fn write(&self, record: &Record<'_>, ended: &Known) {
        let length = {
            let Some(shard) = self.inner.shards.get(this_shard()) else { return };
            let Shard { lines, clock } = &mut *lock(shard);
            if lines.bytes.len() >= MAX_SHARD_BYTES {
                self.inner.lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
            self.inner.format.write(&mut lines.bytes, clock, record, ended);
            lines.ends.push((ended.at, lines.bytes.len()));
            lines.bytes.len()
        };
        if length >= FULL && !self.inner.is_full.load(Ordering::Relaxed) {
            self.inner.is_full.store(true, Ordering::Release);
            self.writer.thread.unpark();
        } else if !self.inner.is_awake.load(Ordering::Relaxed) {
            self.inner.is_awake.store(true, Ordering::Relaxed);
            self.writer.thread.unpark();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.inner.ends.store(true, Ordering::Release);
        self.thread.unpark();
        self.inner.wait_for(LAST_ROUND);
    }
}

/// The round after which there is none.
const LAST_ROUND: u64 = u64::MAX;

impl Inner {
    /// The life of the writer.
    fn write_on(&self, mut file: File) {
        let mut taken: [Lines; SHARDS] = Default::default();
        let mut lines = Vec::new();
        loop {
            let ends = self.ends.load(Ordering::Acquire);
            let wanted = self.wanted.load(Ordering::Acquire);
            // Lines that come from here on wake us again.
            self.is_awake.store(false, Ordering::Relaxed);
            let next = lock(&self.next_file).take();
            self.take_all(&mut taken);
            merge(&mut taken, &mut lines);
            self.write_out(&mut file, &lines);
            if let Some(next) = next {
                file = next;
            }
            self.tell_done(if ends { LAST_ROUND } else { wanted });
            if ends {
                return;
            }
            if lines.is_empty() {
                std::thread::park();
            }
            lines.clear();
            self.gather(wanted);
        }
    }

    /// Lets lines gather, unless somebody waits for them or there are many already.
    fn gather(&self, done: u64) {
        let deadline = Instant::now() + GATHER;
        loop {
            let is_asked_for = self.ends.load(Ordering::Acquire) || self.wanted.load(Ordering::Acquire) != done;
            let left = deadline.saturating_duration_since(Instant::now());
            if is_asked_for || self.is_full.swap(false, Ordering::AcqRel) || left.is_zero() {
                return;
            }
            std::thread::park_timeout(left);
        }
    }

    /// Takes the lines, and leaves the memory of those of the last round.
    fn take_all(&self, taken: &mut [Lines; SHARDS]) {
        for (shard, taken) in self.shards.iter().zip(taken) {
            std::mem::swap(&mut lock(shard).lines, taken);
        }
    }

    fn write_out(&self, file: &mut File, lines: &[u8]) {
        if let Err(error) = file.write_all(lines) {
            let lost = lines.iter().filter(|byte| **byte == b'\n').count() as u64;
            tracing::error!(%error, lost, path = self.path.as_ref().map(|path| path.display().to_string()), "access log: lines could not be written");
        }
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::error!(lost, "access log: lines were lost, because they came faster than they could be written");
        }
    }

    fn wait_for(&self, round: u64) {
        let (done, changed) = &self.done;
        // Whether it was in time makes no difference to anybody.
        let _ = changed.wait_timeout_while(lock(done), PATIENCE, |done| *done < round);
    }

    fn tell_done(&self, round: u64) {
        let (done, changed) = &self.done;
        *lock(done) = round;
        changed.notify_all();
    }
}

fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
