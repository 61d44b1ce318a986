//! nginx with the page's configuration, `gateway cgi-wrap`, and scripts.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use gateway_tests::client::{Connection, Request, Response, send};
use gateway_tests::place::Place;
use gateway_tests::process::{Process, Running, descendants, poll_until, start_unix};
use gateway_tests::programs::program;
use gateway_tests::servers::nginx;

use crate::page::block;

/// Prints what a script is told.
pub(crate) const ENV: &str = r#"printf 'Content-Type: text/plain\n\n'
printf '%s|' "$SCRIPT_NAME" "$PATH_INFO" "$QUERY_STRING" "$REQUEST_METHOD" "$SCRIPT_FILENAME" "$(pwd)""#;

/// One process that says nothing.
pub(crate) const SILENT: &str = "exec sleep 1000";

/// Both servers.
pub(crate) struct Wrapped {
    pub(crate) wrap: Process,
    pub(crate) front: Running,
}

/// A place with scripts in `lib/cgi-bin`, also one that may not be run, one that is hidden, and one behind a link that leads out.
pub(crate) fn scripts(scripts: &[(&str, &str)]) -> Place {
    let place = Place::new();
    place.folder("lib/cgi-bin");
    for (name, script) in scripts {
        place.write_script(&format!("lib/cgi-bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
    }
    place.write("lib/cgi-bin/plain", "#!/bin/sh\n");
    place.write_script("lib/cgi-bin/.hidden", &format!("#!/bin/sh\n{ENV}\n"));
    let outside = place.write_script("outside", &format!("#!/bin/sh\n{ENV}\n"));
    symlink(outside, place.join("lib/cgi-bin/link")).unwrap();
    place
}

/// The page's locations, for this place.
pub(crate) fn locations(place: &Place) -> String {
    block("nginx")
        .replace("/usr/lib", &place.join("lib").display().to_string())
        .replace("/run/cgi-wrap.sock", &socket(place).display().to_string())
        .replace("include fastcgi_params", "include /etc/nginx/fastcgi_params")
}

pub(crate) fn socket(place: &Place) -> std::path::PathBuf {
    place.join("wrap.sock")
}

/// nginx before `gateway cgi-wrap` with these flags, among them the root.
pub(crate) fn behind_nginx(place: Place, flags: &[&str]) -> Wrapped {
    let mut command = Command::new(place.program(&program("gateway")));
    command.arg("cgi-wrap").arg("-s").arg(format!("unix:{}", socket(&place).display())).args(flags);
    let wrap = start_unix(&place, "wrap", &socket(&place), &mut command);
    let locations = locations(&place);
    Wrapped { wrap, front: nginx::serving(place, Vec::new(), "", &locations) }
}

/// The same with `lib/cgi-bin` as the root.
pub(crate) fn wrapped(list: &[(&str, &str)], flags: &[&str]) -> Wrapped {
    let place = scripts(list);
    let root = place.join("lib/cgi-bin").display().to_string();
    behind_nginx(place, &[&["--root", &root], flags].concat())
}

impl Wrapped {
    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Response {
        self.send(&Request::get(target))
    }

    #[track_caller]
    pub(crate) fn send(&self, request: &Request) -> Response {
        send(self.front.address, request).unwrap_or_else(|broken| panic!("{broken}\n{}", self.front.logs()))
    }

    /// Asks for something slow, and waits until `programs` run.
    pub(crate) fn begin(&self, target: &str, programs: usize) -> Connection {
        let mut connection = Connection::open(self.front.address).unwrap();
        connection.send_raw(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).unwrap();
        let began = poll_until(LIMIT, || (self.programs() >= programs).then_some(()));
        assert!(began.is_some(), "{}", self.front.logs());
        connection
    }

    pub(crate) fn programs(&self) -> usize {
        descendants(self.wrap.id()).len()
    }

    #[track_caller]
    pub(crate) fn expect_no_programs(&self) {
        let gone = poll_until(LIMIT, || (self.programs() == 0).then_some(()));
        assert!(gone.is_some(), "still there: {:?}\n{}", descendants(self.wrap.id()), self.front.logs());
    }

    /// nginx's own log.
    pub(crate) fn nginx_log(&self) -> String {
        std::fs::read_to_string(self.front.place().join("nginx-error.log")).unwrap()
    }
}

/// Long, because the machine may be busy.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
