//! `gateway fcgi` with real workers, and `docs/fcgi-command.md`: each command of the page is run and its output compared.
//!
//! `UPDATE_DOCS=1 cargo nextest run -p gateway-tests --test fcgi_command` writes the outputs anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Output};

use gateway_tests::place::Place;
use gateway_tests::process::{Process, start_unix};
use gateway_tests::programs::{program, workspace};
use gateway_tests::records::{STDOUT, record};
use gateway_tests::servers::php_fpm;

/// Everything that the page asks, with the sockets in one folder.
struct Workers {
    place: Place,
    _processes: Vec<Process>,
}

impl Workers {
    fn start() -> Self {
        let place = Place::new();
        place.folder("www");
        place.write(
            "www/hello.php",
            "<?php echo \"Hello from PHP\", $_SERVER['PATH_INFO'], ' ', $_SERVER['QUERY_STRING'], \"\\n\";",
        );
        let (fpm, _) = php_fpm::start_with(&place, "ping.path=/ping\npm.status_path=/status\n");
        let app = place.join("app.sock");
        let mut testbed = Command::new(place.program(&program("testbed")));
        testbed.arg("--fastcgi").arg(format!("unix:{}", app.display()));
        let http = place.join("http.sock");
        let mut gateway = Command::new(place.program(&program("gateway")));
        gateway.args(["serve", "--listen"]).arg(format!("unix:{}", http.display())).args(["--mount", "/=app:demo"]);
        let processes =
            vec![fpm, start_unix(&place, "app", &app, &mut testbed), start_unix(&place, "http", &http, &mut gateway)];
        let bad = UnixListener::bind(place.join("bad.sock")).unwrap();
        std::thread::spawn(move || bad.incoming().for_each(|stream| forget_a_header(stream.unwrap())));
        Workers { place, _processes: processes }
    }

    /// Runs a command of the page: all it writes, in order, and its exit code if it is asked for.
    fn run(&self, line: &str) -> String {
        let (line, shows_code) = line.strip_suffix("; echo $?").map_or((line, false), |line| (line, true));
        let folder = self.place.path().to_str().unwrap();
        let mut words = shell_words(&line.replace("/run/", &format!("{folder}/"))).into_iter();
        assert_eq!(words.next().as_deref(), Some("gateway"), "{line}");
        let path = self.place.join("output");
        let file = File::create(&path).unwrap();
        let mut command = Command::new(program("gateway"));
        command.args(words).stdout(file.try_clone().unwrap()).stderr(file);
        let status = command.status().unwrap();
        let mut text = std::fs::read_to_string(path).unwrap().replace(&format!("{folder}/"), "/run/");
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        if shows_code {
            text += &format!("{}\n", status.code().unwrap());
        }
        text.replace('\r', "")
    }

    fn gateway(&self, arguments: &[&str]) -> Output {
        Command::new(program("gateway")).arg("fcgi").args(arguments).current_dir(self.place.path()).output().unwrap()
    }
}

/// Reads what comes first, answers, and goes on without a header.
fn forget_a_header(mut stream: std::os::unix::net::UnixStream) {
    let _ = stream.read(&mut [0; 4096]).unwrap();
    let head = record(STDOUT, 1, b"Content-Type: text/plain\r\n\r\nfine so far\n");
    stream.write_all(&[&head[..], b"and now without a header"].concat()).unwrap();
}

/// Words as a shell takes them apart, where nothing but `'` is special.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (at, part) in line.split('\'').enumerate() {
        if at % 2 == 1 {
            words.last_mut().unwrap().push_str(part);
            continue;
        }
        for (at, word) in part.split(' ').enumerate() {
            if at > 0 {
                words.push(String::new());
            }
            words.last_mut().unwrap().push_str(word);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A text without what differs from run to run: times, and the version of PHP with the lengths that depend on it.
fn steady(text: &str) -> String {
    let mut steady = String::new();
    for line in text.lines() {
        let words: Vec<String> =
            line.split(' ').map(|word| if is_time(word) { "T".to_owned() } else { word.to_owned() }).collect();
        let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        let line = match line.split_once("PHP/8.") {
            Some((before, _)) => format!("{before}PHP/8"),
            None => line,
        };
        steady += &(line + "\n");
    }
    steady
}

fn is_time(word: &str) -> bool {
    let parts = word.split_once('.');
    parts.is_some_and(|(whole, part)| {
        part.len() == 2
            && [whole, part].iter().all(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    })
}

fn page_path() -> PathBuf {
    workspace().join("docs/fcgi-command.md")
}

#[test]
fn every_output_of_the_page_is_what_the_command_prints() {
    let workers = Workers::start();
    let page = std::fs::read_to_string(page_path()).unwrap();
    let mut blocks = page.split("```console\n");
    let mut written = blocks.next().unwrap().to_owned();
    let mut commands = 0;
    for block in blocks {
        let (block, rest) = block.split_once("```").unwrap();
        written += "```console\n";
        for line in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
            commands += 1;
            written += &format!("$ {line}\n{}", workers.run(line));
        }
        written += &format!("```{rest}");
    }
    assert!(commands > 10, "{commands} commands");
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::write(page_path(), &written).unwrap();
        return;
    }
    for (shown, real) in steady(&page).lines().zip(steady(&written).lines()) {
        assert_eq!(shown, real, "docs/fcgi-command.md is out of date: UPDATE_DOCS=1 writes it anew");
    }
    assert_eq!(steady(&page).lines().count(), steady(&written).lines().count());
}

#[test]
fn the_page_names_every_flag() {
    let help = Command::new(program("gateway")).args(["fcgi", "get", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let page = std::fs::read_to_string(page_path()).unwrap();
    let flags = help.split_whitespace().filter(|word| word.starts_with("--"));
    let flags: Vec<&str> = flags.map(|flag| flag.trim_end_matches([',', '.', ')'])).collect();
    assert!(flags.len() > 20, "{help}");
    for flag in flags.into_iter().filter(|flag| *flag != "--help") {
        assert!(page.contains(&format!("`{flag}")), "{flag} is not in the page");
    }
}

#[test]
fn fcgi_112_the_pages_of_php_fpm_itself_are_reached_with_and_without_a_root() {
    let workers = Workers::start();
    for flags in [&[][..], &["--root", "/"]] {
        let ask = |path| workers.gateway(&[&["get", "unix:php-fpm.sock", path, "--fail"], flags].concat());
        assert_eq!(ask("/ping").stdout, b"pong", "{flags:?}");
        let status = String::from_utf8(ask("/status?json").stdout).unwrap();
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        assert_eq!(status["pool"], "tests", "{flags:?}");
    }
}

#[test]
fn bodies_pass_both_ways_whole() {
    let workers = Workers::start();
    let body: Vec<u8> = (0..3_000_000_u32).map(|at| at.to_le_bytes()[usize::from(at % 7 == 0)]).collect();
    std::fs::write(workers.place.join("body"), &body).unwrap();
    let output = workers.gateway(&["post", "unix:app.sock", "/echo", "--data", "@body", "--fail"]);
    assert!(output.stdout == body, "{} bytes: {}", output.stdout.len(), String::from_utf8_lossy(&output.stderr));
    // Many records, both ways at once, and no more of each than was asked for.
    let output =
        workers.gateway(&["post", "unix:app.sock", "/echo", "--data", "@body", "--dump", "--dump-bytes", "1B"]);
    let dump = String::from_utf8(output.stderr).unwrap();
    assert!(output.stdout == body && dump.lines().all(|line| line.chars().count() < 100), "{}", dump.len());
    assert!(!dump.contains('✗'), "{dump}");
}
