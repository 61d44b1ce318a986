//! Whoever listens: how it is configured and started.
//!
//! Holds what all of them have in common. The other servers are configured as somebody would who measures them: nothing
//! is logged but errors, connections are kept on both sides, and as many processes run as there are cores.

mod apache;
mod lighttpd;
mod nginx;
mod ours;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::model::{Front, Model};
use super::folder::Folder;
use super::sockets::Upstream;
use super::{FleetError, Place, Program};

/// What a front is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) model: &'a Model,
    pub(super) program: &'a Program,
    pub(super) place: Place<'a>,
    pub(super) folder: &'a Folder,
    /// Where workers are, if there are any.
    pub(super) upstream: Option<&'a Upstream>,
}

/// A front that is ready to be started.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) name: String,
    pub(super) command: Command,
    /// Where it will listen; ours take a free port and tell it.
    pub(super) address: Option<SocketAddr>,
}

/// More connections at once than any load makes.
const CONNECTIONS: usize = 1024;

pub(super) fn prepare(setting: &Setting<'_>) -> Result<Prepared, FleetError> {
    let front = setting.model.front;
    installed(front).map_err(|reason| FleetError::NotInstalled { reason })?;
    match front {
        Front::Application => Ok(ours::application(setting)),
        Front::Gateway => ours::gateway(setting),
        Front::Nginx => nginx::prepare(setting),
        Front::Apache => apache::prepare(setting),
        Front::Lighttpd => lighttpd::prepare(setting),
    }
}

/// Whether a front can be run here, and why not.
pub(crate) fn installed(front: Front) -> Result<(), String> {
    match front {
        Front::Application | Front::Gateway => Ok(()),
        Front::Nginx => nginx::installed().map(drop),
        Front::Apache => apache::installed().map(drop),
        Front::Lighttpd => lighttpd::installed().map(drop),
    }
}

/// A server's program. Distributions put servers where a user's search path does not look.
fn find(names: &[&str], package: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from));
    let mut files = folders.flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    let missing = || format!("{} is not installed (Debian package {package})", names.join(" or "));
    files.find(|file| file.is_file()).ok_or_else(missing)
}

/// The CGI program's file as a server sees it, from wherever that server starts. Without it some would answer 404.
fn program_file(setting: &Setting<'_>) -> Result<PathBuf, FleetError> {
    let found = std::path::absolute(&setting.program.path).and_then(|path| path.metadata().map(|_| path));
    found.map_err(|source| FleetError::Prepare { what: setting.program.path.display().to_string(), source })
}

/// Processes for a server that has one event loop in each.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A text between quotation marks in a configuration of `server`.
///
/// Each of the servers has its own rules for what is special within them. What is special in none of them is enough here.
fn quoted(server: &'static str, what: &'static str, text: &str) -> Result<String, FleetError> {
    let is_special = |character: char| matches!(character, '"' | '\\' | '$' | '%') || character.is_control();
    if text.contains(is_special) {
        return Err(FleetError::Unwritable { server, what, text: text.to_owned() });
    }
    Ok(format!("\"{text}\""))
}

fn quoted_path(server: &'static str, path: &Path) -> Result<String, FleetError> {
    quoted(server, "this path", &path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_not_there_is_named_with_its_package() {
        let expected = "no-such-server or none is not installed (Debian package some-server)";
        assert_eq!(find(&["no-such-server", "none"], "some-server").unwrap_err(), expected);
        assert!(find(&["sh"], "dash").unwrap().ends_with("sh"));
    }

    #[test]
    fn what_a_configuration_could_read_as_its_own_is_refused() {
        assert_eq!(quoted("nginx", "this value", "a b;{}#'").unwrap(), "\"a b;{}#'\"");
        for text in ["a\"b", "a\\b", "$host", "%{x}", "a\nb", "\0"] {
            assert!(matches!(quoted("nginx", "this value", text), Err(FleetError::Unwritable { .. })), "{text:?}");
        }
    }
}
