//! Tables of keys: which keys a thing has, what each allows, and where its value goes.
//!
//! Holds the one way in which flags, target options and the configuration file set anything: by a [`Rule`]. So they
//! cannot allow different things, and a mistake is described in the same words everywhere.

use std::fmt;
use std::io;
use std::path::Path;

/// One key of a `T`.
pub(super) struct Rule<T> {
    /// The key; one that ends in `.` stands for all keys that start with it, such as `env.NAME`.
    pub(super) key: &'static str,
    /// What a value may be, to be read after "allowed is".
    pub(super) allowed: &'static str,
    /// What the value means, and its default, for the [reference](super::reference).
    pub(super) about: &'static str,
    set: Set<T>,
}

/// Reads a value and puts it in its place; `None` if it is not allowed. The first text is the rest of the key.
type Set<T> = fn(&mut T, &str, &str) -> Option<()>;

impl<T> Rule<T> {
    pub(super) const fn new(key: &'static str, allowed: &'static str, about: &'static str, set: Set<T>) -> Self {
        Rule { key, allowed, about, set }
    }

    /// The key as it is shown.
    pub(super) fn name(&self) -> String {
        if self.key.ends_with('.') { format!("{}NAME", self.key) } else { self.key.to_owned() }
    }
}

/// Puts a value that was read in its place.
pub(super) fn put<T>(place: &mut Option<T>, value: Option<T>) -> Option<()> {
    *place = Some(value?);
    Some(())
}

/// [`put`] for a value that has a default of its own.
pub(super) fn set<T>(place: &mut T, value: Option<T>) -> Option<()> {
    *place = value?;
    Some(())
}

/// [`put`] for a key that repeats.
pub(super) fn add<T>(list: &mut Vec<T>, value: Option<T>) -> Option<()> {
    list.push(value?);
    Some(())
}

/// What is wrong with one value, key or thing that an operator wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// There is no such key.
    #[error("unknown; {}", known(.allowed))]
    Unknown {
        /// All the keys there are.
        allowed: Vec<String>,
    },
    /// The value is not one of those that the key takes.
    #[error("{given} is not allowed; allowed is {allowed}")]
    Value {
        /// The value, quoted and cut short.
        given: String,
        /// What is allowed.
        allowed: String,
    },
    /// The value is right in itself but not in this place.
    #[error("{given}: {why}")]
    Refused {
        /// The value, quoted and cut short.
        given: String,
        /// What keeps it from being used.
        why: String,
    },
    /// Something that must be there is not.
    #[error("missing; allowed is {allowed}")]
    Missing {
        /// What is allowed.
        allowed: &'static str,
    },
    /// It is there twice.
    #[error("given twice; the first is {first}")]
    Twice {
        /// Where it was given before.
        first: String,
    },
    /// Certificates and keys that do not pair.
    #[error("certificates: {certs}, keys: {keys}; each certificate has its own key, in the same order")]
    Pairs {
        /// How many certificates.
        certs: usize,
        /// How many keys.
        keys: usize,
    },
    /// A certificate or its key cannot be used.
    #[error("{why}")]
    Certificate {
        /// Which file it is, where, and what to do.
        why: String,
    },
    /// The file is not TOML.
    #[error("{message}")]
    Syntax {
        /// What the reader of the file says.
        message: String,
    },
}

fn known(keys: &[String]) -> String {
    format!("allowed are {}", keys.join(", "))
}

/// What can be done about a path, behind what the system says of it.
pub(super) fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; correct the path, or make what it names",
        io::ErrorKind::PermissionDenied => {
            "; this user may not see it: look at the modes of it and of the folders above"
        }
        _ => "",
    }
}

impl Problem {
    pub(super) fn value(given: &str, allowed: impl Into<String>) -> Self {
        Problem::Value { given: quoted(given), allowed: allowed.into() }
    }

    /// A file or folder that cannot be had.
    pub(super) fn not_had(path: &Path, error: &io::Error) -> Self {
        Problem::refused(path.display(), format!("{error}{}", remedy(error)))
    }

    pub(super) fn refused(given: impl fmt::Display, why: impl fmt::Display) -> Self {
        Problem::Refused { given: quoted(&given.to_string()), why: why.to_string() }
    }
}

/// Sets `key` of `thing` by the rule that knows it.
///
/// # Errors
/// [`Problem::Unknown`] or [`Problem::Value`].
pub(super) fn apply<T>(rules: &[Rule<T>], thing: &mut T, key: &str, value: &str) -> Result<(), Problem> {
    let found = rules.iter().find_map(|rule| Some((rule, rest_of(rule, key)?)));
    let Some((rule, rest)) = found else { return Err(unknown(rules)) };
    (rule.set)(thing, rest, value).ok_or_else(|| Problem::value(value, rule.allowed))
}

/// The rest of `key` behind the rule's own; empty where the rule is for one key.
fn rest_of<'k, T>(rule: &Rule<T>, key: &'k str) -> Option<&'k str> {
    let rest = key.strip_prefix(rule.key)?;
    (rest.is_empty() != rule.key.ends_with('.')).then_some(rest)
}

/// [`Problem::Unknown`] with the keys of these rules.
pub(super) fn unknown<T>(rules: &[Rule<T>]) -> Problem {
    unknown_beside(rules, &[])
}

/// [`unknown`] where there are other keys beside these rules.
pub(super) fn unknown_beside<T>(rules: &[Rule<T>], others: &[&str]) -> Problem {
    let others = others.iter().map(|name| (*name).to_owned());
    Problem::Unknown { allowed: rules.iter().map(Rule::name).chain(others).collect() }
}

/// Foreign text in a message: quoted, escaped, and cut short.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut start: String = text.chars().take(LONGEST).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("{start:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &[Rule<Vec<String>>] = &[
        Rule::new("name", "anything", "", |seen, _, value| note(seen, value.into())),
        Rule::new("env.", "a text", "", |seen, name, value| note(seen, format!("{name}:{value}"))),
        Rule::new("never", "nothing", "", |_, _, _| None),
    ];

    fn note(seen: &mut Vec<String>, text: String) -> Option<()> {
        seen.push(text);
        Some(())
    }

    #[test]
    fn a_rule_takes_its_key_and_one_with_a_dot_takes_all_that_follow() {
        let mut seen = Vec::new();
        for (key, value) in [("name", "x"), ("env.A", "1"), ("env.A.B", "")] {
            apply(RULES, &mut seen, key, value).unwrap();
        }
        assert_eq!(seen, ["x", "A:1", "A.B:"]);
    }

    #[test]
    fn unknown_keys_are_told_all_known_ones() {
        for key in ["", "nam", "names", "name.x", "env", "env.", "NAME"] {
            let problem = apply(RULES, &mut Vec::new(), key, "x").unwrap_err();
            assert_eq!(problem.to_string(), "unknown; allowed are name, env.NAME, never", "{key}");
        }
    }

    #[test]
    fn bad_values_are_shown_escaped_and_cut_short() {
        let problem = apply(RULES, &mut Vec::new(), "never", "a\n\x1b").unwrap_err();
        assert_eq!(problem.to_string(), r#""a\n\u{1b}" is not allowed; allowed is nothing"#);
        let long = apply(RULES, &mut Vec::new(), "never", &"x".repeat(200)).unwrap_err().to_string();
        assert!(long.contains("x…\"") && long.len() < 150, "{long}");
    }
}
