//! A folder of its own for each server: configuration, sockets, logs and a copy of the program it runs.
//!
//! Everything is readable by everybody, because a test run as root starts its servers as an unprivileged user
//! (see [`crate::process`]). The folder is removed on drop.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A temporary folder that any user may enter and write.
#[derive(Debug)]
pub struct Place {
    dir: TempDir,
}

impl Place {
    /// Makes an empty folder.
    pub fn new() -> Self {
        // The name is short: a Unix socket's path holds at most 107 bytes.
        let dir = tempfile::Builder::new().prefix("gw-").tempdir().expect("a temporary folder");
        fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).expect("chmod of our own folder");
        Self { dir }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A path inside the folder; nothing is created.
    pub fn join(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file that everybody may read.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        self.write_with_mode(name, text, 0o644)
    }

    /// Writes a script that everybody may run.
    pub fn write_script(&self, name: &str, text: &str) -> PathBuf {
        self.write_with_mode(name, text, 0o755)
    }

    /// Makes a folder below this one that everybody may write.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(&path).expect("a folder in our own folder");
        fs::set_permissions(&path, Permissions::from_mode(0o777)).expect("chmod of our own folder");
        path
    }

    /// Copies a program here. An unprivileged user can then run it wherever the build folder is, and a process left
    /// behind is known by its executable's path (see [`crate::process::running_below`]).
    pub fn program(&self, program: &Path) -> PathBuf {
        let here = self.join(&program.file_name().expect("a program has a name").to_string_lossy());
        if !here.exists() {
            fs::copy(program, &here).unwrap_or_else(|e| panic!("cannot copy {}: {e}", program.display()));
            fs::set_permissions(&here, Permissions::from_mode(0o755)).expect("chmod of our own file");
        }
        here
    }

    fn write_with_mode(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, text).expect("a file in our own folder");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("chmod of our own file");
        path
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

/// A loopback port that was free a moment ago. Another process may take it meanwhile: whoever starts a server on it
/// must be ready to try another (as [`crate::process::Running::listen`] does).
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port");
    listener.local_addr().expect("a bound socket has an address").port()
}
