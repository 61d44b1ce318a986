//! What can be wrong with the command line of a program made with `main!`.

use std::ffi::OsString;

use gateway_fastcgi::net::AddressError;

/// A command line that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// A flag that does not exist.
    #[error("there is no flag {flag}")]
    Unknown {
        /// As it was written.
        flag: String,
    },
    /// An argument that belongs to no flag.
    #[error("argument \"{}\" belongs to no flag", .argument.escape_debug())]
    Stray {
        /// As it was written.
        argument: String,
    },
    /// An argument that is not UTF-8.
    #[error("argument {} is not UTF-8", .0.display())]
    NotText(OsString),
    /// A flag without its value.
    #[error("{flag} needs a value: {flag} {expected}")]
    NoValue {
        /// The flag.
        flag: &'static str,
        /// What the value looks like.
        expected: &'static str,
    },
    /// A value for a flag that takes none.
    #[error("{flag} takes no value")]
    Value {
        /// The flag.
        flag: &'static str,
    },
    /// An address that cannot be read.
    #[error("{flag} \"{}\": {source}", .value.escape_debug())]
    Address {
        /// The flag.
        flag: &'static str,
        /// As it was written.
        value: String,
        /// What is wrong with it.
        source: AddressError,
    },
    /// A value that is out of its range.
    #[error("{flag} \"{}\" is not {expected}", .value.escape_debug())]
    Range {
        /// The flag.
        flag: &'static str,
        /// As it was written.
        value: String,
        /// What it could be.
        expected: &'static str,
    },
    /// A flag that only FastCGI workers take.
    #[error("{flag} is for FastCGI workers: HTTP has means of its own to tell who asks")]
    OnlyFastCgi {
        /// The flag.
        flag: &'static str,
    },
    /// A flag that says something to the HTTP listener, without one.
    #[error("{flag} is for HTTP: it goes with --http")]
    OnlyHttp {
        /// The flag.
        flag: &'static str,
    },
    /// A flag that means nothing without another.
    #[error("{flag} needs {other} beside it")]
    Alone {
        /// The flag.
        flag: &'static str,
        /// The one that is missing.
        other: &'static str,
    },
    /// Two flags that exclude each other, or one that was given twice.
    #[error("{first} and {second} cannot be given together")]
    Conflict {
        /// The one.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
}
