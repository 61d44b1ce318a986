//! The manager as its user sees it: real processes, killed, crashing, stubborn, and gone at the end.
#![cfg(feature = "manager")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gateway_fastcgi::manager::{Config, ReloadError, SpawnError, Status, Workers};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

/// Limits a test that would otherwise wait for ever.
const LONG: Duration = Duration::from_secs(30);

/// A shell script as a worker, its socket in a directory that can be looked into.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn config(&self) -> Config {
        Config::default().socket_directory(self.directory.path())
    }

    fn workers(&self, script: &str, count: usize, config: Config) -> Workers {
        Workers::spawn("/bin/sh", ["-c", script], count, config).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn sockets(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect()
    }
}

async fn wait(workers: &Workers, condition: impl FnMut(&Status) -> bool) -> Status {
    tokio::time::timeout(LONG, workers.wait_until(condition)).await.expect("the workers never got there");
    workers.status()
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

#[track_caller]
fn assert_gone(number: u32) {
    // A zombie would still take a signal.
    assert!(test_kill_process(pid(number)).is_err(), "process {number} is still there");
}

/// Waits for a file that a worker writes, and reads it.
async fn contents(path: &Path) -> String {
    let poll = async {
        loop {
            match std::fs::read_to_string(path) {
                Ok(text) if text.ends_with('\n') => return text,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(LONG, poll).await.expect("the worker never wrote its file")
}

#[tokio::test]
async fn fcgi_123_a_killed_worker_is_replaced_and_the_others_are_left_alone() {
    let place = Place::new();
    let workers = place.workers("exec sleep 1000", 3, place.config().stable_after(Duration::ZERO));
    let before = workers.status().pids();
    kill_process(pid(before[1]), Signal::KILL).unwrap();
    let after = wait(&workers, |status| status.workers.len() == 3 && status.starts == 4).await;
    assert_eq!(after.pids()[..2], [before[0], before[2]]);
    assert_eq!(after.last_exit.unwrap().to_string(), "signal: 9 (SIGKILL)");
    assert_gone(before[1]);
}

#[tokio::test]
async fn fcgi_123_a_crash_loop_is_throttled() {
    let place = Place::new();
    let config = place.config().min_restart_delay(Duration::from_millis(1)).max_restart_delay(Duration::from_millis(8));
    let workers = place.workers("exit 3", 1, config);
    let mut delays = Vec::new();
    for start in 1..=6 {
        let status = wait(&workers, |status| status.starts >= start && status.held_back.is_some()).await;
        delays.extend(status.held_back.map(|delay| delay.as_millis()));
        assert_eq!(status.last_exit.unwrap().code(), Some(3));
    }
    assert!(delays.is_sorted() && delays.last() == Some(&8), "{delays:?}");
}

#[tokio::test]
async fn an_emergency_holds_back_further_starts() {
    let place = Place::new();
    // Ready at once, so none of them is a start that failed.
    let config = place.config().stable_after(Duration::ZERO).emergency(3, LONG).max_restart_delay(LONG);
    let workers = place.workers("exit 3", 1, config);
    let status = wait(&workers, |status| status.emergency).await;
    assert_eq!((status.crashes, status.starts, status.held_back), (3, 3, Some(LONG)));
}

#[tokio::test]
async fn a_program_that_ends_before_it_is_ready_fails_a_reload_and_a_better_one_completes_the_next() {
    let place = Place::new();
    let workers = place.workers("exec sleep 1000", 2, place.config().stable_after(Duration::from_millis(50)));
    let before = wait(&workers, |status| status.serving() == 2).await.pids();
    let handle = workers.handle();
    let failed = handle.reload_with("/bin/sh", ["-c", "exit 7"], 2, place.config()).await;
    assert_eq!(failed, Err(ReloadError::Died { exit: "exit status: 7".into() }));
    assert_eq!(workers.status().pids(), before);
    let config = place.config().stable_after(Duration::from_millis(50));
    handle.reload_with("/bin/sh", ["-c", "exec sleep 1000"], 3, config).await.unwrap();
    let after = wait(&workers, |status| status.workers.len() == 3).await;
    assert!(after.pids().iter().all(|pid| !before.contains(pid)) && after.reloads == 1, "{after:?}");
}

#[tokio::test]
async fn fcgi_2_3_workers_get_the_listening_socket_as_descriptor_0_and_share_it() {
    let place = Place::new();
    // Perl accepts on descriptor 0 and answers with its process id.
    let script = r#"exec perl -MSocket -e 'while (accept(my $c, STDIN)) { syswrite($c, "$$\n"); close $c }'"#;
    let workers = place.workers(script, 2, place.config());
    let pids = workers.status().pids();
    for _ in 0..10 {
        let mut connection = UnixStream::connect(workers.address().unix_path().unwrap()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(pids.contains(&answer.trim().parse().unwrap()));
    }
}

#[tokio::test]
async fn fcgi_123_a_connection_waits_while_no_worker_runs() {
    let place = Place::new();
    // The first process ends at once; the next one answers.
    let script = format!(
        r#"if [ ! -e {0} ]; then touch {0}; exit 1; fi
           exec perl -MSocket -e 'accept(my $c, STDIN); syswrite($c, "hello"); close $c; sleep 1000'"#,
        place.file("once").display()
    );
    let workers = place.workers(&script, 1, place.config());
    wait(&workers, |status| status.last_exit.is_some()).await;
    let mut connection = UnixStream::connect(workers.address().unix_path().unwrap()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(LONG, connection.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, "hello");
}

#[tokio::test]
async fn fcgi_123_133_the_socket_is_private() {
    let place = Place::new();
    let workers = place.workers("exec sleep 1000", 1, place.config());
    let socket = workers.address().unix_path().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(socket), mode(socket.parent().unwrap())), (0o600, 0o700));
}

#[tokio::test]
async fn fcgi_10_stopping_lets_a_worker_finish() {
    let place = Place::new();
    let file = place.file("finished");
    let script = format!(
        "trap 'echo done > {}; exit 0' TERM; echo ready > {}; while :; do sleep 0.01; done",
        file.display(),
        place.file("ready").display()
    );
    let workers = place.workers(&script, 1, place.config());
    contents(&place.file("ready")).await;
    let pid = workers.status().pids()[0];
    tokio::time::timeout(LONG, workers.stop()).await.unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap(), "done\n");
    assert_gone(pid);
    assert!(place.sockets().is_empty());
}

#[tokio::test]
async fn fcgi_10_a_worker_that_ignores_sigterm_is_killed_with_its_children() {
    let place = Place::new();
    let file = place.file("child");
    let script = format!("trap '' TERM; sleep 1000 & echo $! > {}; wait; sleep 1000", file.display());
    let workers = place.workers(&script, 1, place.config().stop_timeout(Duration::from_millis(50)));
    let child = contents(&file).await.trim().parse().unwrap();
    let pid = workers.status().pids()[0];
    tokio::time::timeout(LONG, workers.stop()).await.unwrap();
    assert_gone(pid);
    assert_dying(child).await;
    assert!(place.sockets().is_empty());
}

#[tokio::test]
async fn dropping_the_manager_leaves_no_process_and_no_file() {
    let place = Place::new();
    let workers = place.workers("trap '' TERM; while :; do sleep 1000; done", 4, place.config());
    let pids = workers.status().pids();
    drop(workers);
    for pid in pids {
        assert_gone(pid);
    }
    // The tasks hold the socket until the runtime has dropped them.
    let removed = async {
        while !place.sockets().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, removed).await.expect("the socket is still there");
}

#[tokio::test]
async fn a_process_group_dies_with_its_worker() {
    let place = Place::new();
    let file = place.file("child");
    let script = format!("sleep 1000 & echo $! > {}; exec sleep 1000", file.display());
    let workers = place.workers(&script, 1, place.config());
    let child = contents(&file).await.trim().parse().unwrap();
    let first = workers.status().pids()[0];
    kill_process(pid(first), Signal::TERM).unwrap();
    wait(&workers, |status| status.starts == 2).await;
    assert_dying(child).await;
}

/// A grandchild is reaped by init, not by us, so it may be a zombie for a moment: then it has no memory and no files.
async fn assert_dying(number: u32) {
    let gone = async {
        loop {
            let state = std::fs::read_to_string(format!("/proc/{number}/stat"));
            match state.as_deref().map(|stat| stat.rsplit(')').next().unwrap().trim_start().chars().next()) {
                Err(_) | Ok(Some('Z' | 'X')) => return,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(LONG, gone).await.expect("the grandchild lives on");
}

#[tokio::test]
async fn cgi_176_workers_see_an_allow_list_of_our_environment_and_what_was_set() {
    let place = Place::new();
    let file = place.file("environment");
    let config = place.config().variable("GREETING", "hello");
    // Not what shells set by themselves.
    let listed = ["PATH", "TZ", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "FCGI_WEB_SERVER_ADDRS"];
    let listed = [&listed[..], &["PWD", "OLDPWD", "SHLVL", "_"]].concat();
    let unlisted: Vec<_> = std::env::vars().map(|(name, _)| name).filter(|name| !listed.contains(&&**name)).collect();
    assert!(!unlisted.is_empty());
    let _workers = place.workers(&format!("env > {0}.new; mv {0}.new {0}; exec sleep 1000", file.display()), 1, config);
    let seen = contents(&file).await;
    assert!(seen.contains("GREETING=hello\n") && seen.contains("PATH="));
    for name in unlisted {
        assert!(!seen.lines().any(|line| line.starts_with(&format!("{name}="))), "{name} in {seen}");
    }
}

#[tokio::test]
async fn fcgi_8_workers_start_where_and_with_what_the_operator_says() {
    use gateway_cgi::host::{Confinement, Resource};
    let place = Place::new();
    // Whoever the worker is.
    std::fs::set_permissions(place.directory.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let file = place.file("seen");
    let script = format!("(pwd; umask; ulimit -n; id -u) > {0}.new; mv {0}.new {0}; exec sleep 1000", file.display());
    let mut confinement = Confinement::new().umask(0o027).limit(Resource::Files, 99);
    let me = rustix::process::geteuid();
    let mut user = me.as_raw().to_string();
    if me.is_root() {
        (confinement, user) = (confinement.user("65534").unwrap(), "65534".to_owned());
    }
    let config = place.config().working_directory("/usr").confinement(confinement);
    let _workers = place.workers(&script, 1, config);
    assert_eq!(contents(&file).await, format!("/usr\n0027\n99\n{user}\n"));
}

#[tokio::test]
async fn fcgi_1_argv_0_is_the_last_component_of_the_program() {
    let place = Place::new();
    let file = place.file("name");
    let _workers = place.workers(
        &format!("tr '\\0' '\\n' < /proc/$$/cmdline > {0}.new; mv {0}.new {0}; exec sleep 1000", file.display()),
        1,
        place.config(),
    );
    assert!(contents(&file).await.starts_with("sh\n-c\n"));
}

#[tokio::test]
async fn cgi_177_workers_have_none_of_our_descriptors_but_the_socket() {
    let place = Place::new();
    let secret = place.file("secret");
    let _open_here = std::fs::File::create(&secret).unwrap();
    let file = place.file("descriptors");
    let script = format!("seen=$(ls -l /proc/$$/fd); echo \"$seen\" > {0}; exec sleep 1000", file.display());
    let _workers = place.workers(&script, 1, place.config());
    let seen = contents(&file).await;
    assert!(
        seen.contains(" 0 -> socket:") && seen.contains(" 1 -> /dev/null") && seen.contains(" 2 -> pipe:"),
        "{seen}"
    );
    // The other is the control channel.
    assert!(seen.contains(" 3 -> socket:"), "{seen}");
    assert_eq!(seen.matches("socket:").count(), 2, "{seen}");
    assert!(!seen.contains("secret") && !seen.contains("anon_inode"), "{seen}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_error_at_once() {
    let place = Place::new();
    let nothing: [&str; 0] = [];
    let error = Workers::spawn("/nonexistent/worker", nothing, 2, place.config()).unwrap_err();
    assert!(matches!(error, SpawnError::Program { .. }));
    assert_eq!(error.to_string(), "worker \"/nonexistent/worker\" could not be started");
    assert!(place.sockets().is_empty());
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_an_error_at_once() {
    let nothing: [&str; 0] = [];
    let error = Workers::spawn("/bin/sh", nothing, 1, Config::default().socket_directory("/nonexistent")).unwrap_err();
    assert!(matches!(error, SpawnError::Socket(_)));
}

#[tokio::test]
async fn cgi_178_a_worker_that_floods_its_standard_error_is_neither_blocked_nor_missed() {
    let place = Place::new();
    let file = place.file("written");
    let script = format!("head -c 1000000 /dev/zero | tr '\\0' 'x' >&2; echo ok > {}; exit 5", file.display());
    let workers = place.workers(&script, 1, place.config());
    assert_eq!(contents(&file).await, "ok\n");
    let status = wait(&workers, |status| status.last_exit.is_some()).await;
    assert_eq!(status.last_exit.unwrap().code(), Some(5));
}

#[tokio::test]
async fn fcgi_2_workers_get_three_descriptors_without_a_control_channel_and_nothing_that_was_inherited() {
    // What a process inherits is not marked to end at exec; a duplicate is not either.
    let inherited = rustix::io::dup(std::fs::File::open("/dev/null").unwrap()).unwrap();
    let place = Place::new();
    let list = place.file("list");
    // The fourth is the listing itself; the names come in any order.
    let script = format!("ls /proc/self/fd | sort >{0}.new; mv {0}.new {0}; exec sleep 1000", list.display());
    let workers = place.workers(&script, 1, place.config().control(false));
    assert_eq!(contents(&list).await, "0\n1\n2\n3\n");
    workers.stop().await;
    drop(inherited);
}
