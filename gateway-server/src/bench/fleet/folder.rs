//! The files of one fleet: configurations, sockets, logs.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{FleetError, Place};

/// A folder that goes away with the fleet.
#[derive(Debug)]
pub(super) struct Folder(TempDir);

impl Folder {
    pub(super) fn new(place: &Place<'_>) -> Result<Folder, FleetError> {
        let made = tempfile::Builder::new().prefix("f").tempdir_in(place.scratch);
        made.map(Folder).map_err(|source| FleetError::Prepare { what: place.scratch.display().to_string(), source })
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Where the front writes its standard error, and its error log if it has one of its own.
    pub(super) fn log(&self) -> PathBuf {
        self.join("front.log")
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, FleetError> {
        let path = self.join(name);
        fs::write(&path, text).map_err(|source| FleetError::Prepare { what: path.display().to_string(), source })?;
        Ok(path)
    }
}
