//! Programs that were not written for us, through `gateway serve` and through lighttpd: git, gitweb, PHP, Perl, Python,
//! a shell script; and our own `testbed`.
//!
//! A file for each program. The mounts are not written here: each test takes them from the recipe of its program in
//! `docs/cgi-programs.md`, so that no recipe is there that was not tried. `recipe` reads them, `pair` compares answers,
//! `script` says what the scripts of all languages must answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

mod git;
mod git_answers;
mod git_client;
mod gitweb;
mod pair;
mod perl;
mod php;
mod python;
mod recipe;
mod script;
mod shell;
mod testbed;
