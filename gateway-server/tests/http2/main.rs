//! HTTP/2: what a client sees, over plain sockets by prior knowledge and over TLS by ALPN.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "helpers of tests, where a failure is a panic; applications take what they are given"
)]

mod bodies;
mod frames;
mod life;
mod refusals;
mod requests;
mod room;
mod slow;
mod support;
