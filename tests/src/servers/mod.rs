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

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs::{build_folder, workspace};

/// Compiles a Go program of `tests/programs`.
///
/// # Panics
/// If Go is not installed, or the program does not build.
pub fn go_program(source: &str, program: &Path) {
    let mut build = Command::new(installed(&["go"]));
    // The compiled library is kept with what else was built; no C compiler is asked for, and no module.
    build.env("GOCACHE", build_folder().join("go-cache")).env("CGO_ENABLED", "0").env("GO111MODULE", "off");
    build.arg("build").arg("-o").arg(program).arg(workspace().join("tests/programs").join(source));
    assert!(build.status().expect("go runs").success(), "{source} does not build");
}

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
