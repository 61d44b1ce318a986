//! Programs that were not written for us, through `gateway serve` and through lighttpd: git, gitweb, PHP, Perl, Python,
//! a shell script, and our own `testbed`.
//!
//! A file for each program. The mounts are not written here: each test takes them from the recipe of its program in
//! `docs/cgi-programs.md`, so that no recipe is there that was not tried. `recipe` reads them, `pair` compares answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod git;
mod git_answers;
mod git_client;
mod pair;
mod recipe;
