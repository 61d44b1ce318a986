//! What the kernel says about one process: its parent, its CPU clock, its memory.
//!
//! Holds the texts of `/proc` (proc(5)) and the process's clock. A process that is gone is `None`, not an error: the ones
//! that are looked at come and go.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use nix::time::{clock_getcpuclockid, clock_gettime};
use rustix::process::Pid;

/// What is of use in `/proc/PID/stat`. Times are in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    /// The parent's id; 0 for the first process.
    pub(super) parent: i32,
    /// Since boot: with the id it names a process for good.
    pub(super) started: u64,
    pub(super) user: u64,
    pub(super) kernel: u64,
    /// Of children that have ended and were waited for, and of theirs.
    pub(super) reaped: u64,
}

impl Stat {
    pub(super) fn of(pid: Pid) -> Option<Stat> {
        Stat::parse(&read(pid, "stat")?)
    }

    fn parse(text: &str) -> Option<Stat> {
        // The name in parentheses may hold anything, a closing parenthesis too.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // `number` is the one in proc(5); the state, the first after the name, is the third there.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Stat {
            parent: i32::try_from(field(4)?).ok()?,
            started: field(22)?,
            user: field(14)?,
            kernel: field(15)?,
            reaped: field(16)? + field(17)?,
        })
    }

    /// Which part of its time was spent in user mode.
    pub(super) fn user_share(&self) -> f64 {
        match self.user + self.kernel {
            0 => 1.0,
            all => self.user as f64 / all as f64,
        }
    }
}

/// Nanoseconds in a tick: Linux shows a hundred in each second (USER_HZ) on every architecture that Rust runs on.
pub(super) const TICK: f64 = 1e7;

/// The CPU time of all threads of a process, in nanoseconds; those that have ended count.
pub(super) fn cpu_time(pid: Pid) -> Option<f64> {
    let clock = clock_getcpuclockid(nix::unistd::Pid::from_raw(pid.as_raw_pid())).ok()?;
    let time = clock_gettime(clock).ok()?;
    Some(time.tv_sec() as f64 * 1e9 + time.tv_nsec() as f64)
}

/// Proportional set size, in bytes.
pub(super) fn memory(pid: Pid) -> Option<f64> {
    proportional_bytes(&read(pid, "smaps_rollup")?)
}

fn proportional_bytes(rollup: &str) -> Option<f64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u32 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(f64::from(kibibytes) * 1024.0)
}

/// The file that the process runs; gone for one that has ended and was not waited for.
pub(super) fn executable(pid: Pid) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{}/exe", pid.as_raw_pid())).ok()
}

fn read(pid: Pid, name: &str) -> Option<String> {
    // The name of a process in `stat` need not be UTF-8.
    let bytes = fs::read(format!("/proc/{}/{name}", pid.as_raw_pid())).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// These processes and all their descendants.
pub(super) fn families(roots: &[Pid]) -> io::Result<Vec<Pid>> {
    let mut parents = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(process_id) else { continue };
        let parent = Stat::of(pid).and_then(|stat| Pid::from_raw(stat.parent));
        parents.extend(parent.map(|parent| (pid, parent)));
    }
    Ok(descended(roots, &parents))
}

/// Reads a process id.
pub(super) fn process_id(text: &str) -> Option<Pid> {
    text.parse().ok().filter(|&number| number > 0).and_then(Pid::from_raw)
}

fn descended(roots: &[Pid], parents: &HashMap<Pid, Pid>) -> Vec<Pid> {
    let mut found = roots.to_vec();
    let mut looked_at = 0;
    while let Some(&parent) = found.get(looked_at) {
        looked_at += 1;
        let children = parents.iter().filter(|&(child, of)| *of == parent && !found.contains(child));
        let children: Vec<Pid> = children.map(|(&child, _)| child).collect();
        found.extend(children);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// proc(5): 52 fields, the name in parentheses.
    fn stat(name: &str) -> String {
        format!(
            "42 ({name}) S 7 42 42 0 -1 4194560 100 200 0 0 11 12 13 14 20 0 3 0 555 1000000 300 18446744073709551615"
        )
    }

    #[test]
    fn fields_are_counted_from_behind_the_name_whatever_it_holds() {
        let expected = Stat { parent: 7, started: 555, user: 11, kernel: 12, reaped: 27 };
        for name in ["app", "a b", ") S 1 2", "((", ""] {
            assert_eq!(Stat::parse(&stat(name)), Some(expected), "{name}");
        }
    }

    #[test]
    fn a_text_that_is_cut_is_no_stat() {
        let text = stat("app");
        let last = text.find("555").unwrap();
        for end in 0..=last {
            assert_eq!(Stat::parse(&text[..end]), None, "{}", &text[..end]);
        }
    }

    #[test]
    fn a_process_without_a_whole_tick_was_in_user_mode() {
        let none = Stat { parent: 1, started: 0, user: 0, kernel: 0, reaped: 0 };
        assert!((none.user_share() - 1.0).abs() < 1e-9);
        assert!((Stat { user: 1, kernel: 3, ..none }.user_share() - 0.25).abs() < 1e-9);
    }

    #[test]
    fn memory_is_the_proportional_set_size_and_none_of_its_parts() {
        let rollup =
            "55-7f ---p 0 00:00 0 [rollup]\nRss:  1768 kB\nPss_Dirty:  9 kB\nPss:      422 kB\nPss_Anon: 1 kB\n";
        assert_eq!(proportional_bytes(rollup), Some(422.0 * 1024.0));
        assert_eq!(proportional_bytes("Rss: 1 kB\n"), None);
    }

    #[test]
    fn descendants_are_found_through_all_generations_and_strangers_are_not() {
        let pid = |number| Pid::from_raw(number).unwrap();
        let parents = [(2, 1), (3, 2), (4, 3), (5, 1), (6, 5)].map(|(child, parent)| (pid(child), pid(parent)));
        let mut found = descended(&[pid(2), pid(6)], &HashMap::from(parents));
        found.sort_unstable_by_key(|pid| pid.as_raw_pid());
        assert_eq!(found, [pid(2), pid(3), pid(4), pid(6)]);
    }

    #[test]
    fn this_process_has_a_parent_a_clock_a_size_and_a_file() {
        let this = rustix::process::getpid();
        assert_eq!(Stat::of(this).unwrap().parent, rustix::process::getppid().unwrap().as_raw_pid());
        assert!(cpu_time(this).unwrap() > 0.0);
        assert!(memory(this).unwrap() > 4096.0);
        assert_eq!(executable(this).unwrap(), std::env::current_exe().unwrap());
        assert!(families(&[this]).unwrap().contains(&this));
    }
}
