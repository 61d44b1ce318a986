//! Clients that people use, against `gateway serve`: over HTTP/1.1, over TLS, and over HTTP/2 where the client speaks it.
//!
//! curl, h2load, wrk, ab, headless Chromium, and git with git-http-backend; wrk and ab have no HTTP/2. Each runs as short as it can while it shows that
//! every request was answered, and over which protocol.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gateway_tests::place::{Place, free_port};
use gateway_tests::process::{Process, Running};
use gateway_tests::programs::program;
use gateway_tests::servers::ours::testbed_worker_unix;

/// How long one client may take; generous, because the machine may be compiling something.
const LIMIT: Duration = Duration::from_secs(120);

/// A page that fetches from its own server and tells what came, over which protocol it came itself, and when it is done.
const PAGE: &str = "<!doctype html><title>page</title><body><script>
fetch('/hello').then(answer => answer.text()).then(text => {
  const way = performance.getEntriesByType('navigation')[0].nextHopProtocol;
  document.body.append(`${text} over ${way}.`);
});
</script>";

/// A gateway with and without TLS in front of a worker, a static folder, and a git repository.
struct Site {
    running: Running,
    tls: SocketAddr,
}

impl Site {
    fn start() -> Self {
        let place = Place::new();
        let (worker, socket) = testbed_worker_unix(&place);
        let gateway = place.program(&program("gateway"));
        run(
            &place,
            "openssl",
            &[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "30",
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-keyout",
                "site.key",
                "-out",
                "site.pem",
            ],
        );
        let files = place.folder("public");
        std::fs::write(files.join("page.html"), PAGE).unwrap();
        std::fs::write(files.join("large.txt"), "0123456789abcdef".repeat(1 << 16)).unwrap();
        repository(&place);

        let tls = Cell::new(0);
        let running = Running::listen(place, "gateway", vec![worker], |place, port| {
            tls.set(free_port());
            let mut command = Command::new(&gateway);
            command.args(["serve", "--listen", &format!("127.0.0.1:{port}?http2=true")]);
            command.args(["--tls-listen", &format!("127.0.0.1:{}", tls.get())]);
            command.arg("--tls-cert").arg(place.join("site.pem")).arg("--tls-key").arg(place.join("site.key"));
            command.arg("--mount").arg(format!("/=fastcgi:unix:{}", socket.display()));
            command.arg("--mount").arg(format!("/files=static:{}", files.display()));
            command.arg("--mount").arg(format!(
                "/git=cgi:/usr/lib/git-core/git-http-backend?env.GIT_PROJECT_ROOT={}&env.GIT_HTTP_EXPORT_ALL=1",
                place.path().display()
            ));
            command
        });
        Self { running, tls: SocketAddr::from(([127, 0, 0, 1], tls.get())) }
    }

    fn http(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.address)
    }

    fn https(&self, path: &str) -> String {
        format!("https://{}{path}", self.tls)
    }

    /// Runs a client in the site's folder and returns what it wrote.
    #[track_caller]
    fn run(&self, client: &str, arguments: &[&str]) -> String {
        run(self.running.place(), client, arguments)
    }

    /// The certificate, which is its own issuer.
    fn issuer(&self) -> String {
        self.running.place().join("site.pem").display().to_string()
    }
}

/// Runs a program to its end, which must be a success.
#[track_caller]
fn run(place: &Place, name: &str, arguments: &[&str]) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let log = format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    // The distribution's own, as everybody has it, with nobody's configuration.
    let mut command = Command::new(Path::new("/usr/bin").join(name));
    command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", place.path()).env("LC_ALL", "C.UTF-8");
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0").env("GIT_TRACE_CURL", "1");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@clients.example");
    }
    let mut process = Process::start(place, &log, &mut command);
    match process.wait_ended(LIMIT) {
        Some(status) if status.success() => process.log(),
        status => panic!("{name} {arguments:?}: {status:?}\n{}", process.log()),
    }
}

/// A bare repository `project.git` with one commit.
fn repository(place: &Place) {
    run(place, "git", &["init", "--quiet", "--initial-branch=main", "work"]);
    run(place, "git", &["-C", "work", "commit", "--quiet", "--allow-empty", "--message=first"]);
    run(place, "git", &["clone", "--quiet", "--bare", "work", "project.git"]);
}

#[test]
fn curl_asks_over_every_protocol() {
    let site = Site::start();
    let issuer = site.issuer();
    let large = site.running.place().join("public/large.txt").display().to_string();
    let ways: [(&str, String, &[&str]); 4] = [
        ("1.1", site.http(""), &["--http1.1"]),
        ("2", site.http(""), &["--http2-prior-knowledge"]),
        ("1.1", site.https(""), &["--http1.1"]),
        ("2", site.https(""), &["--http2"]),
    ];
    for (version, root, flags) in ways {
        let curl = |more: &[&str]| {
            let common =
                ["--silent", "--show-error", "--cacert", &issuer, "--write-out", "\n%{http_version} %{http_code}"];
            site.run("curl", &[&common, flags, more].concat())
        };
        let asked = format!("{root} {flags:?}");
        assert_eq!(curl(&[&format!("{root}/hello")]), format!("Hello, World!\n{version} 200"), "{asked}");
        assert!(curl(&["--head", &format!("{root}/hello")]).ends_with(&format!("\n{version} 200")), "{asked}");
        let (down, echoed) = (site.running.place().join("down"), site.running.place().join("echoed"));
        let fetched = curl(&["--output", &down.display().to_string(), &format!("{root}/files/large.txt")]);
        assert_eq!(fetched, format!("\n{version} 200"), "{asked}");
        let body = format!("@{large}");
        let url = format!("{root}/echo");
        let sent = curl(&["--output", &echoed.display().to_string(), "--data-binary", &body, &url]);
        assert_eq!(sent, format!("\n{version} 200"), "{asked}");
        let original = std::fs::read(&large).unwrap();
        assert!(std::fs::read(&down).unwrap() == original, "{asked}: what came down");
        assert!(std::fs::read(&echoed).unwrap() == original, "{asked}: what went up and came back");
    }
}

#[test]
fn h2load_has_every_request_answered() {
    let site = Site::start();
    let ways = [
        (site.http("/hello"), "h2c"),
        (site.https("/hello"), "h2"),
        (site.http("/hello"), "http/1.1"),
        (site.https("/hello"), "http/1.1"),
    ];
    for (url, protocol) in ways {
        let h1: &[&str] = if protocol == "http/1.1" { &["--h1"] } else { &[] };
        let said = site.run("h2load", &[&["-n", "1000", "-c", "4", "-m", "10"], h1, &[&url]].concat());
        assert!(said.contains("1000 succeeded, 0 failed, 0 errored, 0 timeout"), "{url}: {said}");
        assert!(said.contains("status codes: 1000 2xx"), "{url}: {said}");
        assert!(said.contains(&format!("Application protocol: {protocol}\n")), "{url}: {said}");
    }
}

#[test]
fn wrk_sees_no_error() {
    let site = Site::start();
    for url in [site.http("/hello"), site.https("/hello")] {
        let said = site.run("wrk", &["-t", "1", "-c", "8", "-d", "1", &url]);
        let requests = said.split_once(" requests in ").and_then(|(before, _)| before.split_whitespace().last());
        assert!(requests.is_some_and(|n| n.parse::<u64>().unwrap() > 0), "{url}: {said}");
        assert!(!said.contains("Socket errors") && !said.contains("Non-2xx"), "{url}: {said}");
    }
}

#[test]
fn ab_keeps_its_connections() {
    let site = Site::start();
    for url in [site.http("/hello"), site.https("/hello")] {
        let said = site.run("ab", &["-q", "-k", "-n", "500", "-c", "4", &url]);
        let figure = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        assert_eq!(figure("Complete requests:"), Some("500"), "{url}: {said}");
        assert_eq!(figure("Failed requests:"), Some("0"), "{url}: {said}");
        assert_eq!(figure("Keep-Alive requests:"), Some("500"), "{url}: {said}");
        assert_eq!(figure("Non-2xx responses:"), None, "{url}: {said}");
    }
}

#[test]
fn chromium_shows_a_page_and_runs_its_script() {
    let site = Site::start();
    let ways = [
        (site.http("/files/page.html"), "http/1.1", None),
        (site.https("/files/page.html"), "h2", None),
        (site.https("/files/page.html"), "http/1.1", Some("--disable-http2")),
    ];
    for (url, protocol, flag) in ways {
        let mut flags = vec![
            "--headless",
            // It runs as an unprivileged user already, in a test, and its sandbox would need another.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--ignore-certificate-errors",
            "--user-data-dir=browser",
            "--virtual-time-budget=10000",
            "--dump-dom",
        ];
        flags.extend(flag);
        flags.push(&url);
        let shown = site.run("chromium", &flags);
        assert!(shown.contains(&format!("Hello, World! over {protocol}.")), "{url}: {shown}");
    }
}

#[test]
fn git_clones_over_every_protocol() {
    let site = Site::start();
    let issuer = format!("http.sslCAInfo={}", site.issuer());
    let first = site.run("git", &["-C", "work", "rev-parse", "main"]);
    let ways = [
        ("1", site.http("/git/project.git"), "HTTP/1.1"),
        ("2", site.https("/git/project.git"), "HTTP/1.1"),
        ("3", site.https("/git/project.git"), "HTTP/2"),
    ];
    for (copy, url, version) in ways {
        let wanted = format!("http.version={version}");
        let traced = site.run("git", &["-c", &issuer, "-c", &wanted, "clone", "--quiet", &url, copy]);
        assert!(traced.contains(&format!("header: {version} 200")), "{url}, {version}: {traced}");
        assert_eq!(site.run("git", &["-C", copy, "rev-parse", "HEAD"]), first, "{url}, {version}");
    }
}
