//! HTTP/1.1 over TLS, and the PROXY protocol: what a client sees that speaks to the listener in bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "helpers of tests, where a failure is a panic; applications take what they are given"
)]

mod certificates;
mod files;
mod proxies;
mod requests;
mod slow;
#[path = "../support/slow.rs"]
mod slow_clients;
mod support;
