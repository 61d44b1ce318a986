//! git-http-backend asked by hand: the same bytes as behind lighttpd, and clients that go away.

use std::fs;
use std::time::Duration;

use gateway_tests::client::{Connection, Payload, Request, Response};
use gateway_tests::place::Place;
use gateway_tests::process::{Running, descendants, poll_until};
use gateway_tests::servers::lighttpd::{self, EXECUTABLE, Program};

use crate::git::{AS_IT_IS, large_repository, serve, writable};
use crate::git_client::{Git, bare, in_bare};
use crate::pair::{Pair, check_no_children};

const BACKEND: &str = "/usr/lib/git-core/git-http-backend";

/// One line of git's own framing: four digits of length, themselves included.
fn line(text: &str) -> String {
    format!("{:04x}{text}", text.len() + 4)
}

/// A command of protocol version 2.
fn command(target: &str, name: &str, arguments: &[&str]) -> Request {
    let arguments: String = arguments.iter().map(|argument| line(argument)).collect();
    let body = format!("{}0001{arguments}0000", line(&format!("command={name}\n")));
    Request::post(target, body.as_str())
        .field("Content-Type", "application/x-git-upload-pack-request")
        .field("Git-Protocol", "version=2")
}

/// All that a branch needs, without git's words about its progress.
fn fetch(id: &str) -> Request {
    let want = format!("want {id}\n");
    command("/git/project.git/git-upload-pack", "fetch", &["no-progress", &want, "done\n"])
}

/// The pack inside an answer to [`fetch`]. git cuts it into lines as its own pipe happens to give it.
fn pack(answer: &Response) -> Vec<u8> {
    let mut rest = answer.content.start.as_slice();
    let mut pack = Vec::new();
    while let Some((length, _)) = rest.split_first_chunk::<4>() {
        let length = usize::from_str_radix(std::str::from_utf8(length).unwrap(), 16).unwrap();
        // A length below 4 is a mark without contents.
        let (line, after) = rest.split_at(length.max(4));
        // Band 1 is the pack.
        if line.get(4) == Some(&1) {
            pack.extend_from_slice(&line[5..]);
        }
        rest = after;
    }
    pack
}

/// Our gateway and lighttpd with the same repositories: `project.git` with all branches of `work`, and two empty ones that
/// accept pushes.
fn servers(ada: &Git) -> Pair {
    let place = Place::new();
    for name in EMPTY {
        bare(&place, name, &[("http.receivepack", "true")]);
    }
    let project = bare(&place, "project.git", &[]);
    let work = ada.place.join("work").to_string_lossy().into_owned();
    in_bare(&place, &project, &["fetch", "--quiet", &work, "+refs/heads/*:refs/heads/*"]);
    // One pack, which is given out as it is: no choice is left to chance.
    in_bare(&place, &project, &["-c", "pack.threads=1", "repack", "-a", "-d", "--quiet"]);
    in_bare(&place, &project, &["update-server-info"]);
    let root = place.join("git").to_string_lossy().into_owned();
    let environment = [("GIT_PROJECT_ROOT", root.as_str()), ("GIT_HTTP_EXPORT_ALL", "1")];
    let program =
        Program { prefix: "/git", path: BACKEND.as_ref(), environment: &environment, interpreters: EXECUTABLE };
    Pair { ours: serve(place), lighttpd: lighttpd::programs(Place::new(), &[program]) }
}

/// Repositories that get the same push, one through each server.
const EMPTY: [&str; 2] = ["one.git", "other.git"];

#[test]
fn git_answers_as_behind_lighttpd() {
    let ada = Git::new();
    ada.repository("work", 20);
    let mut servers = servers(&ada);
    let answer = |request: Request, status: u16| -> Response {
        let answer = servers.same(&request);
        assert_eq!(answer.status, status, "{} {}", request.target, answer.text());
        answer
    };
    let advertised = Request::get("/git/project.git/info/refs?service=git-upload-pack");
    let head = ada.id_of("work", "main");
    assert!(answer(advertised.clone(), 200).text().contains(&head));
    assert!(answer(advertised.field("Git-Protocol", "version=2"), 200).text().contains("version 2"));
    let refs = answer(command("/git/project.git/git-upload-pack", "ls-refs", &["symrefs\n"]), 200);
    assert!(refs.text().contains(&format!("{head} HEAD symref-target:refs/heads/main")), "{}", refs.text());
    let packs = servers.same_head(&fetch(&head)).map(|answer| pack(&answer));
    assert_eq!(packs[0], packs[1]);
    assert!(packs[0].starts_with(b"PACK") && packs[0].len() > 1000, "{}", packs[0].escape_ascii());

    // The form for clients that know files only.
    assert_eq!(answer(Request::get("/git/project.git/HEAD"), 200).text(), "ref: refs/heads/main\n");
    assert!(answer(Request::get("/git/project.git/info/refs"), 200).text().contains(&head));
    let packs = answer(Request::get("/git/project.git/objects/info/packs"), 200).text();
    let pack = packs.split_whitespace().nth(1).unwrap();
    let bytes = answer(Request::get(&format!("/git/project.git/objects/pack/{pack}")), 200);
    assert_eq!(bytes.field("content-type"), Some("application/x-git-packed-objects"));

    // And what is not there, or not allowed.
    answer(Request::get("/git/missing.git/info/refs"), 404);
    answer(Request::get("/git/project.git/objects/00/00"), 404);
    answer(Request::get("/git/project.git/info/refs?service=git-receive-pack"), 403);
    answer(Request::post("/git/project.git/HEAD", "x"), 405);
    answer(Request::post("/git/project.git/git-upload-pack", "x").field("Content-Type", "text/plain"), 415);
    for server in [&mut servers.ours, &mut servers.lighttpd] {
        check_no_children(server);
    }
}

#[test]
fn a_push_leaves_what_it_leaves_behind_lighttpd() {
    let ada = Git::new();
    ada.repository("work", 5);
    ada.run(&["-C", "work", "tag", "v1"]);
    let servers = servers(&ada);
    let place = servers.ours.place();
    let left = [(&servers.ours, EMPTY[0]), (&servers.lighttpd, EMPTY[1])].map(|(server, name)| {
        let url = format!("http://{}/git/{name}", server.address);
        // In pieces without a length, however small it is.
        ada.run(&["-C", "work", "-c", "http.postBuffer=1000", "push", "--quiet", &url, "main", "v1", "main:other"]);
        ada.run(&["-C", "work", "push", "--quiet", &url, ":other"]);
        let repository = place.join("git").join(name);
        in_bare(place, &repository, &["fsck", "--full", "--strict"]);
        in_bare(place, &repository, &["rev-list", "--objects", "--all"])
            + &in_bare(place, &repository, &["for-each-ref"])
    });
    assert_eq!(left[0], left[1]);
    assert!(left[0].contains("refs/heads/main") && !left[0].contains("refs/heads/other"), "{}", left[0]);
}

/// Waits until the server runs this command of git.
#[track_caller]
fn wait_for_git(server: &mut Running, command: &str) {
    let id = server.front().id();
    let runs = |id: u32| fs::read_to_string(format!("/proc/{id}/cmdline")).is_ok_and(|line| line.contains(command));
    let found = poll_until(Duration::from_secs(30), || descendants(id).into_iter().any(runs).then_some(()));
    assert!(found.is_some(), "git {command} does not run\n{}", server.logs());
}

#[test]
fn cgi_179_a_clone_that_is_aborted_leaves_no_git_behind() {
    let ada = Git::new();
    large_repository(&ada, "work");
    let (mut server, url) = writable(&AS_IT_IS);
    ada.run(&["-C", "work", "push", "--quiet", &url, "main"]);
    check_no_children(&mut server);
    // It takes the beginning and no more: git is stuck in the middle of what no buffer can hold.
    let mut client = Connection::open(server.address).unwrap();
    let request = fetch(&ada.id_of("work", "main"));
    let (Payload::Bytes(body), fields) = (&request.body, &request.fields) else { panic!("a body of bytes") };
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("POST {} HTTP/1.1\r\nHost: h\r\n{fields}Content-Length: {}\r\n\r\n", request.target, body.len());
    client.send_raw(&[head.as_bytes(), body].concat()).unwrap();
    assert!(client.receive_some().unwrap() > 0);
    wait_for_git(&mut server, "pack-objects");
    drop(client);
    check_no_children(&mut server);
    // The next one is served.
    let bob = Git::new();
    bob.run(&["clone", "--quiet", "--bare", &url, "copy"]);
    assert_eq!(bob.id_of("copy", "HEAD"), ada.id_of("work", "HEAD"));
}

#[test]
fn cgi_9_179_a_push_that_is_aborted_leaves_no_git_behind_and_changes_nothing() {
    let (mut server, url) = writable(&[]);
    let ada = Git::new();
    ada.repository("work", 2);
    ada.run(&["-C", "work", "push", "--quiet", &url, "main"]);
    let repository = server.place().join("git/project.git");
    let refs = in_bare(server.place(), &repository, &["for-each-ref"]);

    // With a length git is started at once and reads as it comes: half of a pack is all it gets.
    let mut client = Connection::open(server.address).unwrap();
    let old = ada.id_of("work", "main");
    let update = line(&format!("{old} {} refs/heads/main\0 report-status", "1".repeat(40)));
    let head = "POST /git/project.git/git-receive-pack HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\
                Content-Type: application/x-git-receive-pack-request\r\n\r\n";
    client.send_raw(format!("{head}{update}0000PACK\0\0\0\u{2}\0\0\0\u{9}").as_bytes()).unwrap();
    wait_for_git(&mut server, "receive-pack");
    drop(client);
    check_no_children(&mut server);
    assert_eq!(in_bare(server.place(), &repository, &["for-each-ref"]), refs);
    in_bare(server.place(), &repository, &["fsck", "--full", "--strict"]);
    ada.commits("work", "main", 1);
    ada.run(&["-C", "work", "push", "--quiet", &url, "main"]);
}
