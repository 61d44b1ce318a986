//! Which script a request is for, where the workers do not find that out themselves (FCGI-112, FCGI-134).
//!
//! Holds the split of a path on segments of files that exist. Does not hold variables that do not depend on the script.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use gateway_cgi::variables::MetaVariables;
use gateway_spec::Environ;

use super::ClientError;

/// Where scripts are.
#[derive(Debug, Clone)]
pub(super) struct Scripts {
    /// The directory that PATH_INFO leads into.
    pub(super) root: Option<PathBuf>,
    /// The script for every path.
    pub(super) one: Option<PathBuf>,
    pub(super) index: String,
    pub(super) suffixes: Vec<String>,
}

impl Default for Scripts {
    fn default() -> Self {
        Self { root: None, one: None, index: "index.php".to_owned(), suffixes: vec![".php".to_owned()] }
    }
}

/// The script of one request.
#[derive(Debug, Clone)]
pub(super) struct Script {
    file: PathBuf,
    root: Option<PathBuf>,
}

impl Script {
    /// Adds what the script is to the variables (CGI-185).
    pub(super) fn configure(self, variables: MetaVariables) -> MetaVariables {
        let variables = variables.script_filename(self.file.into_os_string().into_vec());
        match self.root {
            Some(root) => variables.document_root(root.into_os_string().into_vec()),
            None => variables,
        }
    }
}

impl Scripts {
    /// Finds the script and moves its part of the path from PATH_INFO to SCRIPT_NAME.
    pub(super) async fn find(&self, environ: &mut Environ) -> Result<Option<Script>, ClientError> {
        if self.one.is_none() && self.root.is_none() {
            return Ok(None);
        }
        let path = environ.path_info().as_bytes().to_vec();
        // FCGI-132: no such byte is in a path that was meant.
        if path.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(ClientError::Path);
        }
        if let Some(file) = self.one.clone() {
            return Ok(Some(Script { file, root: self.root.clone() }));
        }
        let scripts = self.clone();
        // A disk may be slow, so it is not asked on this thread.
        let found = tokio::task::spawn_blocking(move || scripts.locate(&path)).await;
        let found = found.map_err(|e| ClientError::Broken(e.into()))?.ok_or(ClientError::NoScript)?;
        let name = [environ.script_name().as_bytes(), &found.name].concat();
        for (variable, value) in [("SCRIPT_NAME", &name), ("PATH_INFO", &found.rest)] {
            environ.set(variable, value).map_err(|_| ClientError::Path)?;
        }
        Ok(Some(Script { file: found.file, root: self.root.clone() }))
    }

    /// Walks along the path until a file: what follows it is for the script.
    fn locate(&self, path: &[u8]) -> Option<Found> {
        let root = self.root.as_deref()?;
        let mut file = root.to_owned();
        let mut taken = 0;
        loop {
            let rest = path.get(taken..).unwrap_or_default();
            if rest == b"/" || path.is_empty() {
                let index = file.join(&self.index);
                let slash: &[u8] = if path.is_empty() { b"/" } else { b"" };
                let name = [path, slash, self.index.as_bytes()].concat();
                return self.accept(root, index).map(|file| Found { file, name, rest: Vec::new() });
            }
            let after = rest.strip_prefix(b"/")?;
            let segment = after.split(|byte| *byte == b'/').next()?;
            if matches!(segment, b"" | b"." | b"..") {
                return None;
            }
            file.push(OsStr::from_bytes(segment));
            taken += 1 + segment.len();
            if !file.metadata().ok()?.is_dir() {
                let (name, rest) = path.split_at_checked(taken)?;
                let file = self.accept(root, file)?;
                return Some(Found { file, name: name.to_vec(), rest: rest.to_vec() });
            }
        }
    }

    /// The file, if it is one, has an allowed suffix, and is below the root also when links are followed.
    fn accept(&self, root: &Path, file: PathBuf) -> Option<PathBuf> {
        let name = file.file_name()?.as_bytes();
        let allowed = self.suffixes.iter().any(|suffix| name.ends_with(suffix.as_bytes()));
        let inside = file.canonicalize().ok()?.starts_with(root.canonicalize().ok()?);
        (allowed && inside && file.is_file()).then_some(file)
    }
}

/// A script that exists, and how the path divides.
struct Found {
    file: PathBuf,
    name: Vec<u8>,
    rest: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new() -> Self {
            let tree = tempfile::tempdir().unwrap();
            let root = tree.path().join("root");
            std::fs::create_dir_all(root.join("sub/empty")).unwrap();
            for file in ["index.php", "sub/index.php", "sub/page.php", "upload.jpg", "../outside.php"] {
                std::fs::write(root.join(file), "").unwrap();
            }
            std::os::unix::fs::symlink("../outside.php", root.join("link.php")).unwrap();
            std::os::unix::fs::symlink("sub/page.php", root.join("alias.php")).unwrap();
            Self(tree)
        }

        fn root(&self) -> PathBuf {
            self.0.path().join("root")
        }

        /// SCRIPT_NAME, PATH_INFO, and the file below the root.
        async fn find(&self, path: &str) -> Result<(String, String, String), ClientError> {
            let scripts = Scripts { root: Some(self.root()), ..Scripts::default() };
            let mut environ = Environ::example("GET", path);
            environ.set("SCRIPT_NAME", "/app").unwrap();
            let script = scripts.find(&mut environ).await?.unwrap();
            let text = |value: gateway_spec::Value<'_>| value.to_str().unwrap().to_owned();
            let file = script.file.strip_prefix(self.root()).unwrap().display().to_string();
            Ok((text(environ.script_name()), text(environ.path_info()), file))
        }
    }

    #[tokio::test]
    async fn fcgi_112_a_path_is_split_behind_the_script_that_exists() {
        let tree = Tree::new();
        for (path, name, rest, file) in [
            ("/sub/page.php", "/app/sub/page.php", "", "sub/page.php"),
            ("/sub/page.php/", "/app/sub/page.php", "/", "sub/page.php"),
            ("/sub/page.php/a/b.php", "/app/sub/page.php", "/a/b.php", "sub/page.php"),
            ("/", "/app/index.php", "", "index.php"),
            ("", "/app/index.php", "", "index.php"),
            ("/sub/", "/app/sub/index.php", "", "sub/index.php"),
            ("/alias.php/x", "/app/alias.php", "/x", "alias.php"),
        ] {
            let found = tree.find(path).await.unwrap();
            assert_eq!(found, (name.to_owned(), rest.to_owned(), file.to_owned()), "{path}");
        }
    }

    #[tokio::test]
    async fn fcgi_134_what_is_no_script_is_not_found() {
        let tree = Tree::new();
        for path in [
            "/none.php",
            "/upload.jpg",
            "/upload.jpg/x.php",
            "/none/x.php",
            "/sub",
            "/sub/empty/",
            "//index.php",
            "/sub//page.php",
            "/./index.php",
            "/sub/../index.php",
            "/../outside.php",
            "/link.php",
            "index.php",
        ] {
            assert!(matches!(tree.find(path).await, Err(ClientError::NoScript)), "{path}");
        }
    }

    #[tokio::test]
    async fn fcgi_132_control_bytes_in_a_path_are_refused() {
        let tree = Tree::new();
        for path in ["/index.php/\n", "/index.php/\r", "/in\ndex.php"] {
            assert!(matches!(tree.find(path).await, Err(ClientError::Path)), "{path:?}");
        }
    }

    #[tokio::test]
    async fn one_script_answers_every_path_and_leaves_it_as_it_is() {
        let scripts = Scripts { one: Some("/srv/front.php".into()), ..Scripts::default() };
        let mut environ = Environ::example("GET", "/any/path");
        let script = scripts.find(&mut environ).await.unwrap().unwrap();
        assert_eq!(script.file, Path::new("/srv/front.php"));
        assert_eq!(environ.path_info(), "/any/path");
    }
}
