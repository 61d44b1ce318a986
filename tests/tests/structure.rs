//! The shape of the workspace, as its documentation promises it: arrows between crates, folders without I/O, files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gateway_tests::programs::workspace;
use toml::{Table, Value};

/// Each crate, and the crates of the workspace that it may depend on.
const ARROWS: [(&str, &[&str]); 6] = [
    ("gateway-spec", &[]),
    ("gateway-cgi", &["gateway-spec"]),
    ("gateway-fastcgi", &["gateway-spec", "gateway-cgi"]),
    ("gateway-server", &["gateway-spec", "gateway-cgi", "gateway-fastcgi"]),
    ("examples", &["gateway-spec", "gateway-cgi", "gateway-fastcgi", "gateway-server"]),
    ("tests", &["gateway-spec", "gateway-cgi", "gateway-fastcgi", "gateway-server", "gateway-examples"]),
];

/// Folders whose code neither reads, writes, waits, logs nor asks the time.
const WITHOUT_IO: [&str; 6] = [
    "gateway-spec/src",
    "gateway-cgi/src/head",
    "gateway-fastcgi/src/protocol",
    "gateway-fastcgi/src/connection",
    "gateway-fastcgi/src/dump",
    "gateway-server/src/h1",
];

/// Parts of the standard library that only name addresses (`Ipv6Addr`) are no I/O.
const FORBIDDEN: [&str; 19] = [
    "tokio",
    "async_std",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "ToSocketAddrs",
    "Instant",
    "SystemTime",
    "std::env",
    "std::process",
    "std::fs::read",
    "thread::sleep",
    "tracing",
    "log::",
    "println!",
    "eprintln!",
    "stdin()",
];

fn manifest(folder: &str) -> Table {
    let path = workspace().join(folder).join("Cargo.toml");
    fs::read_to_string(&path).unwrap().parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Names in one dependency table, without the optional ones if asked so.
fn dependencies(manifest: &Table, table: &str, with_optional: bool) -> BTreeSet<String> {
    let entries = manifest.get(table).and_then(Value::as_table).cloned().unwrap_or_default();
    let is_optional = |v: &Value| v.get("optional").and_then(Value::as_bool).unwrap_or(false);
    entries.into_iter().filter(|(_, v)| with_optional || !is_optional(v)).map(|(name, _)| name).collect()
}

#[test]
fn crates_depend_in_one_direction() {
    for (folder, allowed) in ARROWS {
        let manifest = manifest(folder);
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for name in dependencies(&manifest, table, true).iter().filter(|n| n.starts_with("gateway-")) {
                assert!(allowed.contains(&name.as_str()), "{folder} must not depend on {name} ({table})");
            }
        }
    }
}

#[test]
fn the_workspace_has_these_members_and_no_others() {
    let manifest = manifest(".");
    let members = manifest["workspace"]["members"].as_array().unwrap();
    let members: BTreeSet<&str> = members.iter().filter_map(Value::as_str).collect();
    assert_eq!(members, ARROWS.iter().map(|(folder, _)| *folder).collect());
}

#[test]
fn the_contract_needs_no_runtime() {
    let needed = dependencies(&manifest("gateway-spec"), "dependencies", false);
    let allowed: BTreeSet<String> = ["bytes", "futures-core", "http", "memchr", "thiserror"].map(str::to_owned).into();
    assert!(needed.is_subset(&allowed), "{needed:?}");
}

#[test]
fn a_cgi_program_needs_no_runtime() {
    let needed = dependencies(&manifest("gateway-cgi"), "dependencies", false);
    for name in ["tokio", "tracing", "rustix"] {
        assert!(!needed.contains(name), "{name} is for the host only");
    }
}

#[test]
fn every_crate_obeys_the_workspace_lints() {
    for (folder, _) in ARROWS {
        let manifest = manifest(folder);
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{folder}");
    }
}

#[test]
fn codecs_and_machines_hold_no_io() {
    for folder in WITHOUT_IO {
        let files = rust_files(&workspace().join(folder));
        assert!(!files.is_empty(), "{folder} is empty");
        for file in files.iter().filter(|f| !is_test_file(f)) {
            let text = fs::read_to_string(file).unwrap();
            for (number, line) in code_lines(&text) {
                let found = FORBIDDEN.iter().find(|word| line.contains(**word));
                assert!(found.is_none(), "{}:{number} holds {found:?}: {line}", file.display());
            }
        }
    }
}

#[test]
fn unsafe_code_is_forbidden_where_it_was_promised() {
    for folder in ["gateway-spec", "gateway-fastcgi", "gateway-server"] {
        let head = fs::read_to_string(workspace().join(folder).join("src/lib.rs")).unwrap();
        assert!(head.contains("#![forbid(unsafe_code)]"), "{folder}");
    }
}

#[test]
fn every_file_says_what_it_holds_and_is_no_longer_than_600_lines() {
    for (folder, _) in ARROWS {
        for file in rust_files(&workspace().join(folder).join("src")) {
            if is_test_file(&file) {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            // One line that only names what to run needs no head.
            assert!(text.starts_with("//!") || text.lines().count() < 6, "{} has no head", file.display());
            assert!(text.lines().count() <= 600, "{} is too long", file.display());
        }
    }
}

#[test]
fn the_promised_files_exist() {
    let files = [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "deny.toml",
        ".ci/run",
        "docs/ARCHITECTURE.md",
        "docs/SPEC.md",
        "docs/SUPPORTED.md",
        "docs/pep3333.md",
        "docs/decisions",
        "tests/run.sh",
        "tests/fuzz.sh",
        "tests/fuzz/Cargo.toml",
    ];
    for file in files {
        assert!(workspace().join(file).exists(), "{file} is missing");
    }
}

#[test]
fn the_top_level_has_no_other_folders() {
    let known: BTreeSet<&str> = ARROWS.iter().map(|(folder, _)| *folder).chain(["docs", "target"]).collect();
    for entry in fs::read_dir(workspace()).unwrap().map(Result::unwrap).filter(|e| e.path().is_dir()) {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(name.starts_with('.') || known.contains(name.as_str()), "{name} needs a decision page");
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in fs::read_dir(folder).into_iter().flatten().map(|e| e.unwrap().path()) {
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}

fn is_test_file(path: &Path) -> bool {
    path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")))
}

/// Lines with their numbers, without comments and without what follows `#[cfg(test)]`, which stands last in a file.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = code.lines().enumerate().map(|(at, line)| (at + 1, line.split("//").next().unwrap_or_default()));
    lines.filter(|(_, line)| !line.trim().is_empty())
}
