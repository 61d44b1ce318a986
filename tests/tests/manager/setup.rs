//! A running `gateway workers`, its status page, and a gateway in front of it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use gateway_tests::client::{Request, Response, send};
use gateway_tests::place::Place;
use gateway_tests::process::{Process, Running, poll_until};
use gateway_tests::programs::program;
use serde_json::Value;

/// Longer than anything here takes on a machine that is compiling something.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// `gateway workers` on a unix socket in a folder of its own.
pub(crate) struct Managed {
    pub(crate) process: Process,
    pub(crate) place: Place,
    pub(crate) socket: PathBuf,
    pub(crate) page: SocketAddr,
}

impl Managed {
    /// Over `testbed`, with these flags.
    pub(crate) fn testbed(flags: &[&str]) -> Self {
        let place = Place::new();
        let testbed = place.program(&program("testbed"));
        Self::over(place, flags, &[&testbed.display().to_string()])
    }

    /// Over any command.
    pub(crate) fn over(place: Place, flags: &[&str], command: &[&str]) -> Self {
        let gateway = place.program(&program("gateway"));
        let socket = place.join("s");
        let mut line = Command::new(gateway);
        line.arg("workers").arg("--listen").arg(format!("unix:{}", socket.display()));
        line.args(["--status", "127.0.0.1:0", "--look-interval", "50ms", "--ready-after", "100ms"]);
        line.args(flags).arg("--").args(command);
        let mut process = Process::start(&place, "workers", &mut line);
        // The socket is there by then. To connect to it would begin a worker where they are begun on demand.
        let page = process.address("status page");
        Self { process, place, socket, page }
    }

    /// A gateway whose `/app` these workers answer, with these options of the mount.
    pub(crate) fn front(&self, options: &str) -> Running {
        let gateway = self.place.program(&program("gateway"));
        let mount = format!("/app=fastcgi:unix:{}?{options}", self.socket.display());
        Running::listen(Place::new(), "front", Vec::new(), |_, port| {
            let mut command = Command::new(&gateway);
            command.args(["serve", "--log", "warn", "--listen", &format!("127.0.0.1:{port}"), "--mount", &mount]);
            command
        })
    }

    pub(crate) fn ask_page(&self, target: &str) -> Response {
        let answer = poll_until(PATIENCE, || send(self.page, &Request::get(target)).ok());
        answer.unwrap_or_else(|| panic!("no status page\n{}", self.process.log()))
    }

    /// The status of the one pool.
    pub(crate) fn status(&self) -> Value {
        let answer: Value = serde_json::from_str(&self.ask_page("/status?json").text()).expect("JSON");
        answer["pools"][0].clone()
    }

    /// A figure of the status.
    pub(crate) fn figure(&self, name: &str) -> u64 {
        self.status()[name].as_u64().unwrap_or_else(|| panic!("no {name} in {}", self.status()))
    }

    /// Waits until the status is like this.
    pub(crate) fn wait(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let reached = poll_until(PATIENCE, || Some(self.status()).filter(|status| is(status)));
        reached.unwrap_or_else(|| panic!("never {what}: {}\n{}", self.status(), self.process.log()))
    }

    /// Waits until the log has this.
    pub(crate) fn wait_for_log(&self, text: &str) -> String {
        let found = poll_until(PATIENCE, || Some(self.process.log()).filter(|log| log.contains(text)));
        found.unwrap_or_else(|| panic!("no {text:?} in the log:\n{}", self.process.log()))
    }
}

/// The ids of the processes in a status.
pub(crate) fn pids(status: &Value) -> Vec<u64> {
    status["processes"].as_array().unwrap().iter().map(|one| one["pid"].as_u64().unwrap()).collect()
}
