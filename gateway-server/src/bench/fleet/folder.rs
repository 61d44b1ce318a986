//! The files of one fleet: configurations, sockets, logs, and who may read them.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::super::model::Front;
use super::{FleetError, Place};

/// Whom Apache runs as when we are root, because it refuses root: nobody, by the number that Linux gives nobody.
pub(super) const UNPRIVILEGED: u32 = 65534;

/// A folder that goes away with the fleet.
#[derive(Debug)]
pub(super) struct Folder {
    dir: TempDir,
    owner: Option<u32>,
}

impl Folder {
    pub(super) fn new(place: &Place<'_>, front: Front) -> Result<Folder, FleetError> {
        let owner = (front == Front::Apache && rustix::process::geteuid().is_root()).then_some(UNPRIVILEGED);
        let made = tempfile::Builder::new().prefix("f").tempdir_in(place.scratch).and_then(|dir| {
            let folder = Folder { dir, owner };
            folder.open(place)?;
            Ok(folder)
        });
        made.map_err(|source| FleetError::Prepare { what: format!("{}", place.scratch.display()), source })
    }

    /// Another user must come through the scratch folder to this one and to the program, and leave marks.
    fn open(&self, place: &Place<'_>) -> io::Result<()> {
        if self.owner.is_none() {
            return Ok(());
        }
        fs::set_permissions(place.scratch, Permissions::from_mode(0o711))?;
        self.give(self.path())?;
        place.marks.map_or(Ok(()), |marks| self.give(marks))
    }

    /// Hands a file to whoever runs the server, if that is somebody else.
    pub(super) fn give(&self, path: &Path) -> io::Result<()> {
        match self.owner {
            Some(owner) => chown(path, Some(owner), Some(owner)),
            None => Ok(()),
        }
    }

    /// Whom the server runs as, if not as ourselves.
    pub(super) fn owner(&self) -> Option<u32> {
        self.owner
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where the front writes its standard error, and its error log if it has one of its own.
    pub(super) fn log(&self) -> PathBuf {
        self.join("front.log")
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, FleetError> {
        let path = self.join(name);
        let written = fs::write(&path, text).and_then(|()| self.give(&path));
        written.map_err(|source| FleetError::Prepare { what: path.display().to_string(), source })?;
        Ok(path)
    }
}
