//! `gateway workers`, and the workers of `fastcgi:spawn:`, as an operator sees them: under load, reloaded, killed, limited.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod finishing;
mod foreign;
mod kills;
mod life;
mod limits;
mod load;
mod modes;
mod reloads;
mod setup;
