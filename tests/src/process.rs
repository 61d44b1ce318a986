//! Guards for the processes a test starts: each is ended by its id, with its group, and reaped.
//!
//! Holds starting, waiting until it answers, logs, memory, descriptors and children as `/proc` tells them. Does not hold
//! what any particular server needs; that is in [`crate::servers`].

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use crate::place::{Place, free_port};

/// How long a server may take until it answers; generous, because the machine may be compiling something.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a server may take to end after TERM, before its group is killed.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// The user a test started by root runs its servers as (nobody): as root some would refuse to start, others change user.
const UNPRIVILEGED: u32 = 65534;

/// One process in a group of its own, with its output in a file; ended on drop.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with both outputs appended to `NAME.log` in `place`.
    pub fn start(place: &Place, name: &str, command: &mut Command) -> Self {
        let log = place.join(&format!("{name}.log"));
        let out = File::options().append(true).create(true).open(&log).expect("a log in our own folder");
        let err = out.try_clone().expect("a descriptor");
        if rustix::process::geteuid().is_root() {
            command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
        }
        // Whatever it keeps on disk for a while must be seen when it is left behind.
        command.env("TMPDIR", place.path());
        command.process_group(0).stdin(Stdio::null()).stdout(out).stderr(err).current_dir(place.path());
        // A test beside this one may have forked while the program was being copied: its child holds the copy open for
        // writing until it has become another program.
        let child = poll_until(STOP_LIMIT, || match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => None,
            result => Some(result),
        });
        let child = child.unwrap_or_else(|| Err(io::ErrorKind::ExecutableFileBusy.into()));
        let child = child.unwrap_or_else(|e| panic!("cannot start {name} ({command:?}): {e}"));
        Self { name: name.to_owned(), child, log }
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to both outputs so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Where it listens, once its log tells so in a line with `message`. This way a server may take any port that is free.
    ///
    /// # Panics
    /// If it ends before, or is silent for too long.
    pub fn address(&mut self, message: &str) -> SocketAddr {
        let said = |log: String| {
            let line = log.split_inclusive('\n').find(|line| line.contains(message) && line.ends_with('\n'))?;
            line.trim_end().rsplit_once(" address=tcp:")?.1.parse().ok()
        };
        let address =
            poll_until(START_LIMIT, || said(self.log()).map(Some).or_else(|| self.has_ended().then_some(None)));
        address.flatten().unwrap_or_else(|| panic!("{} does not say {message:?}:\n{}", self.name, self.tail()))
    }

    /// Sends it a signal, unless it has ended: then its id may be somebody else's.
    pub fn signal(&mut self, signal: Signal) {
        if !self.has_ended() {
            let _ = rustix::process::kill_process(self.pid(), signal);
        }
    }

    /// True once it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)) | Err(_))
    }

    /// Waits for it to end after the test asked it to; the exit status, or `None` if it is still there after `limit`.
    pub fn wait_ended(&mut self, limit: Duration) -> Option<std::process::ExitStatus> {
        poll_until(limit, || self.child.try_wait().ok().flatten())
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("---- last lines of {}:\n{}\n----", self.name, self.tail());
        }
        if let Ok(None) = self.child.try_wait() {
            self.signal(Signal::TERM);
            // Seen, but not reaped: while the leader is a zombie the group's id cannot be given to anybody else.
            let wait = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
            poll_until(STOP_LIMIT, || rustix::process::waitid(WaitId::Pid(self.pid()), wait).ok().flatten());
            let _ = rustix::process::kill_process_group(self.pid(), Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// A running server: where it answers, its processes, and its folder.
#[derive(Debug)]
pub struct Running {
    /// Where its HTTP listener is.
    pub address: SocketAddr,
    // Dropped in this order: the server in front first, then what stands behind it, then their folder.
    processes: Vec<Process>,
    place: Place,
}

impl Running {
    /// Starts an HTTP server on a free loopback port. `command` gets the port and returns what to run; it is asked
    /// again with another port when the process ends before it answers.
    pub fn listen(place: Place, name: &str, behind: Vec<Process>, command: impl Fn(&Place, u16) -> Command) -> Self {
        for _ in 0..3 {
            let port = free_port();
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let mut process = Process::start(&place, name, &mut command(&place, port));
            if wait_answering(&mut process, || TcpStream::connect(address).map(drop)) {
                let mut processes = vec![process];
                processes.extend(behind);
                return Self { address, processes, place };
            }
            println!("{name} did not start on port {port}:\n{}", process.tail());
        }
        let logs: String = other_logs(&place);
        panic!("{name} does not start\n{logs}");
    }

    /// The server in front.
    pub fn front(&mut self) -> &mut Process {
        &mut self.processes[0]
    }

    /// Ids of every process started for this server, with all their descendants.
    pub fn all_ids(&self) -> Vec<u32> {
        self.processes.iter().flat_map(|p| std::iter::once(p.id()).chain(descendants(p.id()))).collect()
    }

    /// Its folder.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What all its processes wrote to their outputs and error logs.
    pub fn logs(&self) -> String {
        other_logs(&self.place)
    }

    /// Ends everything and returns the folder, so that a test can look for what was left.
    pub fn stop(self) -> Place {
        let Self { processes, place, .. } = self;
        drop(processes);
        place
    }
}

/// Starts a worker that listens on a Unix socket at `socket` and waits until it accepts.
pub fn start_unix(place: &Place, name: &str, socket: &Path, command: &mut Command) -> Process {
    let mut process = Process::start(place, name, command);
    let ready = wait_answering(&mut process, || UnixStream::connect(socket).map(drop));
    assert!(ready, "{name} does not listen on {}:\n{}", socket.display(), process.tail());
    process
}

/// Starts a worker that listens on a TCP port and waits until it accepts.
pub fn start_tcp(place: &Place, name: &str, command: impl Fn(u16) -> Command) -> (Process, SocketAddr) {
    for _ in 0..3 {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut process = Process::start(place, name, &mut command(address.port()));
        if wait_answering(&mut process, || TcpStream::connect(address).map(drop)) {
            return (process, address);
        }
        println!("{name} did not start on {address}:\n{}", process.tail());
    }
    panic!("{name} does not start");
}

/// Asks `ready` again and again until it gives a value or `limit` has passed.
pub fn poll_until<T>(limit: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = ready() {
            return Some(value);
        }
        if Instant::now() > end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn wait_answering(process: &mut Process, connect: impl Fn() -> io::Result<()>) -> bool {
    poll_until(START_LIMIT, || match connect() {
        // A stranger may answer on this port: ours must still be there.
        Ok(()) => Some(!process.has_ended()),
        Err(_) => process.has_ended().then_some(false),
    })
    .unwrap_or(false)
}

fn other_logs(place: &Place) -> String {
    let Ok(entries) = fs::read_dir(place.path()) else { return String::new() };
    let mut text = String::new();
    for path in entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "log")) {
        let log = fs::read(&path).unwrap_or_default();
        text.push_str(&format!("==> {}\n{}\n", path.display(), String::from_utf8_lossy(&log)));
    }
    text
}

/// The largest resident size a process ever had, in bytes (`VmHWM`).
pub fn peak_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// How many descriptors a process has open, by what they are: `socket`, `pipe`, `anon_inode` or a path.
pub fn descriptors(pid: u32) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
        // A descriptor closed meanwhile has no target any more and does not count.
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        let target = target.to_string_lossy().into_owned();
        let kind = target.split_once(":[").map_or(target.clone(), |(kind, _)| kind.to_owned());
        *kinds.entry(kind).or_insert(0) += 1;
    }
    kinds
}

/// Every living or unreaped descendant of a process.
pub fn descendants(pid: u32) -> Vec<u32> {
    let parents = parents();
    let mut found = Vec::new();
    let mut look = vec![pid];
    while let Some(parent) = look.pop() {
        for (&child, _) in parents.iter().filter(|&(_, &p)| p == parent) {
            found.push(child);
            look.push(child);
        }
    }
    found
}

/// Checks that no program below `folder` runs any more. One that was just killed may need a moment to be gone.
///
/// # Panics
/// If one is still there after some seconds.
#[track_caller]
pub fn assert_none_left(folder: &Path) {
    let gone = poll_until(STOP_LIMIT, || running_below(folder).is_empty().then_some(()));
    assert!(gone.is_some(), "left running: {:?}", running_below(folder));
}

/// Every process whose executable lies below `folder`.
pub fn running_below(folder: &Path) -> Vec<u32> {
    let mut found: Vec<u32> = numbers_in_proc()
        .filter(|pid| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.starts_with(folder)))
        .collect();
    found.sort_unstable();
    found
}

fn parents() -> BTreeMap<u32, u32> {
    numbers_in_proc().filter_map(|pid| Some((pid, parent(pid)?))).collect()
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, also a closing parenthesis.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

fn numbers_in_proc() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("this system has /proc");
    entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok())
}
