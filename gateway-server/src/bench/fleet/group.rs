//! A control group for the processes of one fleet: it counts the CPU time of those that have ended, too.
//!
//! Holds both versions of the kernel's interface. Why not the times of children that were waited for: a CGI program that
//! lives for less than a tick has its whole time booked as user time there, so the split between user and kernel is only
//! right where it is counted for many such programs together, as a group does.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Pid;

use super::proc;
use super::usage::Times;

/// Which version of control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// Who counts the CPU time of processes that have ended.
pub(crate) fn accounting() -> &'static str {
    match usable() {
        Some((Version::One, _)) => "cgroup v1",
        Some((Version::Two, _)) => "cgroup v2",
        None => "rusage",
    }
}

/// Whether a fleet has a group.
pub(super) fn is_usable() -> bool {
    usable().is_some()
}

/// One group, removed on drop.
#[derive(Debug)]
pub(super) struct Group {
    version: Version,
    folder: PathBuf,
}

impl Group {
    /// A new group, if this process may make one.
    pub(super) fn new() -> Option<Group> {
        let (version, parent) = usable()?;
        Group::within(*version, parent).ok()
    }

    fn within(version: Version, parent: &Path) -> io::Result<Group> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("gateway-bench-{}-{number}", std::process::id()));
        fs::create_dir(&folder)?;
        Ok(Group { version, folder })
    }

    /// Takes a process in; what it starts from then on is in, too.
    pub(super) fn add(&self, pid: Pid) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(self.folder.join("cgroup.procs"))?;
        file.write_all(pid.as_raw_pid().to_string().as_bytes())
    }

    /// Who is in it now.
    pub(super) fn members(&self) -> io::Result<Vec<Pid>> {
        let text = self.read("cgroup.procs")?;
        Ok(text.lines().filter_map(proc::process_id).collect())
    }

    /// What its processes have used in all.
    pub(super) fn times(&self) -> io::Result<Times> {
        let times = match self.version {
            Version::One => {
                let file = |name: &str| self.read(&format!("cpuacct.{name}"));
                one(&file("usage")?, &file("usage_user")?, &file("usage_sys")?)
            }
            Version::Two => two(&self.read("cpu.stat")?),
        };
        times.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn read(&self, name: &str) -> io::Result<String> {
        fs::read_to_string(self.folder.join(name))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A process that was killed is in it until the kernel is done with it.
        for _ in 0..200 {
            match fs::remove_dir(&self.folder) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => thread::sleep(Duration::from_millis(1)),
                _ => return,
            }
        }
    }
}

/// Nanoseconds, in a file each. The whole is measured; its parts are what was running at each tick, and say only how it
/// divides: programs that sleep and run in step with the ticks are missed by most of them.
fn one(whole: &str, user: &str, kernel: &str) -> Option<Times> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let (whole, user, kernel) = (number(whole)?, number(user)?, number(kernel)?);
    let share = if user + kernel > 0.0 { user / (user + kernel) } else { 1.0 };
    Some(Times { user: whole * share, kernel: whole * (1.0 - share) })
}

/// Microseconds, a line each; here the kernel has done the same.
fn two(stat: &str) -> Option<Times> {
    let field = |name| stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
    Some(Times { user: field("user_usec ")? * 1e3, kernel: field("system_usec ")? * 1e3 })
}

/// Where groups can be made: tried out once, with a process that does nothing.
fn usable() -> Option<&'static (Version, PathBuf)> {
    static USABLE: OnceLock<Option<(Version, PathBuf)>> = OnceLock::new();
    let look = || {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        [Version::One, Version::Two].into_iter().find_map(|version| {
            let parent = own_folder(version, &mounts, &own)?;
            works(version, &parent).then_some((version, parent))
        })
    };
    USABLE.get_or_init(look).as_ref()
}

fn works(version: Version, parent: &Path) -> bool {
    let Ok(group) = Group::within(version, parent) else { return false };
    // It ends when its input does.
    let Ok(mut cat) = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn() else { return false };
    let added = group.add(Pid::from_child(&cat)).is_ok();
    drop(cat.stdin.take());
    let _ = cat.wait();
    added && group.times().is_ok()
}

/// This process's own group, from `/proc/self/mountinfo` and `/proc/self/cgroup` (proc(5), cgroups(7)).
fn own_folder(version: Version, mounts: &str, own: &str) -> Option<PathBuf> {
    let (root, point) = mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        let (kind, options) = (after.next()?, after.nth(1)?);
        let is_wanted = match version {
            Version::One => kind == "cgroup" && options.split(',').any(|option| option == "cpuacct"),
            Version::Two => kind == "cgroup2",
        };
        let mut before = before.split(' ').skip(3);
        is_wanted.then_some((before.next()?, before.next()?))
    })?;
    let path = own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let is_wanted = match version {
            Version::One => controllers.split(',').any(|controller| controller == "cpuacct"),
            Version::Two => number == "0" && controllers.is_empty(),
        };
        is_wanted.then_some(path)
    })?;
    // In a container the mount may show only the part of the tree below its root.
    let below = path.strip_prefix(root.trim_end_matches('/')).unwrap_or("");
    Some(Path::new(point).join(below.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
33 31 0:30 /box /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
";

    #[test]
    fn the_own_group_is_where_the_mount_shows_it() {
        let own = "2:cpu,cpuacct:/box/a\n1:name=systemd:/x\n0::/user.slice/b\n";
        let folder = |version, own| own_folder(version, MOUNTS, own);
        assert_eq!(folder(Version::One, own), Some("/sys/fs/cgroup/cpu,cpuacct/a".into()));
        assert_eq!(folder(Version::Two, own), Some("/sys/fs/cgroup/unified/user.slice/b".into()));
        assert_eq!(folder(Version::One, "2:cpuacct:/\n"), Some("/sys/fs/cgroup/cpu,cpuacct".into()));
        assert_eq!(folder(Version::Two, "0::/\n"), Some("/sys/fs/cgroup/unified".into()));
        assert_eq!(folder(Version::One, "0::/\n"), None);
        assert_eq!(own_folder(Version::Two, "", own), None);
    }

    #[test]
    fn times_are_nanoseconds_in_both_versions_and_add_up_to_the_whole() {
        assert_eq!(one("1000\n", "30\n", "10\n"), Some(Times { user: 750.0, kernel: 250.0 }));
        assert_eq!(one("1000\n", "0\n", "0\n"), Some(Times { user: 1000.0, kernel: 0.0 }));
        let stat = "usage_usec 30\nuser_usec 10\nsystem_usec 20\nnice_usec 5\n";
        assert_eq!(two(stat), Some(Times { user: 10e3, kernel: 20e3 }));
        assert_eq!((one("1", "x", "1"), two("usage_usec 30\n")), (None, None));
    }

    #[test]
    fn what_counts_is_said_and_a_group_that_counts_sees_its_process() {
        let Some(group) = Group::new() else {
            assert_eq!(accounting(), "rusage");
            return;
        };
        assert!(accounting().starts_with("cgroup v"));
        let mut cat = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        group.add(Pid::from_child(&cat)).unwrap();
        assert_eq!(group.members().unwrap(), [Pid::from_child(&cat)]);
        drop(cat.stdin.take());
        cat.wait().unwrap();
        let folder = group.folder.clone();
        drop(group);
        assert!(!folder.exists());
    }
}
