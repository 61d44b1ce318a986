//! PHP sites behind our gateway and php-fpm: who answers which path, what a script is told, and a real application.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod browser;
mod dokuwiki;
mod files;
mod page;
mod params;
mod scripts;
mod site;
