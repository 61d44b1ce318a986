//! `docs/cgi.md` says of every row of the requirements how it is kept, and names files, keys and tests that exist.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// One row: `| id | who | what we do, and where | tests |`.
struct Row {
    who: Vec<String>,
    what: String,
    tests: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// The cells of every line that is a row of a table.
fn cells(page: &str) -> impl Iterator<Item = Vec<&str>> {
    let tables = page.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    tables.map(|row| row.split('|').map(str::trim).collect())
}

/// What stands between backticks.
fn code(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn rows() -> BTreeMap<String, Row> {
    let page = read("cgi.md");
    let mut rows = BTreeMap::new();
    for row in cells(&page).filter(|row| row.first().is_some_and(|id| id.starts_with("CGI-"))) {
        let [id, who, what, tests] = row[..] else { panic!("not four cells: {row:?}") };
        let who = who.split(", ").map(str::to_owned).collect();
        let row = Row { who, what: what.to_owned(), tests: code(tests) };
        assert!(rows.insert(id.to_owned(), row).is_none(), "{id} is there twice");
    }
    rows
}

/// The names of all test functions in the workspace's sources.
fn tests() -> BTreeSet<String> {
    fn walk(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && !path.is_symlink() {
                if name != "target" && !name.starts_with('.') {
                    walk(&path, names);
                }
            } else if name.ends_with(".rs") {
                // A file that is being written right now, or has just gone, has no tests yet.
                names.extend(tests_in(&std::fs::read_to_string(&path).unwrap_or_default()));
            }
        }
    }
    let mut names = BTreeSet::new();
    walk(&root(), &mut names);
    names
}

/// The functions behind a `#[test]` or `#[tokio::test…]`, whatever other attributes stand between.
fn tests_in(source: &str) -> Vec<String> {
    let (mut names, mut marked) = (Vec::new(), false);
    for line in source.lines().map(str::trim) {
        marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if let Some(rest) = function.filter(|_| marked) {
            names.push(rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect());
            marked = false;
        }
    }
    names
}

#[test]
fn every_row_of_the_requirements_stands_in_the_page_once() {
    let requirements = read("requirements/cgi.md");
    let required: BTreeSet<_> =
        cells(&requirements).filter_map(|row| row.first().copied()).filter(|id| id.starts_with("CGI-")).collect();
    assert!(required.len() > 130, "the requirements were not found");
    let rows = rows();
    let missing: Vec<_> = required.iter().filter(|id| !rows.contains_key(**id)).collect();
    assert!(missing.is_empty(), "not in docs/cgi.md: {missing:?}");
    let unknown: Vec<_> = rows.keys().filter(|id| !required.contains(id.as_str())).collect();
    assert!(unknown.is_empty(), "no requirements: {unknown:?}");
}

#[test]
fn every_row_says_who_keeps_it_and_names_a_test_or_a_reason() {
    for (id, row) in rows() {
        for who in &row.who {
            assert!(["server", "host", "program", "explained"].contains(&who.as_str()), "{id}: who is {who:?}?");
        }
        let explained = row.who.iter().any(|who| who == "explained");
        assert!(!explained || row.who.len() == 1, "{id}: kept and explained away at once");
        assert!(explained || !row.tests.is_empty(), "{id}: no test is named");
        assert!(row.what.len() > if explained { 30 } else { 10 }, "{id}: it says too little");
        let places = code(&row.what).into_iter().filter(|code| code.ends_with(".rs")).count();
        assert!(explained || places > 0, "{id}: no file is named");
    }
}

#[test]
fn every_test_and_every_file_in_the_page_exists() {
    let tests = tests();
    for (id, row) in rows() {
        for test in row.tests {
            assert!(tests.contains(&test), "{id}: there is no test {test}");
        }
        for place in code(&row.what).into_iter().filter(|code| code.ends_with(".rs")) {
            assert!(root().join(&place).is_file(), "{id}: there is no {place}");
        }
    }
    // Those in the text: no other code on the page has so many words.
    for name in code(&read("cgi.md")).into_iter().filter(|name| name.matches('_').count() > 3) {
        assert!(tests.contains(&name), "there is no test {name}");
    }
}

#[test]
fn every_key_in_the_page_is_one_of_a_mount() {
    let (page, keys) = (read("cgi.md"), read("command.md"));
    let section = |heading: &str| {
        page.split("\n## ").flat_map(|part| part.split("\n### ")).find(|part| part.starts_with(heading))
    };
    let column = |heading: &str, at: usize| -> Vec<String> {
        cells(section(heading).unwrap()).filter_map(|row| row.get(at).map(|cell| code(cell))).flatten().collect()
    };
    for (heading, at) in [("What RFC 3875 leaves", 2), ("Confinement", 0)] {
        let named = column(heading, at);
        assert!(named.len() > 8, "the keys were not found under {heading}");
        for key in named {
            assert!(keys.contains(&format!("\n  {key} ")), "there is no key {key}");
        }
    }
}

#[test]
fn tests_are_found_behind_their_attributes() {
    let source = "#[test]\nfn a_1() {}\nfn no() {}\n#[tokio::test(flavor = \"x\")]\n#[cfg(unix)]\nasync fn b() {}\n";
    assert_eq!(tests_in(source), ["a_1", "b"]);
}
