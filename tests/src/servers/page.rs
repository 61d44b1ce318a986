//! The configurations of `docs/deploy/`, taken out of the pages: what a page shows is what the tests start.
//!
//! Holds finding a block and putting the test's own paths and ports in. Does not hold what a server needs around it.

use std::fmt::Display;
use std::fs;

use crate::programs::workspace;

/// A fenced block of a page, which the test makes its own before it is used.
#[derive(Debug, Clone)]
pub struct Block {
    text: String,
    from: String,
}

/// The first fenced block below this heading of `docs/deploy/PAGE.md`.
///
/// # Panics
/// If the page has no such heading, or nothing fenced below it.
pub fn block(page: &str, heading: &str) -> Block {
    let file = workspace().join("docs/deploy").join(page).with_extension("md");
    let from = format!("{}, {heading:?}", file.display());
    let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut lines = text.lines().skip_while(|line| line.trim_start_matches('#') != format!(" {heading}"));
    assert!(lines.next().is_some(), "{from}: no such heading");
    let section = lines.take_while(|line| !line.starts_with('#') || line.starts_with("# "));
    let fenced: Vec<&str> = section.skip_while(|line| !line.starts_with("```")).skip(1).collect();
    let end = fenced.iter().position(|line| line.starts_with("```"));
    let end = end.unwrap_or_else(|| panic!("{from}: no fenced block below it"));
    Block { text: fenced[..end].iter().flat_map(|line| [*line, "\n"]).collect(), from }
}

impl Block {
    /// Puts what the test has where the page names a path or an address of an imagined machine.
    ///
    /// # Panics
    /// If the page does not name it: then the test would start something else than what the page shows.
    #[must_use]
    pub fn with(mut self, theirs: &str, ours: impl Display) -> Self {
        assert!(self.text.contains(theirs), "{}: {theirs:?} is not there", self.from);
        self.text = self.text.replace(theirs, &ours.to_string());
        self
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }
}
