//! `gateway cgi-wrap` behind nginx, and the configurations of `docs/moving-to-gateway.md`, which are run as they stand there.
//!
//! `setup` starts the servers, `page` reads the page. That our own suite passes behind it is tested with the other servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod answers;
mod life;
mod moving;
mod page;
mod setup;
mod start;
