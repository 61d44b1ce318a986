//! Which file answers a path (RFC 3875 §3.4, §9.8).
//!
//! Holds the walk along the decoded segments of the path, over files that exist, and the split into SCRIPT_NAME and
//! PATH_INFO. Never looks at the text of the path alone: a suffix in a name proves nothing (CGI-184).

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use gateway_spec::Environ;

use super::HostError;
use super::finding::{Finding, Links};
use super::named::{self, Roots};

/// The programs that a host may run.
#[derive(Debug, Clone)]
pub(super) enum Scripts {
    /// One program for every path.
    File(PathBuf),
    /// The programs in a directory and those below it. The path is canonical.
    Directory(PathBuf),
    /// The programs below these roots that requests name themselves.
    Named(Roots),
}

/// The program for one request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Script {
    pub(super) path: PathBuf,
    /// How many bytes of PATH_INFO belong to SCRIPT_NAME instead.
    pub(super) name_len: usize,
}

impl Scripts {
    pub(super) fn file(path: &Path, finding: &Finding) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let metadata = path.metadata()?;
        if !metadata.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if !may_run(&path, &metadata, finding) {
            let advice = "the file is not executable; chmod +x makes it so, or its extension needs an interpreter";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, advice));
        }
        Ok(Scripts::File(path))
    }

    pub(super) fn directory(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        if path.metadata()?.is_dir() { Ok(Scripts::Directory(path)) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    /// Finds the program for a request, and moves its name from PATH_INFO to SCRIPT_NAME. Looks at the file system, so it
    /// may block.
    pub(super) fn find(&self, environ: &mut Environ, finding: &Finding) -> Result<Script, HostError> {
        let script = match self {
            Scripts::File(path) => Script { path: path.clone(), name_len: 0 },
            Scripts::Directory(root) => find_below(root, environ, finding)?,
            Scripts::Named(roots) => roots.find(environ, finding)?,
        };
        let path_info = environ.path_info().as_bytes().to_vec();
        let (name, rest) = path_info.split_at_checked(script.name_len).ok_or(HostError::NotFound)?;
        let script_name = [environ.script_name().as_bytes(), name].concat();
        // Neither can hold a NUL: both come from an environ.
        environ.set("SCRIPT_NAME", script_name).map_err(|_| HostError::NotFound)?;
        environ.set("PATH_INFO", rest).map_err(|_| HostError::NotFound)?;
        Ok(script)
    }

    /// Where a program starts: its own directory (CGI-141), unless it was named by a request that says otherwise.
    pub(super) fn working_directory<'a>(&self, script: &'a Script, environ: &'a Environ) -> Option<&'a Path> {
        match self {
            Scripts::Named(_) => named::working_directory(&script.path, environ),
            Scripts::File(_) | Scripts::Directory(_) => script.path.parent(),
        }
    }
}

/// Walks down from `root`, one segment after the other, to the first that is a file. A path that ends with a directory
/// means the program for that directory, whose name is added to PATH_INFO (CGI-5).
fn find_below(root: &Path, environ: &mut Environ, finding: &Finding) -> Result<Script, HostError> {
    if environ.get("REQUEST_URI").is_some_and(|target| hides_a_slash(target.as_bytes())) {
        return Err(HostError::NotFound);
    }
    let path_info = environ.path_info().as_bytes().to_vec();
    let mut segments = path_info.split(|byte| *byte == b'/').peekable();
    // What is before the first slash: a path without one names nothing here.
    if segments.next().is_none_or(|before| !before.is_empty()) {
        return Err(HostError::NotFound);
    }
    // CGI-157: nobody after us may resolve `..` another way, so it is refused in the whole path, also behind the script.
    if segments.clone().any(|segment| segment == b"..") {
        return Err(HostError::NotFound);
    }
    let mut path = root.to_owned();
    let mut name_len = 0;
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_none() {
            let (path, name) = index(root, &path, finding)?;
            let script_path = [&path_info, name.as_bytes()].concat();
            let name_len = script_path.len();
            environ.set("PATH_INFO", script_path).map_err(|_| HostError::NotFound)?;
            return Ok(Script { path, name_len });
        }
        // CGI-150: `.` and empty segments are not passed over, and hidden files are no programs.
        if segment.is_empty() || segment.starts_with(b".") || segment.iter().any(u8::is_ascii_control) {
            return Err(HostError::NotFound);
        }
        path.push(OsStr::from_bytes(segment));
        name_len += 1 + segment.len();
        let metadata = path.metadata().map_err(|_| HostError::NotFound)?;
        if !metadata.is_dir() {
            admit(root, &path, &metadata, finding)?;
            return Ok(Script { path, name_len });
        }
    }
    // Without a program for it, a directory is not worth a word.
    index(root, &path, finding)?;
    Err(HostError::NoSlash)
}

/// The first program for a directory that is there.
fn index<'f>(root: &Path, directory: &Path, finding: &'f Finding) -> Result<(PathBuf, &'f OsStr), HostError> {
    let there = finding.index_names.iter().find_map(|name| {
        let path = directory.join(name);
        let metadata = path.metadata().ok()?;
        Some((path, name.as_os_str(), metadata))
    });
    let (path, name, metadata) = there.ok_or(HostError::NotFound)?;
    admit(root, &path, &metadata, finding)?;
    Ok((path, name))
}

/// Lets a file through that may be run: regular, below the root after all links are followed (CGI-184) unless links may
/// lead anywhere, and executable or with an interpreter.
fn admit(root: &Path, path: &Path, metadata: &Metadata, finding: &Finding) -> Result<(), HostError> {
    let is_inside = match finding.links {
        Links::Anywhere => true,
        Links::Inside => path.canonicalize().is_ok_and(|real| real.starts_with(root)),
    };
    if !is_inside || !metadata.is_file() {
        return Err(HostError::NotFound);
    }
    if may_run(path, metadata, finding) { Ok(()) } else { Err(HostError::Forbidden) }
}

/// Whether a file is a program: it is executable, or there is an interpreter for it.
pub(super) fn may_run(path: &Path, metadata: &Metadata, finding: &Finding) -> bool {
    metadata.permissions().mode() & 0o111 != 0 || finding.interpreters.of(path).is_some()
}

/// Whether the raw target hides a slash: decoded, `%2F` cannot be told from a separator, so the split would be a guess
/// (CGI-28).
pub(super) fn hides_a_slash(request_uri: &[u8]) -> bool {
    let path = request_uri.split(|byte| *byte == b'?').next().unwrap_or_default();
    path.windows(3).any(|escape| escape.eq_ignore_ascii_case(b"%2f"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn find(scripts: &Scripts, path_info: &[u8]) -> Result<Script, HostError> {
        let mut environ = Environ::example("GET", "/");
        environ.set("PATH_INFO", path_info).unwrap();
        scripts.find(&mut environ, &Finding::default())
    }

    struct Tree {
        directory: tempfile::TempDir,
    }

    impl Tree {
        fn new() -> Self {
            let tree = Tree { directory: tempfile::tempdir().unwrap() };
            fs::create_dir_all(tree.path("root/sub/deep")).unwrap();
            fs::create_dir_all(tree.path("outside")).unwrap();
            for (file, mode) in [
                ("root/hello", 0o755),
                ("root/sub/deep/run.cgi", 0o755),
                ("root/plain.txt", 0o644),
                ("root/.hidden", 0o755),
                ("outside/tool", 0o755),
            ] {
                fs::write(tree.path(file), "#!/bin/sh\n").unwrap();
                fs::set_permissions(tree.path(file), fs::Permissions::from_mode(mode)).unwrap();
            }
            symlink(tree.path("outside/tool"), tree.path("root/escape")).unwrap();
            symlink(tree.path("outside"), tree.path("root/door")).unwrap();
            symlink(tree.path("root/hello"), tree.path("root/alias")).unwrap();
            tree
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }
    }

    #[test]
    fn cgi_37_the_path_is_split_behind_the_first_file() {
        let tree = Tree::new();
        let scripts = Scripts::directory(&tree.path("root")).unwrap();
        for (path, name) in [
            ("/hello", "/hello"),
            ("/hello/", "/hello"),
            ("/hello/a//b", "/hello"),
            ("/hello/.x", "/hello"),
            ("/alias/x", "/alias"),
            ("/sub/deep/run.cgi/p", "/sub/deep/run.cgi"),
        ] {
            let script = find(&scripts, path.as_bytes()).unwrap();
            assert_eq!(script.name_len, name.len(), "{path}");
            assert!(script.path.ends_with(&name[1..]), "{path}");
        }
    }

    #[test]
    fn cgi_150_153_157_184_paths_that_name_no_program_are_not_found() {
        let tree = Tree::new();
        let scripts = Scripts::directory(&tree.path("root")).unwrap();
        for path in [
            "",
            "/",
            "hello",
            "//hello",
            "/./hello",
            "/../outside/tool",
            "/hello/..",
            "/hello/../../etc",
            "/sub",
            "/sub/",
            "/sub/deep",
            "/missing",
            "/.hidden",
            "/escape",
            "/door/tool",
            "/hello\n",
            "/hello\r",
            "/Hello",
            "/hell",
            "/hello.cgi",
            "/plain.txt/../hello",
            "/sub//deep/run.cgi",
            "*",
            "/\u{23a}hello",
        ] {
            assert!(matches!(find(&scripts, path.as_bytes()), Err(HostError::NotFound)), "{path:?}");
        }
    }

    #[test]
    fn cgi_184_a_file_that_is_not_executable_is_forbidden() {
        let tree = Tree::new();
        let scripts = Scripts::directory(&tree.path("root")).unwrap();
        assert!(matches!(find(&scripts, b"/plain.txt"), Err(HostError::Forbidden)));
        assert!(matches!(find(&scripts, b"/plain.txt/x"), Err(HostError::Forbidden)));
    }

    #[test]
    fn cgi_28_an_escaped_slash_in_the_path_is_seen() {
        assert!(hides_a_slash(b"/a%2Fb") && hides_a_slash(b"/a%2fb?x"));
        assert!(!hides_a_slash(b"/a/b?x=%2F") && !hides_a_slash(b"/%252F") && !hides_a_slash(b"*"));
    }
}
