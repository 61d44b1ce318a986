//! The sets of variables, beside what the real servers send for the same request.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use gateway_tests::client::{Request, send};
use gateway_tests::place::Place;
use gateway_tests::process::Running;
use gateway_tests::records::{BEGIN_REQUEST, END_REQUEST, PARAMS, Peer, STDIN, STDOUT, record};
use gateway_tests::servers::{apache, nginx, ours};

type Params = BTreeMap<String, String>;

/// Values that depend on who serves: only that they are there is compared.
const OF_THE_SERVER: [&str; 6] =
    ["SERVER_SOFTWARE", "SERVER_NAME", "SERVER_PORT", "REMOTE_PORT", "HTTP_HOST", "REMOTE_USER"];

#[test]
fn fcgi_112_113_nginxs_set_is_what_nginx_sends() {
    let place = site();
    let socket = worker(&place);
    let ours = gateway("nginx", &place, &socket);
    let theirs = nginx::php(Place::new(), &place.join("www"), &socket);
    for request in requests() {
        // RFC 3875 §4.1.18: they are CONTENT_LENGTH and CONTENT_TYPE.
        compare(&request, &ours, &theirs, &["HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"], &[]);
    }
}

#[test]
fn fcgi_112_113_apaches_set_is_what_apache_sends() {
    let place = site();
    let socket = worker(&place);
    let ours = gateway("apache", &place, &socket);
    let theirs = apache::php(Place::new(), &place.join("www"), &socket);
    // Of the server's own settings and environment.
    let left_out = ["PATH", "LD_LIBRARY_PATH", "proxy-nokeepalive", "SERVER_ADMIN", "ap_trust_cgilike_cl"];
    for request in requests() {
        compare(&request, &ours, &theirs, &left_out, &["REDIRECT_STATUS"]);
    }
}

fn requests() -> [Request; 6] {
    [
        Request::get("/page.php/a/b?x=%20").field("Authorization", "Basic YTpi").field("X-Note", "n"),
        Request::get("/page.php"),
        Request::get("/"),
        Request::get("/nice/address?x=1"),
        Request::post("/page.php", "a=b").field("Content-Type", "application/x-www-form-urlencoded"),
        Request::post("/page.php/p", ""),
    ]
}

/// What ours says of every request, whatever the set: its id.
const OF_OURS: [&str; 2] = ["UNIQUE_ID", "HTTP_X_REQUEST_ID"];

/// Checks that the two sets have the same names, up to those that only one has, and the same values.
#[track_caller]
fn compare(request: &Request, ours: &Running, theirs: &Running, only_theirs: &[&str], only_ours: &[&str]) {
    let (mut ours, mut theirs) = (told(ours, request), told(theirs, request));
    theirs.retain(|name, _| !only_theirs.contains(&name.as_str()));
    ours.retain(|name, _| !only_ours.contains(&name.as_str()) && !OF_OURS.contains(&name.as_str()));
    let names = |params: &Params| params.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&ours), names(&theirs), "{} {}: ours and theirs", request.method, request.target);
    for (name, value) in ours.iter().filter(|(name, _)| !OF_THE_SERVER.contains(&name.as_str())) {
        // Apache has the script's path in it; ours is RFC 3875's.
        if name != "PATH_TRANSLATED" {
            assert_eq!(*value, theirs[name], "{name} of {} {}: ours and theirs", request.method, request.target);
        }
    }
}

fn told(server: &Running, request: &Request) -> Params {
    let answer = send(server.address, request).unwrap_or_else(|e| panic!("{}: {e}\n{}", request.target, server.logs()));
    assert_eq!(answer.status, 200, "{}: {}\n{}", request.target, answer.text(), server.logs());
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    answer.text().lines().filter_map(pair).collect()
}

fn gateway(set: &str, site: &Place, socket: &Path) -> Running {
    let root = site.join("www").display().to_string();
    let mount =
        format!("/=php:unix:{}?root={root}&fallback=/index.php&authorization=true&params={set}", socket.display());
    ours::gateway(Place::new(), Vec::new(), &[mount])
}

fn site() -> Place {
    let place = Place::new();
    place.folder("www");
    for script in ["index.php", "page.php"] {
        place.write(&format!("www/{script}"), "not run: the worker prints what it is told");
    }
    place
}

/// A worker that answers every request with its parameters as they came, one a line.
fn worker(place: &Place) -> PathBuf {
    let socket = place.join("printer.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o777)).unwrap();
    // They end with the test.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || print(stream));
        }
    });
    socket
}

fn print(stream: UnixStream) {
    let mut peer = Peer::new(stream);
    let (mut params, mut keeps) = (Vec::new(), false);
    while let Some(received) = peer.receive() {
        match received.kind {
            BEGIN_REQUEST => keeps = received.content[2] & 1 == 1,
            PARAMS => params.extend(received.content),
            STDIN if received.content.is_empty() => {
                let answer = format!("Content-Type: text/plain\r\n\r\n{}", lines(&std::mem::take(&mut params)));
                let output = record(STDOUT, received.id, answer.as_bytes());
                let ends = [record(STDOUT, received.id, b""), record(END_REQUEST, received.id, &[0; 8])].concat();
                peer.send(&[output, ends].concat());
                // nginx waits for the end of the connection.
                if !keeps {
                    return;
                }
            }
            _ => {}
        }
    }
}

fn lines(mut params: &[u8]) -> String {
    let mut text = String::new();
    while !params.is_empty() {
        let (name, value) = (length(&mut params), length(&mut params));
        let (pair, rest) = params.split_at(name + value);
        let (name, value) = pair.split_at(name);
        text.push_str(&format!("{}={}\n", String::from_utf8_lossy(name), String::from_utf8_lossy(value)));
        params = rest;
    }
    text
}

fn length(params: &mut &[u8]) -> usize {
    let size = if params[0] & 0x80 == 0 { 1 } else { 4 };
    let (bytes, rest) = params.split_at(size);
    *params = rest;
    bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)) & 0x7fff_ffff
}
