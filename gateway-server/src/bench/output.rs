//! A file of a run: found writable before, written whole at the end.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that takes its name when it is written; what had that name before stays until then.
#[derive(Debug)]
pub(super) struct Output {
    path: PathBuf,
    file: NamedTempFile,
}

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub(super) struct OutputError {
    path: PathBuf,
    source: io::Error,
}

impl Output {
    /// Makes sure that `path` can be written.
    pub(super) fn open(path: &Path) -> Result<Output, OutputError> {
        let failed = |source| OutputError { path: path.to_owned(), source };
        if fs::metadata(path).is_ok_and(|found| found.is_dir()) {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = NamedTempFile::new_in(folder).map_err(failed)?;
        Ok(Output { path: path.to_owned(), file })
    }

    /// Writes all of it, and says where it is.
    pub(super) fn write(self, bytes: &[u8]) -> Result<PathBuf, OutputError> {
        let Output { path, mut file } = self;
        let written = file.write_all(bytes).and_then(|()| {
            // A report is for others too; a temporary file is not.
            file.as_file().set_permissions(Permissions::from_mode(0o644))?;
            file.persist(&path).map_err(|error| error.error)
        });
        match written {
            Ok(_) => Ok(path),
            Err(source) => Err(OutputError { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_or_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        fs::write(&path, "old").unwrap();
        drop(Output::open(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(Output::open(&path).unwrap().write(b"new").unwrap(), path);
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_told_before() {
        let folder = tempfile::tempdir().unwrap();
        let error = Output::open(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && error.contains("is a directory"), "{error}");
        assert!(Output::open(&folder.path().join("no/such/folder.html")).is_err());
    }
}
