//! Where other servers answer the corpus otherwise than we do, and why: the page `docs/http1-differences.md`.
//!
//! Holds what counts as a difference, the groups written by hand in `tests/corpus/http1/differences.toml`, and the page. Does
//! not hold the servers. Versions of servers differ from machine to machine, so little is compared: for each answer whether
//! it is 2xx, 4xx or 5xx, what the application saw, and whether the connection lives on.

use std::fmt::Write as _;
use std::fs;

use serde::Deserialize;

use super::answers::Outcome;
use super::{Case, FOLDER};
use crate::programs::workspace;

/// The file with the groups, among those of the cases.
pub const FILE: &str = "differences.toml";

/// What one server made of all cases.
#[derive(Debug)]
pub struct Column {
    /// `nginx`
    pub server: &'static str,
    /// `1.22.1`
    pub version: String,
    /// In the order of the cases.
    pub outcomes: Vec<Outcome>,
}

/// Differences that have one reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// What the others do.
    title: String,
    /// The servers it explains.
    servers: Vec<String>,
    /// How theirs begins: `takes`, `refuses`, `goes on` (an error, and the connection lives on) or `says nothing`.
    theirs: String,
    /// Ids; a last `*` stands for any end.
    cases: Vec<String>,
    /// Why we do otherwise.
    reason: String,
}

impl Group {
    fn explains(&self, server: &str, case: &str, theirs: &Outcome) -> bool {
        let is_case = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => case.starts_with(beginning),
            None => case == pattern,
        };
        self.servers.iter().any(|s| s == server) && self.theirs == kind(theirs) && self.cases.iter().any(is_case)
    }
}

/// The groups, in their order.
///
/// # Panics
/// If the file is not as it must be.
pub fn groups() -> Vec<Group> {
    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        group: Vec<Group>,
    }
    let path = workspace().join(FOLDER).join(FILE);
    let text = fs::read_to_string(&path).expect("the file of groups");
    toml::from_str::<File>(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display())).group
}

/// What of two outcomes must agree.
fn is_same(ours: &Outcome, theirs: &Outcome) -> bool {
    let classes = |outcome: &Outcome| outcome.answers.iter().map(|a| a.status / 100).collect::<Vec<_>>();
    // What a server answers by itself was seen by no application.
    let seen = ours.answers.iter().zip(&theirs.answers).all(|(ours, theirs)| match (&ours.seen, &theirs.seen) {
        (Some(ours), Some(theirs)) => ours == theirs,
        _ => true,
    });
    classes(ours) == classes(theirs) && seen && ours.open == theirs.open
}

fn kind(outcome: &Outcome) -> &'static str {
    match outcome.answers.last() {
        None => "says nothing",
        Some(answer) if answer.status < 400 => "takes",
        Some(_) if outcome.open => "goes on",
        Some(_) => "refuses",
    }
}

/// As in the corpus: `400 close`. What an application saw is added where only that differs.
fn shown(outcome: &Outcome, other: &Outcome) -> String {
    let mut text: String = outcome.answers.iter().map(|answer| format!("{} ", answer.status)).collect();
    text.push_str(if outcome.open { "open" } else { "close" });
    if outcome.statuses() == other.statuses() && outcome.open == other.open {
        let seen: Vec<&str> = outcome.answers.iter().filter_map(|answer| answer.seen.as_deref()).collect();
        let _ = write!(text, ", sees `{}`", seen.join("`, `"));
    }
    text
}

/// What came of comparing.
#[derive(Debug)]
pub struct Comparison {
    /// The page.
    pub page: String,
    /// Differences that no group explains.
    pub unexplained: Vec<String>,
    /// Groups that explain nothing.
    pub idle: Vec<String>,
}

/// Compares and writes the page.
pub fn compare(cases: &[Case], ours: &[Outcome], others: &[Column]) -> Comparison {
    let groups = groups();
    let (mut page, mut unexplained, mut idle) = (introduction(cases, others), Vec::new(), Vec::new());
    let mut tables: Vec<Vec<Row<'_>>> = groups.iter().map(|_| Vec::new()).collect();
    for column in others {
        let differing =
            cases.iter().zip(ours).zip(&column.outcomes).filter(|((_, ours), theirs)| !is_same(ours, theirs));
        let mut count = 0;
        for ((case, ours), theirs) in differing {
            count += 1;
            let (server, answer) = (column.server, format!("{}: {}", column.server, shown(theirs, ours)));
            let ours = shown(ours, theirs);
            match groups.iter().position(|group| group.explains(server, &case.id, theirs)) {
                Some(at) => tables[at].push(Row { case: &case.id, ours, theirs: answer }),
                None => unexplained.push(format!("{}: {answer} ({}), we {ours}", case.id, kind(theirs))),
            }
        }
        let _ = writeln!(page, "| {} | {} | {} | {count} |", column.server, column.version, cases.len() - count);
    }
    for (group, rows) in groups.iter().zip(tables) {
        if rows.is_empty() {
            idle.push(group.title.clone());
            continue;
        }
        let _ = write!(page, "\n## {}\n\n{}\n\n", group.title, group.reason.trim());
        page.push_str(&table(&rows));
    }
    Comparison { page, unexplained, idle }
}

/// One line of a table; answers of several servers stand together where ours is told the same way.
struct Row<'a> {
    case: &'a str,
    ours: String,
    theirs: String,
}

fn table(rows: &[Row<'_>]) -> String {
    let mut table = "| case | ours | theirs |\n| --- | --- | --- |\n".to_owned();
    for (at, row) in rows.iter().enumerate() {
        let is_alike = |other: &&Row<'_>| (other.case, &other.ours) == (row.case, &row.ours);
        if rows[..at].iter().any(|other| is_alike(&other)) {
            continue;
        }
        let theirs: Vec<&str> = rows.iter().filter(is_alike).map(|row| row.theirs.as_str()).collect();
        let _ = writeln!(table, "| `{}` | {} | {} |", row.case, row.ours, theirs.join("; "));
    }
    table
}

fn introduction(cases: &[Case], others: &[Column]) -> String {
    let names: Vec<&str> = others.iter().map(|column| column.server).collect();
    format!(
        "# HTTP/1.1: the same bytes sent to others

Each of the {} requests of `tests/corpus/http1` is sent to our listener and to {}, over a socket, and a sound request
behind it. An application that reads the whole body and says what it saw stands behind each. This page holds every case in
which an answer differs: in its class (2xx, 4xx, 5xx), in what the application saw, or in whether the connection lives on.
`400 close` is an answer and the end of the connection, `200 open` one after which the sound request was answered too, and
`close` alone no answer at all.

The reasons are written by hand, in `tests/corpus/http1/{FILE}`; a difference without one fails the test, and so does a page
that is not what the same versions of the servers gave. `UPDATE_DOCS=1 cargo test -p gateway-tests --test http1_differences`
writes it anew.

A server that takes more than we do is not wrong: RFC 9112 leaves much to the reader. But a request that goes through several
readers is safe only where all of them take the same message from it, and the strict one cannot be led to another.

| server | version | cases alike | cases that differ |
| --- | --- | --- | --- |
",
        cases.len(),
        names.join(", "),
    )
}

/// Does the page tell of these versions?
pub fn is_of(page: &str, others: &[Column]) -> bool {
    others.iter().all(|column| page.contains(&format!("\n| {} | {} | ", column.server, column.version)))
}
