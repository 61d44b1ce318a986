//! A service manager around it: what it is told, a restart that nobody notices, and giving up root.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::gateway::{Gateway, is_there};

/// A service manager's socket.
pub(crate) struct Manager(UnixDatagram);

impl Manager {
    pub(crate) fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Manager(socket)
    }

    /// The next message, but for those that say that the process is alive.
    pub(crate) fn hears(&self) -> String {
        loop {
            let text = self.any();
            if text != "WATCHDOG=1" {
                return text;
            }
        }
    }

    fn any(&self) -> String {
        let mut bytes = [0; 1000];
        let length = self.0.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }
}

#[test]
fn a_service_manager_hears_of_beginning_reload_and_end_and_that_it_is_alive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = Manager::at(&path);
    let env = [("NOTIFY_SOCKET", path.as_path()), ("WATCHDOG_USEC", Path::new("200000"))];
    let gateway = Gateway::serve_with(folder.path(), &["--mount", "/=app:demo"], &env);
    assert!(manager.hears().starts_with("READY=1\nSTATUS=serving http://127.0.0.1:"));
    while manager.any() != "WATCHDOG=1" {}
    gateway.signal(Signal::HUP);
    assert!(manager.hears().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert!(manager.hears().starts_with("READY=1\n"));
    gateway.signal(Signal::TERM);
    assert!(manager.hears().starts_with("STOPPING=1"));
    assert_eq!(gateway.end().0.code(), Some(0));
}

/// Asks again and again, each time on a connection of its own; how often it was answered.
fn load(address: String, ends: Arc<AtomicBool>) -> std::thread::JoinHandle<usize> {
    std::thread::spawn(move || {
        let mut answered = 0;
        while !ends.load(Ordering::Relaxed) {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 "), "after {answered}: {answer:?}");
            answered += 1;
        }
        answered
    })
}

#[test]
fn a_restart_under_load_fails_no_request_and_the_new_process_is_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = Manager::at(&path);
    let flags = ["--mount", "/=app:demo", "--admin", "unix:admin.sock", "--no-access-log"];
    let gateway = Gateway::serve_with(folder.path(), &flags, &[("NOTIFY_SOCKET", path.as_path())]);
    let ready = manager.hears();
    let address = ready.split("serving http://").nth(1).unwrap().to_owned();
    let ends = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4).map(|_| load(address.clone(), Arc::clone(&ends))).collect();
    let first = gateway.id();
    gateway.signal(Signal::USR2);
    assert_eq!(manager.hears(), ready, "the new process serves the same address");
    let told = manager.hears();
    let second: u32 =
        told.strip_prefix("MAINPID=").and_then(|rest| rest.strip_suffix("\nREADY=1")).unwrap().parse().unwrap();
    assert_ne!(first, second);
    // The old one ends while requests go on.
    let second = Pid::from_raw(i32::try_from(second).unwrap()).unwrap();
    let gone = gateway.end_of_process();
    assert_eq!(gone.code(), Some(0));
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    ends.store(true, Ordering::Relaxed);
    let answered: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
    assert!(answered > 0);
    assert!(folder.path().join("admin.sock").exists(), "the socket file is the new process's");
    kill_process(second, Signal::TERM).unwrap();
    while !manager.hears().starts_with("STOPPING=1") {}
    let number = u32::try_from(second.as_raw_nonzero().get()).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while is_there(number) && !is_zombie(number) && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!folder.path().join("admin.sock").exists(), "and it removes it");
}

/// Whether nobody has collected a process that has ended: its parent has gone, and whoever is in its place may be slow.
fn is_zombie(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[test]
fn a_restart_that_cannot_be_leaves_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("g.toml"), "[[mount]]\nprefix = \"/\"\ntarget = \"app:demo\"\n").unwrap();
    let mut gateway = Gateway::serve(folder.path(), &["--config", "g.toml"]);
    std::fs::write(folder.path().join("g.toml"), "nonsense = 1\n").unwrap();
    gateway.signal(Signal::USR2);
    let line = gateway.wait_for("not restarted: this process goes on");
    assert!(line.contains("ended before it was ready"), "{line}");
    assert_eq!(gateway.get("/").status, 200);
    assert_eq!(gateway.stop().0.code(), Some(0));
}

#[test]
fn root_is_given_up_once_the_sockets_are_bound() {
    let folder = tempfile::tempdir().unwrap();
    // So that the other user may start the program and write the log.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let program = folder.path().join("program");
    std::fs::write(
        &program,
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'; id -u; id -G; grep NoNewPrivs /proc/self/status\n",
    )
    .unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let flags = ["--user", "nobody", "--access-log", "access.log", "--mount", "/p=cgi:program"];
    if !geteuid().is_root() {
        let (status, log) = Gateway::start(folder.path(), &flags).end();
        assert_eq!(status.code(), Some(1));
        assert!(log.last().unwrap().contains("only root becomes another user"), "{log:#?}");
        return;
    }
    let mut gateway = Gateway::serve(folder.path(), &flags);
    let answer = gateway.get("/p");
    let lines: Vec<&str> = answer.body.lines().collect();
    assert_eq!((lines[0], lines[1]), ("65534", "65534"), "{answer:?}");
    assert_eq!(lines[2].split_whitespace().last(), Some("1"), "{answer:?}");
    for task in std::fs::read_dir(format!("/proc/{}/task", gateway.id())).unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        assert_eq!(field("Uid:"), "65534\t65534\t65534\t65534");
        assert_eq!(field("Gid:"), "65534\t65534\t65534\t65534");
        assert_eq!((field("CapEff:").trim_matches('0'), field("CapPrm:").trim_matches('0')), ("", ""), "{status}");
        assert_eq!(field("NoNewPrivs:"), "1");
    }
    // It may still be restarted: the new process has the sockets and is that user already.
    gateway.signal(Signal::USR2);
    let line = gateway.wait_for("restarted: the new process serves");
    let pid = line.split("pid=").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert_eq!(gateway.end_of_process().code(), Some(0));
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
}

#[test]
fn who_serves_as_root_is_told_and_who_is_not_there_is_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    if geteuid().is_root() {
        let (_, log) = Gateway::serve(folder.path(), &["--mount", "/=app:demo"]).stop();
        assert!(log.iter().any(|line| line.contains("serving as root")), "{log:#?}");
    }
    let (status, log) = Gateway::start(folder.path(), &["--mount", "/=app:demo", "--user", "no-such-user"]).end();
    assert_eq!(status.code(), Some(2));
    assert!(log.last().unwrap().contains("--user: \"no-such-user\": there is no user \"no-such-user\""), "{log:#?}");
    let mount = "/=cgi:/bin/true?user=nobody";
    let (_, log) = Gateway::start(folder.path(), &["--mount", mount, "--user", "nobody"]).end();
    assert!(log.last().unwrap().contains("cannot make programs run as anybody else"), "{log:#?}");
}

/// The units of a page in `docs`: names and texts. Each stands behind its path, in the text or in a comment of its own.
fn units(page: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    let page = std::fs::read_to_string(path).unwrap();
    let parts = page.split("/etc/systemd/system/").skip(1);
    let named = parts.filter_map(|part| {
        let length = part.find(|c: char| !(c.is_ascii_alphanumeric() || "-@.".contains(c)))?;
        let (name, rest) = part.split_at(length);
        let rest = rest.strip_prefix("`:\n\n```ini\n").or_else(|| rest.strip_prefix('\n'))?;
        let text = rest.split_once("```").map_or(rest, |(text, _)| text);
        // The next unit of the same block begins behind the comment with its path.
        Some((name.to_owned(), text.trim_end_matches("# ").to_owned()))
    });
    named.collect()
}

/// The pages with units, and how many each has.
const PAGES: [(&str, usize); 3] = [("deploy/systemd.md", 5), ("deploy/README.md", 2), ("workers.md", 2)];

#[test]
fn the_units_of_the_pages_are_read_by_systemd_without_a_word() {
    for (page, count) in PAGES {
        let folder = tempfile::tempdir().unwrap();
        let units = units(page);
        assert_eq!(units.len(), count, "{page}: {units:#?}");
        let paths: Vec<_> = units.iter().map(|(name, _)| folder.path().join(name)).collect();
        for ((_, text), path) in units.iter().zip(&paths) {
            // It looks whether the programs are there.
            let programs = ["/usr/bin/gateway", "/usr/bin/app", "/opt/app/app"];
            let text = programs.iter().fold(text.clone(), |text, one| text.replace(one, env!("CARGO_BIN_EXE_gateway")));
            std::fs::write(path, text).unwrap();
        }
        let mut verify = std::process::Command::new("/usr/bin/systemd-analyze");
        let verify = verify.args(["verify", "--man=no", "--generators=no"]).args(&paths).output().unwrap();
        let said = String::from_utf8_lossy(&verify.stderr);
        let ours: Vec<&str> =
            said.lines().filter(|line| units.iter().any(|(name, _)| line.contains(name.as_str()))).collect();
        assert!(verify.status.success() && ours.is_empty(), "{page}: {said}");
    }
}

#[test]
fn every_flag_in_the_units_is_one_of_ours() {
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_gateway")).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let units = units("deploy/systemd.md");
    let commands =
        units.iter().flat_map(|(_, text)| text.lines()).filter(|line| line.starts_with("ExecStart=/usr/bin/gateway"));
    let flags: Vec<&str> = commands.flat_map(str::split_whitespace).filter(|word| word.starts_with("--")).collect();
    assert!(flags.len() > 4 && flags.iter().all(|flag| help.contains(&format!("{flag} <"))), "{flags:?}");
}
