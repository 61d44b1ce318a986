//! Which script a request is for, where the workers do not find that out themselves (FCGI-112, FCGI-134).
//!
//! Holds the configured choice: one script for all paths, or a [`Tree`] of them. Does not hold variables that do not depend on
//! the script.

mod tree;

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use gateway_cgi::variables;
use gateway_spec::Environ;

use super::ClientError;
pub use tree::{Found, Script, Tree};

/// Where scripts are.
#[derive(Debug, Clone)]
pub(super) struct Scripts {
    /// The directory that PATH_INFO leads into.
    pub(super) root: Option<PathBuf>,
    /// The script for every path.
    pub(super) one: Option<PathBuf>,
    pub(super) index: String,
    pub(super) suffixes: Vec<String>,
    pub(super) worker_root: Option<PathBuf>,
}

impl Default for Scripts {
    fn default() -> Self {
        let suffixes = vec![".php".to_owned()];
        Self { root: None, one: None, index: "index.php".to_owned(), suffixes, worker_root: None }
    }
}

/// What the variables say about the script of one request.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    pub(super) root: Option<PathBuf>,
    /// The path of the mount.
    pub(super) prefix: Vec<u8>,
}

impl Place {
    /// What the script is, for the variables (CGI-185).
    pub(super) fn of_variables(&self) -> variables::Script<'_> {
        variables::Script {
            filename: Some(self.file.as_os_str().as_bytes()),
            document_root: self.root.as_ref().map(|root| root.as_os_str().as_bytes()),
        }
    }
}

impl Script {
    /// Tells the environ how the path divides; the rest is for the variables.
    pub(super) fn place(self, environ: &mut Environ) -> Result<Place, ClientError> {
        let prefix = environ.script_name().as_bytes().to_vec();
        self.divide(environ)?;
        Ok(Place { file: self.file, root: Some(self.root), prefix })
    }
}

impl Scripts {
    /// Finds the script and moves its part of the path from PATH_INFO to SCRIPT_NAME; nothing if nothing is said about scripts.
    pub(super) async fn find(&self, environ: &mut Environ) -> Result<Option<Box<Place>>, ClientError> {
        if self.one.is_none() && self.root.is_none() {
            return Ok(None);
        }
        // In a box, so that requests without a script have no room for this.
        Box::pin(self.look_for(environ)).await
    }

    async fn look_for(&self, environ: &mut Environ) -> Result<Option<Box<Place>>, ClientError> {
        let path = environ.path_info().as_bytes().to_vec();
        // FCGI-132: no such byte is in a path that was meant.
        if path.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(ClientError::Path);
        }
        if let Some(file) = self.one.clone() {
            let prefix = environ.script_name().as_bytes().to_vec();
            return Ok(Some(Box::new(Place { file, root: self.root.clone(), prefix })));
        }
        let Some(tree) = self.tree() else { return Ok(None) };
        // A disk may be slow, so it is not asked on this thread.
        let found = tokio::task::spawn_blocking(move || tree.locate(&path)).await;
        match found.map_err(|e| ClientError::Broken(e.into()))? {
            Found::Script(script) => script.place(environ).map(|place| Some(Box::new(place))),
            _ => Err(ClientError::NoScript),
        }
    }

    fn tree(&self) -> Option<Tree> {
        let tree = Tree::new(self.root.as_deref()?).index([&self.index]).suffixes(&self.suffixes);
        Some(self.worker_root.iter().fold(tree, Tree::worker_root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn fcgi_112_134_a_script_is_found_below_the_root_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("page.php"), "").unwrap();
        std::fs::write(folder.path().join("photo.jpg"), "").unwrap();
        let scripts = Scripts { root: Some(folder.path().into()), ..Scripts::default() };
        let mut environ = Environ::example("GET", "/page.php/a");
        environ.set("SCRIPT_NAME", "/app").unwrap();
        let place = scripts.find(&mut environ).await.unwrap().unwrap();
        assert_eq!((place.file, place.root), (folder.path().join("page.php"), Some(folder.path().to_owned())));
        assert_eq!(
            (environ.script_name().as_bytes(), environ.path_info().as_bytes()),
            (&b"/app/page.php"[..], &b"/a"[..])
        );
        for path in ["/photo.jpg", "/photo.jpg/x.php", "/none.php", "/", ""] {
            let found = scripts.find(&mut Environ::example("GET", path)).await;
            assert!(matches!(found, Err(ClientError::NoScript)), "{path}");
        }
    }

    #[tokio::test]
    async fn fcgi_132_control_bytes_in_a_path_are_refused() {
        let scripts = Scripts { root: Some("/srv".into()), ..Scripts::default() };
        for path in ["/index.php/\n", "/index.php/\r", "/in\ndex.php"] {
            let found = scripts.find(&mut Environ::example("GET", path)).await;
            assert!(matches!(found, Err(ClientError::Path)), "{path:?}");
        }
    }

    #[tokio::test]
    async fn one_script_answers_every_path_and_leaves_it_as_it_is() {
        let scripts = Scripts { one: Some("/srv/front.php".into()), ..Scripts::default() };
        let mut environ = Environ::example("GET", "/any/path");
        let place = scripts.find(&mut environ).await.unwrap().unwrap();
        assert_eq!(place.file, PathBuf::from("/srv/front.php"));
        assert_eq!(environ.path_info(), "/any/path");
    }
}
