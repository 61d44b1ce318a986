//! The corpus of requests sent to nginx, hyper and Go's net/http: every difference has a written reason, and
//! `docs/http1-differences.md` tells them all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod go;
mod hyper;
mod nginx;

use std::fs;

use gateway_tests::corpus::all;
use gateway_tests::corpus::answers::ask_all;
use gateway_tests::corpus::differences::{compare, is_of};
use gateway_tests::corpus::seeing::with_our_server;
use gateway_tests::programs::workspace;

#[test]
fn every_difference_from_other_servers_has_a_reason() {
    let cases = all();
    let ours = with_our_server(|address| ask_all(address, &cases)).unwrap();
    let others = [nginx::column(&cases), go::column(&cases), hyper::column(&cases)];
    let seen = compare(&cases, &ours, &others);
    assert!(seen.unexplained.is_empty(), "{}:\n{}", seen.unexplained.len(), seen.unexplained.join("\n"));

    let path = workspace().join("docs/http1-differences.md");
    let update = std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1");
    if update {
        fs::write(&path, &seen.page).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap();
    // Other versions of what this machine has installed may differ elsewhere: then the reasons are all that is asked for.
    // hyper's is the one of our lock file.
    if is_of(&kept, &others[..2]) {
        assert!(seen.idle.is_empty(), "these groups explain nothing: {:?}", seen.idle);
        assert!(kept == seen.page, "docs/http1-differences.md is out of date: UPDATE_DOCS=1 writes it anew");
    }
}
