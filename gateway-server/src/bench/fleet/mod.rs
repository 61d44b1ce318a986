//! The processes of one model: started, looked at, ended.
//!
//! Holds the order of a start. Everything is on this machine: loopback ports that were free, sockets and configurations
//! in a folder of the fleet's own, which is gone with it.
//!
//! | part | holds |
//! | --- | --- |
//! | `front` | whoever listens: how it is configured and started |
//! | `sockets` | the socket of FastCGI workers, free ports |
//! | `folder` | files of one fleet |
//! | `process`, `crew` | one process and all of them: started, ended |
//! | `ready` | the address that is told, the first answer |
//! | `group` | a control group, which counts processes that have ended too |
//! | `proc` | what the kernel says about one process |
//! | `census`, `usage` | what all processes have used, by kind of process |
//! | `error` | what goes wrong |

mod census;
mod crew;
mod error;
mod folder;
mod front;
mod group;
mod proc;
mod process;
mod ready;
mod sockets;
#[cfg(test)]
mod tests;
mod usage;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::model::Model;
use super::result::Parts;
use census::Census;
use crew::Crew;
pub(crate) use error::FleetError;
use folder::Folder;
pub(crate) use front::installed;
use front::{Setting, prepare};
pub(crate) use group::accounting;
use sockets::WorkerSocket;
pub(crate) use usage::Used;

/// The environment variable that asks for marks.
const MARKS: &str = "GATEWAY_MARKS";

/// The application that is measured.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// The file; a CGI server must find it, so a path and not a name to be searched for.
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
}

impl Program {
    /// The variables of its environment, with the one that asks for marks.
    fn variables(&self, marks: Option<&Path>) -> Vec<(String, String)> {
        let marks = marks.map(|folder| (MARKS.to_owned(), folder.display().to_string()));
        self.env.iter().cloned().chain(marks).collect()
    }

    fn command(&self, marks: Option<&Path>) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).env_remove(MARKS).envs(self.variables(marks));
        command
    }

    fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }
}

/// What a fleet may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The executable that is `gateway serve`.
    pub(crate) gateway: &'a Path,
    /// A folder for files of the fleet. Its path is short: a unix socket's path holds 107 bytes.
    pub(crate) scratch: &'a Path,
    /// Where every process leaves its marks, if it is to have any.
    pub(crate) marks: Option<&'a Path>,
}

/// The running processes of one model.
#[derive(Debug)]
pub(crate) struct Fleet {
    address: SocketAddr,
    cold_start: Duration,
    census: Census,
    // Dropped in this order: the processes end before their folder goes.
    crew: Crew,
    _folder: Folder,
}

impl Fleet {
    /// Starts everything, and returns when it answers `GET /` with something better than a server's error.
    pub(crate) fn start(model: &Model, program: &Program, place: &Place<'_>) -> Result<Fleet, FleetError> {
        // Servers that cannot be told to take a free port may lose one that was free a moment ago.
        const TRIES: usize = 3;
        let mut tries = 1;
        loop {
            match Self::start_once(model, program, place) {
                Err(error) if error.is_taken_port() && tries < TRIES => tries += 1,
                result => return result,
            }
        }
    }

    fn start_once(model: &Model, program: &Program, place: &Place<'_>) -> Result<Fleet, FleetError> {
        let folder = Folder::new(place)?;
        let socket = model.way.is_fastcgi().then(|| WorkerSocket::open(model.way, &folder)).transpose()?;
        let upstream = socket.as_ref().map(WorkerSocket::upstream);
        let front = prepare(&Setting { model, program, place: *place, folder: &folder, upstream })?;
        let mut crew = Crew::new();
        let began = Instant::now();
        if let Some(socket) = &socket {
            for number in 1..=model.workers {
                let mut command = program.command(place.marks);
                command.stdin(socket.inherited()?);
                crew.start_worker(&program.name(), command, folder.join(&format!("worker-{number}.log")))?;
            }
        }
        crew.start_front(&front.name, front.command, folder.log())?;
        let address = match front.address {
            Some(address) => address,
            None => ready::told_address(&mut crew)?,
        };
        ready::first_answer(address, &mut crew)?;
        let cold_start = began.elapsed();
        crew.complete();
        let census = Census::new(model, &crew);
        Ok(Fleet { address, cold_start, census, crew, _folder: folder })
    }

    /// Where it listens for HTTP.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From the start of the first process to the end of the first answer.
    pub(crate) fn cold_start(&self) -> Duration {
        self.cold_start
    }

    /// The CPU time of all processes since they were started, those that have ended too.
    pub(crate) fn cpu(&self) -> io::Result<Used> {
        self.census.cpu(&self.crew)
    }

    /// The proportional set size of all processes, in bytes; those of CGI programs that run now.
    pub(crate) fn memory(&self) -> io::Result<Parts> {
        self.census.memory(&self.crew)
    }

    /// Ends everything. Dropping does the same.
    pub(crate) fn stop(self) {
        drop(self);
    }
}
