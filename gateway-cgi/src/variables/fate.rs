//! What becomes of a variable of an environ on its way to a program: decided once for the names that come every day.
//!
//! Holds the decision by name. Does not hold what is set in place of what is left out.

use std::fmt;
use std::sync::Arc;

use gateway_spec::VariableName;

use super::{Credentials, is_for_programs};

/// What becomes of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is handed over.
    Kept,
    /// The same; where it is not there, something else is.
    KeptOrDefault(Defaulted),
    /// It gives way to what the configuration says of the script, if that says something.
    KeptWithoutScript,
    /// It gives way to what the configuration says of the tree of documents.
    KeptWithoutRoot,
    /// It is not for programs, or one that is set here stands for it.
    LeftOut,
}

/// A variable that is set even if nobody said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defaulted {
    QueryString = 1,
    ScriptName = 2,
    ServerSoftware = 4,
}

/// The variables that were seen of those that have a default.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen(u8);

impl Seen {
    pub(super) fn note(&mut self, variable: Defaulted) {
        self.0 |= variable as u8;
    }

    pub(super) fn has(self, variable: Defaulted) -> bool {
        self.0 & variable as u8 != 0
    }
}

/// The fates of all names, under one configuration.
#[derive(Clone)]
pub(super) struct Fates {
    credentials: Credentials,
    everyday: Arc<[Fate; VariableName::EVERYDAY_PLACES]>,
}

impl Fates {
    /// `is_configured` tells the names that the operator has set.
    pub(super) fn new(credentials: Credentials, is_configured: impl Fn(&[u8]) -> bool) -> Self {
        let mut everyday = [Fate::LeftOut; VariableName::EVERYDAY_PLACES];
        for (place, name) in VariableName::all_everyday() {
            let name = name.as_str().as_bytes();
            if let Some(fate) = everyday.get_mut(place).filter(|_| !is_configured(name)) {
                *fate = fate_of(name, credentials);
            }
        }
        Self { credentials, everyday: Arc::new(everyday) }
    }

    /// What becomes of the one with this name and, if it is an everyday name, this place; `is_configured` as before.
    #[inline]
    pub(super) fn of(&self, place: Option<usize>, name: &[u8], is_configured: impl Fn(&[u8]) -> bool) -> Fate {
        match place.and_then(|place| self.everyday.get(place)) {
            Some(fate) => *fate,
            None if is_configured(name) => Fate::LeftOut,
            None => fate_of(name, self.credentials),
        }
    }
}

impl fmt::Debug for Fates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fates").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}

fn fate_of(name: &[u8], credentials: Credentials) -> Fate {
    match name {
        b"GATEWAY_INTERFACE" | b"REDIRECT_STATUS" | b"CONTENT_LENGTH" | b"HTTPS" | b"REQUEST_SCHEME" => Fate::LeftOut,
        // CGI-185: the tree is the operator's, so a configured one wins; PATH_TRANSLATED follows it.
        b"DOCUMENT_ROOT" | b"PATH_TRANSLATED" => Fate::KeptWithoutRoot,
        b"SCRIPT_FILENAME" => Fate::KeptWithoutScript,
        b"QUERY_STRING" => Fate::KeptOrDefault(Defaulted::QueryString),
        b"SCRIPT_NAME" => Fate::KeptOrDefault(Defaulted::ScriptName),
        b"SERVER_SOFTWARE" => Fate::KeptOrDefault(Defaulted::ServerSoftware),
        name if is_for_programs(name, credentials) => Fate::Kept,
        _ => Fate::LeftOut,
    }
}
