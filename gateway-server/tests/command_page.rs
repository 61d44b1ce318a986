//! `docs/command.md` is true: its file passes `gateway check-config` and holds every key, its list is what `gateway keys`
//! prints. `UPDATE_DOCS=1 cargo test -p gateway-server --test command_page` writes the list anew.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests, where a failure is a panic")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn page_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/command.md")
}

fn page() -> String {
    std::fs::read_to_string(page_path()).unwrap()
}

fn gateway(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gateway")).args(arguments).current_dir(folder).output().unwrap()
}

fn keys() -> String {
    String::from_utf8(gateway(Path::new("."), &["keys"]).stdout).unwrap()
}

/// The file shown in the page.
fn example(page: &str) -> &str {
    page.split_once("```toml\n").expect("a TOML block").1.split_once("```").expect("its end").0
}

#[test]
fn the_file_shown_passes_check_config() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["public", "cgi-bin", "wiki", "app"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let worker = folder.path().join("app/worker");
    std::fs::write(&worker, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(folder.path().join("wiki/index.php"), "<?php\n").unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.path().join("site.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("site.key"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.path().join("gateway.toml"), example(&page())).unwrap();
    let output = gateway(folder.path(), &["check-config", "gateway.toml"]);
    let (said, mistakes) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!((output.status.code(), mistakes.as_str()), (Some(0), ""));
    assert!(said.starts_with("OK\nlisten ") && said.matches("\nmount ").count() == 7, "{said}");
}

#[test]
fn the_file_shown_holds_every_key() {
    let page = page();
    let behind_an_address =
        |key: &str| ["?", "&"].iter().any(|before| example(&page).contains(&format!("{before}{key}=")));
    let shown: Vec<&str> = example(&page).lines().filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
    let keys = keys();
    let is_key = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let known: Vec<&str> = keys.lines().filter(is_key).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(known.len() > 50, "{keys}");
    for key in known {
        let key = key.strip_suffix(".NAME").unwrap_or(key);
        // The options of a mount are a table of their own in the example; those of an address stand behind it.
        let is_shown = shown.contains(&key) || key == "options" || behind_an_address(key);
        assert!(is_shown, "{key} is not in the example");
    }
}

#[test]
fn the_list_of_keys_is_what_the_command_prints() {
    let page = page();
    let (before, _) = page.split_once("\n## Every key\n").expect("the last section");
    let wanted = format!("{before}\n## Every key\n\nAs `gateway keys` prints them.\n\n```text\n{}```\n", keys());
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::write(page_path(), &wanted).unwrap();
        return;
    }
    assert!(page == wanted, "docs/command.md is out of date: UPDATE_DOCS=1 writes it anew");
}

/// Each is set by a test of `cli_serve`.
#[test]
fn every_mark_is_in_the_page() {
    let source = include_str!("../src/marks.rs");
    let (_, names) = source.split_once("pub(crate) const NAMES").expect("the table of names");
    let (_, names) = names.split_once("= [").expect("its beginning");
    let (names, _) = names.split_once("];").expect("its end");
    let names: Vec<&str> = names.split('"').skip(1).step_by(2).collect();
    assert_eq!(names.len(), 20);
    for name in names {
        assert!(page().contains(&format!("`{name}`")), "{name} is not in the page");
    }
}
