//! `docs/pep3333.md` says of every requirement of PEP 3333 how it is kept, and names tests that exist.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use gateway_spec::lint::RULES;

/// One row of the table: `| id | how | where | tests |`.
struct Row {
    how: BTreeSet<String>,
    places: Vec<String>,
    tests: Vec<String>,
    explanation: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// The first cells of all rows whose id begins with `PEP-`.
fn ids(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.strip_prefix("| PEP-")?.split(' ').next()).map(|n| format!("PEP-{n}")).collect()
}

/// What stands between backticks.
fn code(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn rows() -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    for line in read("pep3333.md").lines().filter(|line| line.starts_with("| PEP-")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [id, how, place, last] = cells[..] else { panic!("not four cells: {line}") };
        let how = how.split(", ").map(str::to_owned).collect();
        let row = Row { how, places: code(place), tests: code(last), explanation: place.to_owned() };
        assert!(rows.insert(id.to_owned(), row).is_none(), "{id} is there twice");
    }
    rows
}

/// The names of all functions in the workspace's sources.
fn functions() -> BTreeSet<String> {
    fn walk(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && !path.is_symlink() {
                if name != "target" && !name.starts_with('.') {
                    walk(&path, names);
                }
            } else if name.ends_with(".rs") {
                // A file that is being written right now, or has just gone, has no functions yet.
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                names.extend(text.split("fn ").skip(1).map(|rest| {
                    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
                }));
            }
        }
    }
    let mut names = BTreeSet::new();
    walk(&root(), &mut names);
    names
}

#[test]
fn every_requirement_stands_in_the_table() {
    let required = ids(&read("requirements/pep3333.md"));
    assert!(required.len() > 100, "the requirements were not found");
    let rows = rows();
    let missing: Vec<_> = required.iter().filter(|id| !rows.contains_key(*id)).collect();
    assert!(missing.is_empty(), "not in docs/pep3333.md: {missing:?}");
    let unknown: Vec<_> = rows.keys().filter(|id| !required.contains(id)).collect();
    assert!(unknown.is_empty(), "no requirements: {unknown:?}");
}

#[test]
fn every_row_says_how_and_names_a_test_or_a_reason() {
    for (id, row) in rows() {
        for how in &row.how {
            let known = ["type", "lint", "driver", "gateway", "explained"].contains(&how.as_str());
            assert!(known, "{id}: {how:?} is no way to keep a requirement");
        }
        if row.how.contains("explained") {
            assert!(row.explanation.len() > 20, "{id}: no reason is given");
        } else {
            assert!(!row.tests.is_empty(), "{id}: no test is named");
        }
    }
}

#[test]
fn every_test_in_the_table_exists() {
    let functions = functions();
    for (id, row) in rows() {
        for test in row.tests {
            assert!(functions.contains(&test), "{id}: there is no test {test}");
        }
    }
    // Those that the text below the table names.
    for name in code(&read("pep3333.md")) {
        let has_id = ["pep_", "http_", "cgi_", "fcgi_"]
            .iter()
            .any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())));
        assert!(!has_id || functions.contains(&name), "there is no test {name}");
    }
}

#[test]
fn every_place_in_the_table_exists() {
    for (id, row) in rows() {
        for place in row.places.iter().filter(|place| place.contains('/')) {
            assert!(root().join(place).exists(), "{id}: there is no {place}");
        }
    }
}

#[test]
fn the_rows_of_the_lint_are_those_of_its_rules() {
    let in_table: BTreeSet<_> =
        rows().into_iter().filter(|(_, row)| row.how.contains("lint")).map(|(id, _)| id).collect();
    let in_rules: BTreeSet<_> =
        RULES.iter().map(|rule| rule.id.to_owned()).filter(|id| id.starts_with("PEP-")).collect();
    let missing: Vec<_> = in_rules.difference(&in_table).collect();
    assert!(missing.is_empty(), "the lint checks these, and the table does not say so: {missing:?}");
}
