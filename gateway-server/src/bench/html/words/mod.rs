//! Sentences from numbers.
//!
//! Every function here is pure, and its words follow from the numbers: each case that the numbers can make has its own
//! sentence, the surprising ones too. What was not measured is not spoken of.

pub(super) mod choice;
pub(super) mod method;
pub(super) mod seen;
pub(super) mod spawn;
pub(crate) mod stages;
pub(super) mod summary;

use super::super::model::{Front, Way};
use super::super::result::Measured;

/// What a model is called where it stands for its way: `FastCGI`, or its title where another server listens.
fn name(measured: &Measured) -> &str {
    match (measured.model.front, measured.model.way) {
        (Front::Application | Front::Gateway, Way::InProcess) => "in-process",
        (Front::Gateway, Way::FastCgiUnix | Way::FastCgiTcp) => "FastCGI",
        (Front::Gateway, Way::Cgi) => "CGI",
        _ => &measured.model.title,
    }
}

/// `in-process`, `with FastCGI`, `as CGI`.
fn form(name: &str) -> String {
    match name {
        "in-process" => name.to_owned(),
        "CGI" => "as CGI".to_owned(),
        other => format!("with {other}"),
    }
}

/// `a`, `a and b`, `a, b and c`.
fn joined(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// A sentence begins with a capital letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_aloud() {
        let items: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        assert_eq!(joined(&items), "a, b and c");
        assert_eq!(joined(&items[..2]), "a and b");
        assert_eq!(joined(&items[..1]), "a");
        assert_eq!(joined(&[]), "");
        assert_eq!(sentence("in-process"), "In-process");
        assert_eq!(sentence(""), "");
    }
}
