//! The corpus of requests in `tests/corpus/http1`: what is sent, what we answer, and why.
//!
//! Holds reading the files and the two notations that stand for bytes. What a server answers is read in [`answers`], what
//! ours answers is made in [`seeing`], and the page that tells where others differ in [`differences`].

pub mod answers;
pub mod differences;
pub mod seeing;

use std::fs;
use std::ops::Range;

use serde::Deserialize;

use crate::programs::workspace;

/// Where the corpus is.
const FOLDER: &str = "tests/corpus/http1";

/// What follows a case on its connection, to see whether it lives on.
pub const PROBE: &[u8] = b"GET /probe HTTP/1.1\r\nHost: a\r\n\r\n";

/// What a server says it saw when it took [`PROBE`].
pub const PROBE_SEEN: &str = "GET /probe";

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// The requirement and the observation: `http_2_lf_ends_a_field`.
    pub id: String,
    /// What is sent.
    pub bytes: Vec<u8>,
    /// Does [`PROBE`] follow, or the client's end?
    pub probed: bool,
    /// The statuses that answer it, in order, without the probe's.
    pub statuses: Vec<u16>,
    /// Does the connection live on?
    pub open: bool,
    /// The rule that the machine names, a variant of `RequestError`.
    pub error: Option<String>,
    /// The requests that come out: method, target, and the body if it is not empty and came whole.
    pub sees: Vec<Vec<u8>>,
    /// Why it is answered so.
    pub why: String,
    /// The runs of one text in `bytes`.
    runs: Vec<Range<usize>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    bytes: String,
    then: Option<String>,
    answer: String,
    error: Option<String>,
    #[serde(default)]
    sees: Vec<String>,
    why: String,
}

impl Case {
    /// All that is sent: the bytes, and the probe unless the client ends there.
    pub fn input(&self) -> Vec<u8> {
        let probe: &[u8] = if self.probed { PROBE } else { b"" };
        [&self.bytes, probe].concat()
    }

    /// The offsets at which the input is cut in two: each, but within a long run of one text only some at its ends and
    /// some in its middle, for the others are alike.
    pub fn cuts(&self) -> Vec<usize> {
        const ENDS: usize = 12;
        let skipped = |at: usize| {
            let run = self.runs.iter().find(|run| run.len() > 2000 && run.contains(&at));
            run.is_some_and(|run| at - run.start > ENDS && run.end - at > ENDS && !at.is_multiple_of(run.len() / 24))
        };
        (0..=self.input().len()).filter(|at| !skipped(*at)).collect()
    }

    /// What the server sees, as [`seen`] shortens it.
    pub fn seen(&self) -> Vec<String> {
        self.sees.iter().map(|text| seen(text)).collect()
    }
}

/// A request as a server tells it in a field of its answer: escaped, and only its beginning and length if it is long.
pub fn seen(text: &[u8]) -> String {
    let text = text.escape_ascii().to_string();
    match text.get(..40) {
        Some(beginning) if text.len() > 300 => format!("{beginning}+{}", text.len()),
        _ => text,
    }
}

/// All cases, in the order of the files' names and of their ids.
///
/// # Panics
/// If a file is not as `tests/corpus/http1/README.md` says.
pub fn all() -> Vec<Case> {
    let folder = workspace().join(FOLDER);
    let mut files: Vec<_> =
        fs::read_dir(&folder).expect("the corpus is there").map(|e| e.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "toml") && !file.ends_with(differences::FILE));
    files.sort();
    let mut cases: Vec<Case> = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a file of the corpus");
        let written: toml::Table = text.parse().unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        for (id, value) in written {
            let written: Written = value.try_into().unwrap_or_else(|e| panic!("{}, {id}: {e}", file.display()));
            assert!(cases.iter().all(|case| case.id != id), "{id} stands in two files");
            cases.push(case(id, written));
        }
    }
    cases
}

fn case(id: String, written: Written) -> Case {
    let (bytes, runs) = bytes(&written.bytes);
    let mut words: Vec<&str> = written.answer.split(' ').collect();
    let open = match words.pop() {
        Some("open") => true,
        Some("close") => false,
        _ => panic!("{id}: the answer ends with neither `open` nor `close`"),
    };
    let statuses =
        words.iter().map(|word| word.parse().unwrap_or_else(|_| panic!("{id}: {word} is no status"))).collect();
    let probed = match written.then.as_deref() {
        None => true,
        Some("end") => false,
        Some(other) => panic!("{id}: {other:?} may not follow"),
    };
    let sees = written.sees.iter().map(|text| self::bytes(text).0).collect();
    Case { id, bytes, probed, statuses, open, error: written.error, sees, why: written.why, runs }
}

/// The bytes of a text: each character up to U+00FF is one, and `⟨text×N⟩` is N times the text.
fn bytes(text: &str) -> (Vec<u8>, Vec<Range<usize>>) {
    let (mut bytes, mut runs) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some((before, run)) = rest.split_once('⟨') {
        let (run, behind) = run.split_once('⟩').unwrap_or_else(|| panic!("{text}: ⟨ without ⟩"));
        let (run, times) = run.split_once('×').unwrap_or_else(|| panic!("{text}: ⟨ without ×"));
        let times = times.parse().unwrap_or_else(|_| panic!("{text}: {times} is no number"));
        bytes.extend(latin_1(before));
        let start = bytes.len();
        bytes.extend(latin_1(run).repeat(times));
        runs.push(start..bytes.len());
        rest = behind;
    }
    bytes.extend(latin_1(rest));
    (bytes, runs)
}

fn latin_1(text: &str) -> Vec<u8> {
    let byte = |c| u8::try_from(u32::from(c)).unwrap_or_else(|_| panic!("{text}: {c:?} is no byte"));
    text.chars().map(byte).collect()
}
