//! What a run leaves: processes, descriptors, memory, and the log.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gateway_tests::process::{Running, descendants, descriptors, poll_until};

use super::clients::{Outcome, Seen};
use super::kinds::{Due, KINDS};

/// How long what was ended may take to be gone: a program that ignores SIGTERM gets SIGKILL after five seconds.
const SETTLE_LIMIT: Duration = Duration::from_secs(90);

/// Waits until nothing of the requests is left, and no more is open than `before`; returns the resident bytes.
///
/// # Panics
/// If a process or a descriptor stays.
#[track_caller]
pub(crate) fn settled(server: &mut Running, before: &BTreeMap<String, usize>) -> u64 {
    let id = server.front().id();
    let mut open = BTreeMap::new();
    let quiet = poll_until(SETTLE_LIMIT, || {
        open = descriptors(id);
        let no_more = open.iter().all(|(kind, now)| before.get(kind).is_some_and(|then| now <= then));
        (no_more && descendants(id).is_empty() && strays(server).is_empty()).then_some(())
    });
    let children: Vec<_> = descendants(id).into_iter().map(about).collect();
    let strays: Vec<_> = strays(server).into_iter().map(about).collect();
    assert!(quiet.is_some(), "children {children:?}, strays {strays:?}, open {open:?} instead of {before:?}");
    assert!(!server.front().has_ended() && !server.logs().contains("panicked"), "{}", server.logs());
    resident(id)
}

/// What the server has open, by kind, once that has stood still for a while.
pub(crate) fn descriptors_at_rest(server: &mut Running) -> BTreeMap<String, usize> {
    const LOOKS: usize = 100;
    let id = server.front().id();
    let (mut last, mut same) = (descriptors(id), 0);
    poll_until(SETTLE_LIMIT, || {
        let now = descriptors(id);
        same = if now == last { same + 1 } else { 0 };
        last = now;
        (same >= LOOKS).then_some(())
    });
    last
}

/// Every process that began as a program of this server or as a child of one, wherever it is now: all have inherited its
/// variables.
fn strays(server: &Running) -> Vec<u32> {
    let mark = format!("SCRIPT_FILENAME={}/", server.place().path().display()).into_bytes();
    let processes = fs::read_dir("/proc").expect("this system has /proc").flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| {
        let variables = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        variables.split(|byte| *byte == 0).any(|variable| variable.starts_with(&mark))
    })
    .collect()
}

fn about(id: u32) -> String {
    let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let state = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let state: String = state.chars().take(40).collect();
    format!("{state} ({})", String::from_utf8_lossy(&line).replace('\0', " "))
}

fn resident(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("the server is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has a size");
    line.trim().strip_suffix(" kB").and_then(|number| number.trim().parse::<u64>().ok()).expect("a number") * 1024
}

/// The most children that were seen at once while `work` went on.
pub(crate) fn most_children<T>(server: &mut Running, work: impl FnOnce(&mut Running) -> T) -> (usize, T) {
    let id = server.front().id();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Ordering::Acquire) {
                most = most.max(children(id));
                // Sampling, not waiting.
                std::thread::sleep(Duration::from_millis(20));
            }
            most
        });
        // The sampler ends even if the work fails.
        let output = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(server)));
        done.store(true, Ordering::Release);
        let most = sampler.join().expect("the sampler");
        (most, output.unwrap_or_else(|failure| std::panic::resume_unwind(failure)))
    })
}

fn children(id: u32) -> usize {
    let threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let of_thread = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("children")).unwrap_or_default();
    threads.map(|thread| of_thread(thread).split_whitespace().count()).sum()
}

/// Checks that the log has one line for each request, one for each failure, and each word that the programs said.
///
/// # Panics
/// If something is missing, there twice, or wrong.
#[track_caller]
pub(crate) fn check_log(log: &str, outcomes: &[Outcome]) {
    let mut accesses: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut said: BTreeMap<&str, usize> = BTreeMap::new();
    for line in log.lines() {
        if let Some((_, rest)) = line.split_once("text=\"said by ") {
            *said.entry(rest.trim_end_matches('"')).or_default() += 1;
        } else if let Some((request, rest)) = line.split_once(" \"").and_then(|(_, rest)| rest.split_once("\" ")) {
            let told = rest.split_once(" request_id=").map_or(rest, |(told, _)| told);
            accesses.entry(request).or_default().push(told);
        }
    }
    let mut wrong = Vec::new();
    for Outcome { task, seen, .. } in outcomes {
        let lines = accesses.remove(&*format!("{} {}", task.method(), task.target())).unwrap_or_default();
        let is_right = |line: &str| match seen {
            Seen::Whole(status) => line.starts_with(&format!("{status} ")) && !line.ends_with(')'),
            Seen::Cut(status) => line.starts_with(&format!("{status} ")) && line.ends_with("(Aborted)"),
            Seen::Left => true,
            Seen::None(_) => false,
        };
        if !matches!(*lines, [line] if is_right(line)) {
            wrong.push(format!("{} {seen:?}: {lines:?}", task.target()));
        }
        let kind = &KINDS[task.kind];
        let times = said.remove(&*format!("/{}", task.number)).unwrap_or_default();
        if times != usize::from(kind.program.contains("say")) {
            wrong.push(format!("{}: it said something once, and {times} lines have it", task.target()));
        }
    }
    for (cause, failures) in causes(outcomes) {
        let lines = log.lines().filter(|line| line.contains("application failed") && line.contains(cause)).count();
        if lines != failures {
            wrong.push(format!("{cause:?}: {failures} programs failed so, and {lines} lines say it"));
        }
    }
    let first: Vec<_> = wrong.iter().take(20).collect();
    assert!(wrong.is_empty(), "{} things in the log are wrong, such as {first:#?}", wrong.len());
}

/// How often each cause of failure must be in the log.
fn causes(outcomes: &[Outcome]) -> BTreeMap<&'static str, usize> {
    let mut causes = BTreeMap::new();
    for outcome in outcomes {
        if let Due::Failed(_, cause) | Due::Cut(cause) = KINDS[outcome.task.kind].due {
            *causes.entry(cause).or_default() += 1;
        }
    }
    causes
}
