//! Applications that run unchanged on every gateway.
//!
//! Each module is one application, a plain function called `application`; each binary of the same name is one line,
//! `gateway_server::main!(…)`, and finds out at start which gateway it is to be.
//!
//! | module | shows |
//! | --- | --- |
//! | [`hello`] | the smallest application |
//! | [`mirror`] | everything an application is given |
//! | [`testbed`] | every way to answer, right and wrong: what this project's tests and measurements ask |
//! | `guestbook` (feature of that name) | a small real one: forms, a database, escaped output |
//! | `doorkeeper` (feature `server`) | a FastCGI Authorizer: who may see the pages of others |
//! | `numbered` (feature `server`) | a FastCGI Filter: answers with a file of the gateway's in hand |
//!
//! Feature `server` (default) builds those binaries. `hello_cgi` needs gateway-cgi alone:
//! `cargo build -p gateway-examples --no-default-features --bin hello_cgi`.
#![forbid(unsafe_code)]
#![allow(clippy::needless_pass_by_value, reason = "the contract hands environ and start_response over for good")]

#[cfg(feature = "server")]
pub mod doorkeeper;
#[cfg(feature = "guestbook")]
pub mod guestbook;
pub mod hello;
pub mod mirror;
#[cfg(feature = "server")]
pub mod numbered;
pub mod testbed;

#[cfg(test)]
mod direct;
#[cfg(test)]
mod linted;
