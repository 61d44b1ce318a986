//! git-http-backend with the stock client: clone, fetch and push.

use std::fs;
use std::io::Write as _;

use gateway_tests::place::Place;
use gateway_tests::process::{Running, peak_memory};
use gateway_tests::servers::ours;

use crate::git_client::{Git, bare, in_bare};
use crate::pair::check_no_children;
use crate::recipe;

const MIB: usize = 1 << 20;

/// `gateway serve` with the repositories in the folder `git`.
pub(crate) fn serve(place: Place) -> Running {
    serve_with(place, "")
}

/// The same with more options, such as `&timeout=6h`.
fn serve_with(place: Place, options: &str) -> Running {
    let folder = place.folder("git");
    let mut mounts = recipe::mounts("git", &[("/srv/git", &folder.to_string_lossy())]);
    mounts[0].push_str(options);
    ours::gateway(place, Vec::new(), &mounts)
}

/// A repository's address as git wants it.
fn url(server: &Running, name: &str) -> String {
    format!("http://{}/git/{name}", server.address)
}

/// A server with one repository that accepts pushes, and its address as git wants it.
pub(crate) fn writable(configuration: &[(&str, &str)]) -> (Running, String) {
    let place = Place::new();
    bare(&place, "project.git", &[&[("http.receivepack", "true")], configuration].concat());
    let server = serve(place);
    let url = url(&server, "project.git");
    (server, url)
}

/// All objects that the branches and tags reach, in the order of their ids.
fn objects(list: &str) -> Vec<String> {
    let mut ids: Vec<String> = list.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[track_caller]
fn check_clone_and_fetch(protocol: &str) {
    let (mut server, url) = writable(&[]);
    let ada = Git::new();
    ada.repository("work", 3);
    ada.run(&["-C", "work", "push", "--quiet", &url, "main"]);

    let bob = Git::new();
    let trace = bob.place.join("packets");
    let bob = bob.with("GIT_TRACE_PACKET", &trace.to_string_lossy());
    let version = format!("protocol.version={protocol}");
    bob.run(&["-c", &version, "clone", "--quiet", &url, "copy"]);
    assert_eq!(bob.id_of("copy", "HEAD"), ada.id_of("work", "HEAD"));
    assert_eq!(bob.run(&["-C", "copy", "symbolic-ref", "HEAD"]).trim(), "refs/heads/main");

    // A second commit, and a tag that points to it.
    ada.commits("work", "main", 1);
    ada.run(&["-C", "work", "tag", "--annotate", "--message=first", "v1", "main"]);
    ada.run(&["-C", "work", "push", "--quiet", &url, "main", "v1"]);
    bob.run(&["-C", "copy", "-c", &version, "fetch", "--quiet"]);
    assert_eq!(bob.id_of("copy", "origin/main"), ada.id_of("work", "main"));
    assert_eq!(bob.id_of("copy", "v1"), ada.id_of("work", "v1"));
    bob.run(&["-C", "copy", "fsck", "--full", "--strict"]);

    // Without the Git-Protocol field in the program's environment git falls back to version 0.
    let packets = fs::read_to_string(trace).unwrap();
    assert_eq!(packets.contains("version 2"), protocol == "2", "{packets}");
    check_no_children(&mut server);
}

#[test]
fn a_clone_has_the_same_head_and_a_fetch_brings_the_next_commit() {
    check_clone_and_fetch("0");
}

#[test]
fn clone_and_fetch_speak_protocol_version_2() {
    check_clone_and_fetch("2");
}

#[test]
fn a_compressed_request_reaches_git_as_it_was_sent() {
    let (mut server, url) = writable(&[]);
    let ada = Git::new();
    ada.repository("work", 60);
    ada.run(&["-C", "work", "push", "--quiet", &url, "main"]);
    let bob = Git::new();
    let trace = bob.place.join("requests");
    let bob = bob.with("GIT_TRACE_CURL", &trace.to_string_lossy()).with("GIT_TRACE_CURL_NO_DATA", "1");
    bob.run(&["clone", "--quiet", &url, "copy"]);
    // Much that the server has never seen: git asks about it at length, and compresses the question.
    bob.commits("copy", "mine", 200);
    ada.commits("work", "main", 1);
    ada.run(&["-C", "work", "push", "--quiet", &url, "main"]);
    bob.run(&["-C", "copy", "fetch", "--quiet"]);
    assert_eq!(bob.id_of("copy", "origin/main"), ada.id_of("work", "main"));
    let requests = fs::read_to_string(trace).unwrap().to_ascii_lowercase();
    assert!(requests.contains("content-encoding: gzip"), "{requests}");
    check_no_children(&mut server);
}

#[test]
fn a_push_without_leave_is_refused() {
    let place = Place::new();
    bare(&place, "project.git", &[]);
    let mut server = serve(place);
    let url = url(&server, "project.git");
    let ada = Git::new();
    ada.repository("work", 1);
    let log = ada.fail(&["-C", "work", "push", &url, "main"]);
    assert!(log.contains("403"), "{log}");
    assert!(ada.run(&["ls-remote", &url]).is_empty());
    check_no_children(&mut server);
}

#[test]
fn cgi_65_a_push_over_the_limit_is_refused_before_git_runs() {
    let place = Place::new();
    bare(&place, "project.git", &[("http.receivepack", "true")]);
    let mut server = serve_with(place, "&max_spool=200KiB");
    let url = url(&server, "project.git");
    let ada = Git::new();
    ada.repository("work", 1);
    ada.run(&["-C", "work", "-c", "http.postBuffer=65536", "push", "--quiet", &url, "main"]);
    let (before, file) = (ada.id_of("work", "main"), ada.place.join("work/large"));
    fs::write(&file, incompressible(MIB)).unwrap();
    ada.run(&["-C", "work", "add", "large"]);
    ada.run(&["-C", "work", "commit", "--quiet", "--message=large"]);
    let log = ada.fail(&["-C", "work", "-c", "http.postBuffer=65536", "push", &url, "main"]);
    assert!(log.contains("413"), "{log}");
    assert!(ada.run(&["ls-remote", &url, "main"]).starts_with(&before));
    check_no_children(&mut server);
}

/// Bytes that no compression makes smaller, the same in every run.
fn incompressible(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}

/// What makes git neither compress nor compare what cannot be made smaller.
pub(crate) const AS_IT_IS: [(&str, &str); 3] =
    [("core.compression", "0"), ("core.bigFileThreshold", "1m"), ("receive.unpackLimit", "1")];

/// A repository with a file of 104 MiB.
pub(crate) fn large_repository(git: &Git, name: &str) {
    git.run(&["init", "--quiet", "--initial-branch=main", name]);
    for (key, value) in AS_IT_IS {
        git.run(&["-C", name, "config", key, value]);
    }
    let file = fs::File::create(git.place.join("data")).unwrap();
    (&file).write_all(&incompressible(104 * MIB)).unwrap();
    let id = git.run(&["-C", name, "hash-object", "-w", "../data"]);
    let entry = format!("100644,{},data", id.trim());
    git.run(&["-C", name, "update-index", "--add", "--cacheinfo", &entry]);
    git.run(&["-C", name, "commit", "--quiet", "--message=much"]);
}

#[test]
fn cgi_1_21_65_a_push_of_100_mib_in_chunks_arrives_whole_and_memory_stays_flat() {
    let (mut server, url) = writable(&AS_IT_IS);
    let id = server.front().id();
    let small = Git::new();
    small.repository("work", 1);
    small.run(&["-C", "work", "push", "--quiet", &url, "main:small"]);
    let before = peak_memory(id).unwrap();

    let ada = Git::new();
    let trace = ada.place.join("requests");
    large_repository(&ada, "work");
    let ada = ada.with("GIT_TRACE_CURL", &trace.to_string_lossy()).with("GIT_TRACE_CURL_NO_DATA", "1");
    ada.run(&["-C", "work", "push", "--quiet", &url, "main"]);
    let requests = fs::read_to_string(trace).unwrap().to_ascii_lowercase();
    assert!(requests.contains("transfer-encoding: chunked"), "{requests}");

    let repository = server.place().join("git/project.git");
    in_bare(server.place(), &repository, &["fsck", "--full", "--strict"]);
    let sent = objects(&ada.run(&["-C", "work", "rev-list", "--objects", "main"]));
    let arrived = objects(&in_bare(server.place(), &repository, &["rev-list", "--objects", "main"]));
    assert_eq!((sent.len(), &sent), (3, &arrived));

    // And all the way back.
    let bob = Git::new();
    bob.run(&["clone", "--quiet", "--bare", "--branch=main", "--single-branch", &url, "copy"]);
    assert_eq!(bob.id_of("copy", "HEAD"), ada.id_of("work", "HEAD"));
    assert_eq!(objects(&bob.run(&["-C", "copy", "rev-list", "--objects", "main"])), sent);

    let after = peak_memory(id).unwrap();
    println!("peak resident bytes of the gateway: {before} before, {after} after");
    assert!(after < before + 8 * MIB as u64 && after < 64 * MIB as u64, "{before} before, {after} after");
    check_no_children(&mut server);
}
