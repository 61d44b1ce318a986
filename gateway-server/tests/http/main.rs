//! The listener as its clients see it: real sockets, bytes in, bytes out.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::cast_possible_truncation,
    reason = "helpers of tests, where a failure is a panic"
)]

mod asynchronous;
mod bodies;
mod closes;
mod crowd;
mod dispatch;
mod files;
mod limits;
mod persistence;
mod requests;
mod rows;
mod slow;
#[path = "../support/slow.rs"]
mod slow_clients;
mod stop;
mod support;
mod switching;
