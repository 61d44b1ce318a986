//! What a user of the workspace could observe: one suite through every gateway and real server.
//!
//! This is test support, published nowhere. It holds a strict HTTP/1.1 client that can also send what no client should
//! ([`client`]), guards for the processes the tests start ([`process`], [`place`], [`programs`]), the servers that stand in
//! front of our programs or behind our gateway ([`servers`]), the suite with its written list of differences ([`suite`]), and
//! the corpus of requests ([`corpus`]). The tests themselves are in `tests/tests/`; `tests/run.sh` runs everything.
#![forbid(unsafe_code)]
// Everything here runs inside a test: a broken assumption should end that test loudly, where it happened.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

pub mod client;
pub mod corpus;
pub mod place;
pub mod process;
pub mod programs;
pub mod records;
pub mod servers;
pub mod suite;
