//! A folder of scripts and files, and what a path leads to in it (FCGI-112, FCGI-134).
//!
//! Holds the look at the disk. Does not hold what is done with what was found. A script is a file that exists and whose name
//! ends in one of the suffixes; what follows it in the path is its PATH_INFO. So `photo.jpg/x.php` is nothing, whatever
//! `cgi.fix_pathinfo` of php-fpm says.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use gateway_spec::Environ;

use super::super::ClientError;

/// A folder of scripts and files.
///
/// # Examples
/// ```
/// use gateway_fastcgi::client::{Found, Tree};
///
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("page.php"), "<?php")?;
/// let tree = Tree::new(folder.path());
/// let Found::Script(script) = tree.locate(b"/page.php/a/b") else { return Err("no script".into()) };
/// assert_eq!((script.name(), script.path_info()), (&b"/page.php"[..], &b"/a/b"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tree {
    root: PathBuf,
    worker_root: Option<PathBuf>,
    index: Vec<String>,
    suffixes: Vec<String>,
    links_lead_anywhere: bool,
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// A script, and what it is told about the path.
    Script(Script),
    /// A regular file that is no script.
    File {
        /// The root with all its links followed.
        root: PathBuf,
        /// The path of the file below the root: that of the request, with the name of the index if it was a folder's.
        path: Vec<u8>,
    },
    /// A folder that has an index, asked for without the slash at the end.
    Folder,
    /// Nothing that may be asked for.
    Nothing,
}

/// A script that exists, and how a path divides at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    pub(super) file: PathBuf,
    pub(super) root: PathBuf,
    name: Vec<u8>,
    path_info: Vec<u8>,
}

impl Script {
    /// The file, as workers see it (SCRIPT_FILENAME).
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The part of the path that names the script, below the mount (the end of SCRIPT_NAME).
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The part of the path behind it.
    pub fn path_info(&self) -> &[u8] {
        &self.path_info
    }

    /// The same script, asked for by a path that does not name it: PATH_INFO is empty then.
    #[must_use]
    pub fn without_path_info(mut self) -> Self {
        self.path_info.clear();
        self
    }

    /// Moves the script's part of the path from PATH_INFO to SCRIPT_NAME.
    pub(super) fn divide(&self, environ: &mut Environ) -> Result<(), ClientError> {
        let name = [environ.script_name().as_bytes(), &self.name].concat();
        for (variable, value) in [("SCRIPT_NAME", &name), ("PATH_INFO", &self.path_info)] {
            environ.set(variable, value).map_err(|_| ClientError::Path)?;
        }
        Ok(())
    }
}

impl Tree {
    /// The scripts in `root` and below: names that end in `.php`, and `index.php` in folders.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            worker_root: None,
            index: vec!["index.php".to_owned()],
            suffixes: vec![".php".to_owned()],
            links_lead_anywhere: false,
        }
    }

    /// Where the workers see the root, if that is another path than here: they may be in a container, or `chroot`ed.
    /// Default: the root with its links followed, so that a link that is turned to another release counts at once, and
    /// opcache does not answer with the old one.
    #[must_use]
    pub fn worker_root(mut self, path: impl Into<PathBuf>) -> Self {
        self.worker_root = Some(path.into());
        self
    }

    /// What answers for a folder: the first of these files that is there. Default `index.php` alone.
    #[must_use]
    pub fn index(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.index = names.into_iter().map(Into::into).collect();
        self
    }

    /// What names of scripts end in; upper and lower case differ. Default `.php` alone.
    #[must_use]
    pub fn suffixes(mut self, suffixes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.suffixes = suffixes.into_iter().map(Into::into).collect();
        self
    }

    /// Whether symbolic links may lead out of the root. Default no.
    #[must_use]
    pub fn links_lead_anywhere(mut self, yes: bool) -> Self {
        self.links_lead_anywhere = yes;
        self
    }

    /// Looks where a decoded path leads. This asks the disk, some microseconds if it is not a slow one.
    ///
    /// On the way to a file no segment may be empty or start with a dot, but for `/.well-known` (RFC 8615). Behind a
    /// script the path is the script's matter.
    pub fn locate(&self, path: &[u8]) -> Found {
        let look = || {
            let looking = Looking { tree: self, root: &self.root.canonicalize().ok()?, path };
            looking.whole().unwrap_or_else(|| looking.step_by_step())
        };
        look().unwrap_or(Found::Nothing)
    }

    fn is_script(&self, name: &[u8]) -> bool {
        self.suffixes.iter().any(|suffix| name.ends_with(suffix.as_bytes()) && name.len() > suffix.len())
    }
}

/// One look for one path. `None` as a result is nothing that may be asked for.
struct Looking<'a> {
    tree: &'a Tree,
    root: &'a Path,
    path: &'a [u8],
}

impl Looking<'_> {
    /// One question to the system suffices, unless something on the way is a file: `None` then.
    fn whole(&self) -> Option<Option<Found>> {
        let inner = self.path.strip_prefix(b"/").unwrap_or(self.path);
        let inner = inner.strip_suffix(b"/").unwrap_or(inner);
        let mut segments = inner.split(|byte| *byte == b'/').enumerate();
        if !inner.is_empty() && !segments.all(|(at, segment)| may_be_asked_for(at, segment)) {
            return None;
        }
        let file = self.root.join(OsStr::from_bytes(inner));
        match file.metadata() {
            Ok(found) if found.is_dir() => Some(self.folder(&file)),
            Ok(found) => Some(found.is_file().then(|| self.file(&file, inner.len() + 1)).flatten()),
            Err(error) if error.kind() == ErrorKind::NotADirectory => None,
            Err(_) => Some(None),
        }
    }

    /// Walks along the path until a file: what follows is for the script.
    fn step_by_step(&self) -> Option<Found> {
        let mut file = self.root.to_owned();
        let mut taken = 0;
        for (at, segment) in self.path.strip_prefix(b"/")?.split(|byte| *byte == b'/').enumerate() {
            if !may_be_asked_for(at, segment) {
                return None;
            }
            file.push(OsStr::from_bytes(segment));
            taken += 1 + segment.len();
            let found = file.metadata().ok()?;
            if !found.is_dir() {
                return found.is_file().then(|| self.file(&file, taken)).flatten();
            }
        }
        None
    }

    /// The file that `taken` bytes of the path name.
    fn file(&self, file: &Path, taken: usize) -> Option<Found> {
        let (name, rest) = self.path.split_at_checked(taken)?;
        self.accept(file, name.to_vec(), rest)
    }

    /// The index of a folder.
    fn folder(&self, folder: &Path) -> Option<Found> {
        let is_file = |name: &&String| folder.join(name).metadata().is_ok_and(|found| found.is_file());
        let index = self.tree.index.iter().find(is_file)?;
        let slash: &[u8] = match self.path {
            b"" => b"/",
            path if path.ends_with(b"/") => b"",
            _ => return Some(Found::Folder),
        };
        self.accept(&folder.join(index), [self.path, slash, index.as_bytes()].concat(), b"")
    }

    /// The file as what it is, if it is below the root also when links are followed.
    fn accept(&self, file: &Path, name: Vec<u8>, rest: &[u8]) -> Option<Found> {
        if !self.tree.links_lead_anywhere && !file.canonicalize().ok()?.starts_with(self.root) {
            return None;
        }
        if self.tree.is_script(&name) {
            let root = self.tree.worker_root.as_deref().unwrap_or(self.root).to_owned();
            let file = root.join(file.strip_prefix(self.root).ok()?);
            return Some(Found::Script(Script { file, root, name, path_info: rest.to_vec() }));
        }
        rest.is_empty().then(|| Found::File { root: self.root.to_owned(), path: name })
    }
}

/// Whether a segment on the way to a file may be one of a request: not `..`, and nothing that is hidden.
fn may_be_asked_for(at: usize, segment: &[u8]) -> bool {
    match segment {
        b"" => false,
        b".well-known" => at == 0,
        segment => !segment.starts_with(b"."),
    }
}

#[cfg(test)]
mod tests;
