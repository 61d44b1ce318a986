//! The host side with real processes: what a server that mounts CGI programs could observe.
#![cfg(feature = "host")]
// Helpers of tests may fail as tests do.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod environment;
mod lifetime;
mod output;
mod request_body;
mod support;
