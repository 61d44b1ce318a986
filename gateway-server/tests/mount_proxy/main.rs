//! Another HTTP server behind a mount: what it is told, what its client gets, and what happens when it fails.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::cast_possible_truncation
)]

mod bodies;
mod connections;
mod failures;
mod fields;
mod interim;
#[allow(dead_code, reason = "shared with the tests of the listener")]
#[path = "../http/support.rs"]
mod support;
mod trusted;
mod tunnels;
mod upstream;
