//! What a worker is started as: where its program is, with which arguments and which environment.
//!
//! Holds what follows from a [`Config`]. Does not start anything.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use gateway_cgi::host::Resident;

use super::Config;
use crate::control::VARIABLE;
use crate::manager::Limits;

/// What tells php-cgi after how many requests to end.
const PHP_MAX_REQUESTS: &str = "PHP_FCGI_MAX_REQUESTS";

/// Where a worker has its end of the control channel: the first past the standard ones.
const CONTROL_DESCRIPTOR: &str = "3";

impl Config {
    /// The program, ready to be started, for a worker with these limits.
    pub(in crate::manager) fn resident(
        &self,
        program: &Path,
        args: &[OsString],
        limits: &Limits,
    ) -> io::Result<Resident> {
        let path = self.find(program)?;
        let last = program.file_name().unwrap_or(program.as_os_str());
        let mut resident = Resident::new(&path, self.program_name.as_deref().unwrap_or(last));
        args.iter().for_each(|argument| resident.argument(argument));
        self.environment(limits).iter().for_each(|(name, value)| resident.variable(name, value));
        if let Some(directory) = &self.working_directory {
            resident.directory(directory);
        }
        resident.confinement(self.confinement.clone().ends_with_parent());
        Ok(resident)
    }

    fn environment(&self, limits: &Limits) -> BTreeMap<OsString, OsString> {
        let inherited = self.inherited.iter().filter_map(|name| Some((name.clone(), std::env::var_os(name)?)));
        let mut environment: BTreeMap<OsString, OsString> = inherited.collect();
        // FCGI-123: a limit that only the program can keep.
        environment.extend(limits.max_requests.map(|most| (PHP_MAX_REQUESTS.into(), most.to_string().into())));
        environment.extend(self.variables.clone());
        if self.control {
            environment.insert(VARIABLE.into(), CONTROL_DESCRIPTOR.into());
        }
        environment
    }

    /// The absolute path of the program: one without a `/` is looked for in PATH, others start from the workers' directory.
    fn find(&self, program: &Path) -> io::Result<PathBuf> {
        if program.as_os_str().as_encoded_bytes().contains(&b'/') {
            let base = self.working_directory.clone().unwrap_or_default();
            return std::path::absolute(base.join(program));
        }
        let here = std::env::var_os("PATH");
        let search: &OsStr = self.variables.get(OsStr::new("PATH")).or(here.as_ref()).map_or(OsStr::new(""), |p| p);
        let found = std::env::split_paths(search)
            .map(|folder| folder.join(program))
            .find(|path| rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok() && path.is_file());
        found.map_or_else(|| Err(io::ErrorKind::NotFound.into()), std::path::absolute)
    }
}
