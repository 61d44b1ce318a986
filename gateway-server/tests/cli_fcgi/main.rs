//! `gateway fcgi` as its users see it: the built command, and a worker that does what it should, or what it should not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a failure is a panic"
)]

mod answers;
mod failures;
mod requests;
mod roles;
mod worker;
