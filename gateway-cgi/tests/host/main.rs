//! The host side with real processes: what a server that mounts CGI programs could observe.
#![cfg(feature = "host")]
// Helpers of tests may fail as tests do.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod confinement;
mod environment;
mod finding;
mod lifetime;
mod nph;
mod output;
mod refusals;
mod request_body;
mod support;
