//! `docs/cgi.md`, `docs/fastcgi.md` and `docs/http1.md` say of every row of their requirements how it is kept, and name files,
//! keys and tests that exist.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;

use gateway_tests::programs::workspace;

/// A page about a list of requirements.
struct Page {
    file: &'static str,
    requirements: &'static str,
    /// What the ids begin with.
    ids: &'static str,
    /// Who may keep a row, beside `explained`.
    keepers: &'static [&'static str],
}

const CGI: Page =
    Page { file: "cgi.md", requirements: "requirements/cgi.md", ids: "CGI-", keepers: &["server", "host", "program"] };

const FASTCGI: Page = Page {
    file: "fastcgi.md",
    requirements: "requirements/fastcgi.md",
    ids: "FCGI-",
    keepers: &["worker", "client", "manager", "server"],
};

const HTTP: Page = Page {
    file: "http1.md",
    requirements: "requirements/http1.md",
    ids: "HTTP-",
    keepers: &["machine", "listener", "driver", "gateway", "files", "proxy", "tls"],
};

const PAGES: [Page; 3] = [CGI, FASTCGI, HTTP];

/// One row: `| id | who | what we do, and where | tests |`.
struct Row {
    who: Vec<String>,
    what: String,
    tests: Vec<String>,
}

impl Row {
    fn is_explained(&self) -> bool {
        self.who.iter().any(|who| who == "explained")
    }

    /// Belongs to a part that is still being made.
    fn is_open(&self) -> bool {
        self.who == ["open"]
    }

    /// The files and folders that it names.
    fn places(&self) -> Vec<String> {
        let is_place = |code: &String| code.ends_with(".rs") || (code.contains('/') && code.ends_with('/'));
        code(&self.what).into_iter().filter(is_place).collect()
    }
}

impl Page {
    fn text(&self) -> String {
        read(self.file)
    }

    fn rows(&self) -> BTreeMap<String, Row> {
        let page = self.text();
        let mut rows = BTreeMap::new();
        for row in cells(&page).filter(|row| row.first().is_some_and(|id| id.starts_with(self.ids))) {
            let [id, who, what, tests] = row[..] else { panic!("not four cells: {row:?}") };
            let who = who.split(", ").map(str::to_owned).collect();
            let row = Row { who, what: what.to_owned(), tests: code(tests) };
            assert!(rows.insert(id.to_owned(), row).is_none(), "{id} is there twice");
        }
        rows
    }
}

fn read(name: &str) -> String {
    std::fs::read_to_string(workspace().join("docs").join(name)).unwrap()
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

/// The names of all test functions in the workspace's sources, and of all cases of the corpus.
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
            } else if name.ends_with(".toml") && folder.ends_with("tests/corpus/http1") {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                names.extend(
                    text.lines().filter_map(|line| Some(line.strip_prefix('[')?.strip_suffix(']')?.to_owned())),
                );
            }
        }
    }
    let mut names = BTreeSet::new();
    walk(workspace(), &mut names);
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

/// Is this one of the ids in a test's name? `fcgi_5_137_only_listed_peers` has FCGI-5 and FCGI-137, `http_31_to_33_target_forms`
/// has HTTP-31 to HTTP-33.
fn carries(test: &str, id: &str) -> bool {
    let (prefix, number) = id.split_once('-').unwrap();
    let number: u32 = number.parse().unwrap();
    let words: Vec<&str> = test.split('_').collect();
    let starts = (0..words.len()).filter(|at| words[*at] == prefix.to_ascii_lowercase());
    starts.flat_map(|at| numbers(&words[at + 1..])).any(|range| range.contains(&number))
}

/// The numbers at the beginning of `words`, with `and` and `to` between them.
fn numbers(words: &[&str]) -> Vec<RangeInclusive<u32>> {
    let (mut ranges, mut is_range): (Vec<RangeInclusive<u32>>, bool) = (Vec::new(), false);
    for word in words {
        match (word.parse(), ranges.last_mut()) {
            (Ok(end), Some(last)) if is_range => *last = *last.start()..=end,
            (Ok(number), _) => ranges.push(number..=number),
            (Err(_), Some(_)) if ["and", "to"].contains(word) => {}
            (Err(_), _) => break,
        }
        is_range = *word == "to";
    }
    ranges
}

#[test]
fn every_row_of_the_requirements_stands_in_the_page_once() {
    for page in PAGES {
        let requirements = read(page.requirements);
        let required: BTreeSet<_> =
            cells(&requirements).filter_map(|row| row.first().copied()).filter(|id| id.starts_with(page.ids)).collect();
        assert!(required.len() > 90, "the requirements of {} were not found", page.file);
        let rows = page.rows();
        let missing: Vec<_> = required.iter().filter(|id| !rows.contains_key(**id)).collect();
        assert!(missing.is_empty(), "not in docs/{}: {missing:?}", page.file);
        let unknown: Vec<_> = rows.keys().filter(|id| !required.contains(id.as_str())).collect();
        assert!(unknown.is_empty(), "no requirements: {unknown:?}");
    }
}

#[test]
fn every_row_says_who_keeps_it_and_names_a_test_or_a_reason() {
    for page in PAGES {
        for (id, row) in page.rows().into_iter().filter(|(_, row)| !row.is_open()) {
            for who in &row.who {
                assert!(who == "explained" || page.keepers.contains(&who.as_str()), "{id}: who is {who:?}?");
            }
            assert!(!row.is_explained() || row.who.len() == 1, "{id}: kept and explained away at once");
            assert!(row.is_explained() || !row.tests.is_empty(), "{id}: no test is named");
            assert!(row.what.len() > if row.is_explained() { 30 } else { 10 }, "{id}: it says too little");
            assert!(row.is_explained() || !row.places().is_empty(), "{id}: no file is named");
        }
    }
}

#[test]
fn every_row_of_fastcgi_and_http_that_is_kept_has_a_test_with_its_id() {
    for page in [FASTCGI, HTTP] {
        for (id, row) in page.rows().iter().filter(|(_, row)| !row.is_explained() && !row.is_open()) {
            assert!(row.tests.iter().any(|test| carries(test, id)), "{id}: none of {:?} has its id", row.tests);
        }
    }
}

#[test]
fn every_test_with_an_id_of_fastcgi_or_http_has_a_requirement() {
    let tests = tests();
    for (page, prefix) in [(FASTCGI, "fcgi_"), (HTTP, "http_")] {
        let rows = page.rows();
        let known = |test: &&String| rows.keys().any(|id| carries(test, id));
        let is_number = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
        let numbered = |test: &&String| test.strip_prefix(prefix).is_some_and(is_number);
        let unknown: Vec<_> = tests.iter().filter(numbered).filter(|test| !known(test)).collect();
        assert!(unknown.is_empty(), "no such requirement: {unknown:?}");
    }
}

#[test]
fn every_test_and_every_file_in_the_page_exists() {
    let tests = tests();
    for page in PAGES {
        for (id, row) in page.rows() {
            for place in row.places() {
                assert!(workspace().join(&place).exists(), "{id}: there is no {place}");
            }
            for test in row.tests {
                assert!(tests.contains(&test), "{id}: there is no test {test}");
            }
        }
        // Those in the text: no other code on the page has so many words, but some keys.
        let keys = read("command.md");
        for name in code(&page.text()).into_iter().filter(|name| is_test_name(name) && !keys.contains(name.as_str())) {
            assert!(tests.contains(&name), "docs/{}: there is no test {name}", page.file);
        }
    }
}

/// Only tests have names of so many small words.
fn is_test_name(name: &str) -> bool {
    let small = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    name.matches('_').count() > 3 && name.bytes().all(small)
}

#[test]
fn every_key_in_the_page_is_one_of_a_mount() {
    let (page, keys) = (CGI.text(), read("command.md"));
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
fn every_limit_of_fastcgi_in_the_page_can_be_set_and_those_of_a_connection_are_all_there() {
    let page = FASTCGI.text();
    let section = page.split("\n## ").find(|part| part.starts_with("Limits")).unwrap();
    let named: BTreeSet<String> = cells(section).flat_map(|row| code(row[0])).filter(|n| !n.contains(':')).collect();
    assert!(named.len() > 25, "the limits were not found");
    let folder = workspace().join("gateway-fastcgi/src");
    let setters = |file: &str| {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix("pub fn ")?.split_once("(mut self"));
        lines.map(|(name, _)| name.to_owned()).collect::<BTreeSet<_>>()
    };
    let files = ["connection/limits.rs", "worker/config.rs", "client/config.rs", "manager/config.rs"];
    let all: BTreeSet<String> = files.iter().flat_map(|file| setters(file)).collect();
    let unknown: Vec<_> = named.difference(&all).collect();
    assert!(unknown.is_empty(), "no such limits: {unknown:?}");
    let limits = setters("connection/limits.rs");
    let missing: Vec<_> = limits.difference(&named).collect();
    assert!(missing.is_empty(), "not in docs/fastcgi.md: {missing:?}");
}

#[test]
fn every_limit_of_http_is_in_the_page_and_can_be_set() {
    let page = HTTP.text();
    let section = page.split("\n## ").find(|part| part.starts_with("Limits")).unwrap();
    let named: BTreeSet<String> = cells(section).flat_map(|row| code(row[0])).collect();
    assert!(named.len() > 20, "the limits were not found");
    let setters = |file: &str| {
        let text = std::fs::read_to_string(workspace().join("gateway-server/src").join(file)).unwrap();
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix("pub fn ")?.split_once("(mut self"));
        lines.map(|(name, _)| name.to_owned()).collect::<BTreeSet<_>>()
    };
    let (limits, mut config) = (setters("h1/limits.rs"), setters("serve/config.rs"));
    config.extend(setters("serve/config/times.rs"));
    let all: BTreeSet<&String> = limits.union(&config).collect();
    let unknown: Vec<_> = named.iter().filter(|name| !all.contains(name)).collect();
    assert!(unknown.is_empty(), "no such limits: {unknown:?}");
    let bounds = |name: &&String| !NO_LIMITS.contains(&name.as_str());
    let missing: Vec<_> =
        limits.iter().chain(config.iter().filter(bounds)).filter(|name| !named.contains(*name)).collect();
    assert!(missing.is_empty(), "not in docs/http1.md: {missing:?}");
    // Whatever stands in the configuration, and whoever it binds.
    let told: BTreeSet<String> = section.lines().flat_map(code).collect();
    let keys = std::fs::read_to_string(workspace().join("docs/command.md")).unwrap();
    let keys_of = |table: &str| -> Vec<String> {
        let (_, after) = keys.rsplit_once(&format!("\n[{table}]\n")).unwrap();
        let lines = after.lines().take_while(|line| line.starts_with("  "));
        let names = lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
        names.map(str::to_owned).collect()
    };
    let (sizes, times) = (keys_of("limits"), keys_of("timeouts"));
    assert!(sizes.len() > 15 && times.len() > 7, "the keys were not found: {sizes:?} {times:?}");
    let untold = |key: &&String| !told.contains(*key) && !told.contains(&format!("{key}_timeout"));
    let missing: Vec<_> = sizes.iter().chain(&times).filter(untold).collect();
    assert!(missing.is_empty(), "not in docs/http1.md: {missing:?}");
}

/// What of `serve::Config` says how or where, not how much or how long.
const NO_LIMITS: [&str; 11] = [
    "connection_threads",
    "errors",
    "hosts",
    "limits",
    "model",
    "server_field",
    "shared_calls",
    "telemetry",
    "threads",
    "trusted_fields",
    "trusted_proxies",
];

#[test]
fn tests_are_found_behind_their_attributes() {
    let source = "#[test]\nfn a_1() {}\nfn no() {}\n#[tokio::test(flavor = \"x\")]\n#[cfg(unix)]\nasync fn b() {}\n";
    assert_eq!(tests_in(source), ["a_1", "b"]);
}

#[test]
fn the_ids_of_a_test_are_the_numbers_behind_its_prefix() {
    for (test, id, expected) in [
        ("fcgi_5_137_only_listed_peers", "FCGI-137", true),
        ("fcgi_5_137_only_listed_peers", "FCGI-13", false),
        ("cgi_28_fcgi_132_ambiguous_paths", "FCGI-132", true),
        ("cgi_28_fcgi_132_ambiguous_paths", "FCGI-28", false),
        ("fcgi_46_after_7_records", "FCGI-7", false),
        ("http_31_to_33_target_forms", "HTTP-32", true),
        ("http_31_to_33_target_forms", "HTTP-34", false),
        ("http_10_and_166_an_old_client", "HTTP-166", true),
        ("http_10_and_166_an_old_client", "HTTP-11", false),
    ] {
        assert_eq!(carries(test, id), expected, "{test} {id}");
    }
}
