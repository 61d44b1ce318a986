//! `gateway serve` as its users see it: the built command, asked over sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a failure is a panic"
)]

mod access_log;
mod admin;
mod authorizer;
mod cgi;
mod demonstration;
mod files;
mod gateway;
mod log;
mod marks;
mod mounts;
mod named_files;
mod proxy;
mod service;
mod sockets;
mod stop;
mod tls;
mod variables;
