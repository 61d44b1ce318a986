//! The servers of the tests, each started in the foreground with a configuration of its own.

pub mod apache;
pub mod caddy;
pub mod fcgiwrap;
pub mod foreign;
pub mod haproxy;
pub mod lighttpd;
pub mod nginx;
pub mod ours;
pub mod page;
pub mod php_fpm;
pub mod upstream;

use std::path::PathBuf;

/// Where a server's program is; distributions put servers where a user's search path does not look.
///
/// # Panics
/// If it is not installed: `tests/run.sh` installs what is missing.
pub fn installed(names: &[&str]) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"]);
    folders
        .flat_map(|folder| names.iter().map(move |name| PathBuf::from(folder).join(name)))
        .find(|program| program.is_file())
        .unwrap_or_else(|| panic!("none of {names:?} is installed; tests/run.sh installs what is missing"))
}
