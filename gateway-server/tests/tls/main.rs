//! HTTP/1.1 over TLS, and the PROXY protocol: what a client sees that speaks to the listener in bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a failure is a panic"
)]

mod certificates;
mod files;
mod proxies;
mod requests;
mod support;
