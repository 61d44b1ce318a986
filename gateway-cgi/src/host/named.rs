//! The program that a request names by itself: SCRIPT_FILENAME, or the first file on the way of the path from DOCUMENT_ROOT.
//!
//! Holds the search and the roots that bound it: for hosts behind a FastCGI server, whose configuration says what to run.
//! Does not hold programs that this host's own configuration names (`script`). Whoever can send a request names a file, so
//! what counts is where the file really is, and not what its name looks like (CGI-184).

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use gateway_spec::Environ;

use super::HostError;
use super::finding::{Finding, Links};
use super::script::{Script, hides_a_slash, may_run};

/// Where programs may be.
#[derive(Debug, Clone)]
pub(super) struct Roots(Arc<[Root]>);

/// A folder whose programs may run, those in folders below it too; or one program.
#[derive(Debug)]
struct Root {
    /// As it was given, made absolute.
    given: PathBuf,
    /// After all links were followed.
    real: PathBuf,
}

impl Roots {
    pub(super) fn new(roots: impl IntoIterator<Item = impl AsRef<Path>>) -> io::Result<Self> {
        let root = |path: &Path| Ok(Root { given: std::path::absolute(path)?, real: path.canonicalize()? });
        roots.into_iter().map(|path| root(path.as_ref())).collect::<io::Result<Vec<_>>>().map(|all| Roots(all.into()))
    }

    /// Finds the program. Where the path had to be searched for it, SCRIPT_NAME is moved to PATH_INFO, of which the first
    /// `name_len` bytes are the program's.
    pub(super) fn find(&self, environ: &mut Environ, finding: &Finding) -> Result<Script, HostError> {
        let script = match sent(environ, "SCRIPT_FILENAME") {
            Some(path) => Script { path: self.admit(path.into(), finding)?, name_len: 0 },
            None => self.walk(environ, finding)?,
        };
        match sent(environ, "FCGI_CHDIR") {
            Some(directory) if directory != KEEP && !Path::new(directory).is_dir() => Err(HostError::Directory),
            _ => Ok(script),
        }
    }

    /// Walks along the path from DOCUMENT_ROOT to the first file. A path that ends with a directory means the program for
    /// that directory, whose name is added (CGI-5).
    fn walk(&self, environ: &mut Environ, finding: &Finding) -> Result<Script, HostError> {
        let mut path = PathBuf::from(sent(environ, "DOCUMENT_ROOT").ok_or(HostError::Unnamed)?);
        if environ.get("REQUEST_URI").is_some_and(|target| hides_a_slash(target.as_bytes())) {
            return Err(HostError::NotFound);
        }
        let mut whole = [environ.script_name().as_bytes(), environ.path_info().as_bytes()].concat();
        // A configuration that names one program may write it without.
        if !whole.starts_with(b"/") {
            whole.insert(0, b'/');
        }
        // CGI-157: nobody after us may resolve `..` another way.
        if whole.split(|byte| *byte == b'/').any(|segment| segment == b"..") {
            return Err(HostError::NotFound);
        }
        let name_len = match file_on_the_way(&mut path, &whole)? {
            Way::File { name_len } => name_len,
            Way::Directory => {
                let index = finding.index_names.iter().find(|name| path.join(name).exists());
                let index = index.ok_or(HostError::NotFound)?;
                path.push(index);
                whole.extend_from_slice(index.as_bytes());
                whole.len()
            }
        };
        let path = self.admit(path, finding)?;
        // Neither can hold a NUL: they come from an environ.
        environ.set("SCRIPT_NAME", "").map_err(|_| HostError::NotFound)?;
        environ.set("PATH_INFO", whole).map_err(|_| HostError::NotFound)?;
        Ok(Script { path, name_len })
    }

    /// The path, if a program is there that may run: below a root after all links are followed (CGI-184) unless links may
    /// lead anywhere, not hidden there, regular, executable or with an interpreter.
    fn admit(&self, path: PathBuf, finding: &Finding) -> Result<PathBuf, HostError> {
        let is_plain = !path.components().any(|part| part == Component::ParentDir)
            && !path.as_os_str().as_bytes().iter().any(u8::is_ascii_control);
        if !path.is_absolute() || !is_plain {
            return Err(HostError::NotFound);
        }
        // The same answer whether or not the file is there: nobody is told what is elsewhere.
        let outside = |program: PathBuf| HostError::Outside { program };
        let is_named = self.0.iter().any(|root| root.below(&path).is_some());
        let Ok(real) = path.canonicalize() else {
            return Err(if is_named { HostError::NotFound } else { outside(path) });
        };
        let anywhere = finding.links == Links::Anywhere;
        let is_inside = self.0.iter().any(|root| real.starts_with(&root.real)) || (anywhere && is_named);
        if !is_inside {
            return Err(outside(real));
        }
        if !self.0.iter().any(|root| root.shows(&path, &real, anywhere)) {
            return Err(HostError::NotFound);
        }
        let metadata = real.metadata().map_err(|_| HostError::NotFound)?;
        if !metadata.is_file() {
            return Err(HostError::NotFound);
        }
        if may_run(&path, &metadata, finding) { Ok(path) } else { Err(HostError::Forbidden) }
    }
}

/// What a path leads to.
enum Way {
    /// A file, whose name is so many bytes of the path; what follows is for the program.
    File { name_len: usize },
    /// A directory, and the path ends with a slash.
    Directory,
}

/// Goes from `place` along the segments of `path`, which starts with a slash, to the first that is no directory.
fn file_on_the_way(place: &mut PathBuf, path: &[u8]) -> Result<Way, HostError> {
    let mut segments = path.split(|byte| *byte == b'/').skip(1).peekable();
    let mut name_len = 0;
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_none() {
            return Ok(Way::Directory);
        }
        // CGI-150: `.` and empty segments are not passed over.
        if segment.is_empty() || segment == b"." {
            return Err(HostError::NotFound);
        }
        place.push(OsStr::from_bytes(segment));
        name_len += 1 + segment.len();
        if !place.metadata().map_err(|_| HostError::NotFound)?.is_dir() {
            return Ok(Way::File { name_len });
        }
    }
    Err(HostError::NotFound)
}

impl Root {
    /// What follows this root in a name.
    fn below<'p>(&self, path: &'p Path) -> Option<&'p Path> {
        path.strip_prefix(&self.given).or_else(|_| path.strip_prefix(&self.real)).ok()
    }

    /// Whether the file is below this root, and no name on the way from here is hidden. What the root itself is called is
    /// the operator's choice.
    fn shows(&self, path: &Path, real: &Path, anywhere: bool) -> bool {
        let named = self.below(path);
        match real.strip_prefix(&self.real) {
            Ok(really) => !is_hidden(really) && !named.is_some_and(is_hidden),
            Err(_) => anywhere && named.is_some_and(|named| !is_hidden(named)),
        }
    }
}

/// FCGI_CHDIR that means: stay where you are.
const KEEP: &str = "-";

/// Where the program starts: its own directory (CGI-141), unless the server says otherwise; `None` for this process's own.
pub(super) fn working_directory<'a>(program: &'a Path, environ: &'a Environ) -> Option<&'a Path> {
    match sent(environ, "FCGI_CHDIR") {
        Some(directory) if directory == KEEP => None,
        Some(directory) => Some(Path::new(directory)),
        None => program.parent(),
    }
}

/// A variable that is not empty: servers send one that they know nothing about as an empty one.
fn sent<'a>(environ: &'a Environ, name: &str) -> Option<&'a OsStr> {
    environ.get(name).map(|value| OsStr::from_bytes(value.as_bytes())).filter(|value| !value.is_empty())
}

fn is_hidden(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str().as_bytes().starts_with(b"."))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::super::{Config, Interpreter};
    use super::*;

    /// `cgi` is the root; `other` is beside it.
    struct Tree {
        directory: tempfile::TempDir,
    }

    impl Tree {
        fn new() -> Self {
            let tree = Tree { directory: tempfile::tempdir().unwrap() };
            for folder in ["cgi/sub", "cgi/.git", "other"] {
                fs::create_dir_all(tree.path(folder)).unwrap();
            }
            for (file, mode) in [
                ("cgi/hello", 0o755),
                ("cgi/sub/run.cgi", 0o755),
                ("cgi/plain.txt", 0o644),
                ("cgi/.hidden", 0o755),
                ("cgi/.git/hook", 0o755),
                ("other/tool", 0o755),
            ] {
                fs::write(tree.path(file), "#!/bin/sh\n").unwrap();
                fs::set_permissions(tree.path(file), fs::Permissions::from_mode(mode)).unwrap();
            }
            symlink(tree.path("other/tool"), tree.path("cgi/escape")).unwrap();
            symlink(tree.path("other"), tree.path("cgi/door")).unwrap();
            symlink(tree.path("cgi/hello"), tree.path("cgi/alias")).unwrap();
            symlink(tree.path("cgi/.hidden"), tree.path("cgi/unhidden")).unwrap();
            symlink(tree.path("cgi/hello"), tree.path("cgi/.alias")).unwrap();
            symlink(tree.path("cgi"), tree.path("link")).unwrap();
            tree
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        fn roots(&self, names: &[&str]) -> Roots {
            Roots::new(names.iter().map(|name| self.path(name))).unwrap()
        }

        /// A request with these variables; `@` stands for the tree.
        fn environ(&self, variables: &[(&str, &str)]) -> Environ {
            let mut environ = Environ::example("GET", "/");
            environ.remove("PATH_INFO");
            for (name, value) in variables {
                environ.set(name, value.replace('@', &self.directory.path().display().to_string())).unwrap();
            }
            environ
        }

        fn find(&self, roots: &[&str], program: &str) -> Result<PathBuf, HostError> {
            let mut environ = self.environ(&[("SCRIPT_FILENAME", program)]);
            self.roots(roots).find(&mut environ, &Finding::default()).map(|script| script.path)
        }
    }

    #[test]
    fn cgi_184_a_named_program_below_a_root_runs_under_its_name() {
        let tree = Tree::new();
        for (roots, program) in [
            (&["cgi"][..], "@/cgi/hello"),
            (&["cgi"], "@/cgi/sub/run.cgi"),
            (&["cgi"], "@/cgi/alias"),
            (&["cgi"], "@/cgi//hello"),
            (&["link"], "@/link/hello"),
            (&["link"], "@/cgi/hello"),
            (&["cgi"], "@/link/hello"),
            (&["cgi/hello"], "@/cgi/hello"),
            (&["other", "cgi"], "@/cgi/escape"),
            (&["cgi/.git"], "@/cgi/.git/hook"),
            (&["cgi", "cgi/.hidden"], "@/cgi/.hidden"),
        ] {
            let found = tree.find(roots, program);
            let named = program.replace('@', &tree.directory.path().display().to_string());
            assert!(found.as_ref().is_ok_and(|path| path.as_os_str() == &*named), "{roots:?} {program}: {found:?}");
        }
    }

    #[test]
    fn cgi_184_what_is_outside_the_roots_is_refused_whether_or_not_it_is_there() {
        let tree = Tree::new();
        for (roots, program) in [
            (&["cgi"][..], "@/other/tool"),
            (&["cgi"], "@/other/missing"),
            (&["cgi"], "/bin/sh"),
            (&["cgi"], "@/cgi/escape"),
            (&["cgi"], "@/cgi/door/tool"),
            (&["cgi"], "@/cgi2/hello"),
            (&["cgi/hello"], "@/cgi/sub/run.cgi"),
            (&[], "@/cgi/hello"),
        ] {
            let found = tree.find(roots, program);
            assert!(matches!(found, Err(HostError::Outside { .. })), "{roots:?} {program}: {found:?}");
        }
    }

    #[test]
    fn cgi_150_157_what_is_hidden_or_no_program_is_not_found() {
        let tree = Tree::new();
        for program in [
            "@/cgi/missing",
            "@/cgi/.hidden",
            "@/cgi/.git/hook",
            "@/cgi/unhidden",
            "@/cgi/.alias",
            "@/cgi/sub",
            "@/cgi",
            "@/cgi/hello/x",
            "@/cgi/hello/",
            "@/cgi/sub/../hello",
            "@/cgi/hello\n",
            "hello",
            "cgi/hello",
        ] {
            let found = tree.find(&["cgi"], program);
            assert!(matches!(found, Err(HostError::NotFound)), "{program}: {found:?}");
        }
        let plain = tree.find(&["cgi"], "@/cgi/plain.txt");
        assert!(matches!(plain, Err(HostError::Forbidden)), "{plain:?}");
    }

    #[track_caller]
    fn check_split(tree: &Tree, root: &str, sent: (&str, &str), program: &str, split: (&str, &str)) {
        let mut environ = tree.environ(&[("DOCUMENT_ROOT", root), ("SCRIPT_NAME", sent.0), ("PATH_INFO", sent.1)]);
        let script = tree.roots(&["cgi", "other"]).find(&mut environ, &Finding::default()).unwrap();
        assert_eq!(script.path, tree.path(program), "{sent:?}");
        assert_eq!(environ.script_name().as_bytes(), b"", "{sent:?}");
        let (name, rest) = environ.path_info().as_bytes().split_at(script.name_len);
        assert_eq!((name, rest), (split.0.as_bytes(), split.1.as_bytes()), "{sent:?}");
    }

    #[test]
    fn cgi_37_without_a_name_the_path_is_searched_from_the_document_root() {
        let tree = Tree::new();
        check_split(&tree, "@/cgi", ("/hello", ""), "cgi/hello", ("/hello", ""));
        check_split(&tree, "@/cgi/", ("hello", ""), "cgi/hello", ("/hello", ""));
        check_split(&tree, "@/cgi", ("/hello/a//b", ""), "cgi/hello", ("/hello", "/a//b"));
        check_split(&tree, "@/cgi", ("/sub", "/run.cgi/p"), "cgi/sub/run.cgi", ("/sub/run.cgi", "/p"));
        check_split(&tree, "@", ("/cgi/sub/run.cgi/", ""), "cgi/sub/run.cgi", ("/cgi/sub/run.cgi", "/"));
        check_split(&tree, "@/cgi", ("", "/hello/x"), "cgi/hello", ("/hello", "/x"));
        check_split(&tree, "@/cgi", ("/door/tool/x", ""), "cgi/door/tool", ("/door/tool", "/x"));
    }

    #[test]
    fn cgi_28_157_paths_that_could_be_read_in_two_ways_are_not_searched() {
        let tree = Tree::new();
        let rows =
            ["/../cgi/hello", "/hello/..", "//hello", "/./hello", "/sub//run.cgi", "/", "/sub", "/missing", "/.hidden"];
        for path in rows {
            let mut environ = tree.environ(&[("DOCUMENT_ROOT", "@/cgi"), ("SCRIPT_NAME", path)]);
            let found = tree.roots(&["cgi"]).find(&mut environ, &Finding::default());
            assert!(matches!(found, Err(HostError::NotFound)), "{path}: {found:?}");
        }
        let mut environ =
            tree.environ(&[("DOCUMENT_ROOT", "@/cgi"), ("SCRIPT_NAME", "/hello/a/b"), ("REQUEST_URI", "/hello/a%2Fb")]);
        assert!(matches!(tree.roots(&["cgi"]).find(&mut environ, &Finding::default()), Err(HostError::NotFound)));
    }

    #[test]
    fn cgi_150_a_directory_is_answered_by_its_index() {
        let tree = Tree::new();
        fs::copy(tree.path("cgi/hello"), tree.path("cgi/sub/index.cgi")).unwrap();
        check_split(&tree, "@/cgi", ("/sub/", ""), "cgi/sub/index.cgi", ("/sub/index.cgi", ""));
    }

    #[test]
    fn cgi_184_the_operator_may_let_links_lead_anywhere_and_give_files_an_interpreter() {
        let tree = Tree::new();
        let config = Config::new().links(Links::Anywhere).interpreter("txt", Interpreter::new("/bin/cat"));
        let find = |program| {
            let mut environ = tree.environ(&[("SCRIPT_FILENAME", program)]);
            tree.roots(&["cgi"]).find(&mut environ, &config.finding).map(|script| script.path)
        };
        for (program, path) in
            [("@/cgi/escape", "cgi/escape"), ("@/cgi/door/tool", "cgi/door/tool"), ("@/cgi/plain.txt", "cgi/plain.txt")]
        {
            let found = find(program);
            assert!(found.as_ref().is_ok_and(|found| *found == tree.path(path)), "{program}: {found:?}");
        }
        for program in ["@/cgi/unhidden", "@/cgi/.alias"] {
            assert!(matches!(find(program), Err(HostError::NotFound)), "{program}");
        }
        assert!(matches!(find("@/other/tool"), Err(HostError::Outside { .. })));
    }

    #[test]
    fn a_request_that_names_nothing_says_what_is_missing() {
        let tree = Tree::new();
        for variables in [&[][..], &[("SCRIPT_FILENAME", ""), ("DOCUMENT_ROOT", "")]] {
            let error = tree.roots(&["cgi"]).find(&mut tree.environ(variables), &Finding::default()).unwrap_err();
            assert!(matches!(error, HostError::Unnamed) && error.to_string().contains("SCRIPT_FILENAME"), "{error}");
        }
    }

    #[test]
    fn cgi_141_a_program_starts_in_its_directory_unless_the_server_says_otherwise() {
        let tree = Tree::new();
        let program = tree.path("cgi/hello");
        for (variables, wanted) in [
            (&[][..], Some(tree.path("cgi"))),
            (&[("FCGI_CHDIR", "")], Some(tree.path("cgi"))),
            (&[("FCGI_CHDIR", "@/other")], Some(tree.path("other"))),
            (&[("FCGI_CHDIR", "-")], None),
        ] {
            let environ = tree.environ(variables);
            assert_eq!(working_directory(&program, &environ).map(Path::to_owned), wanted, "{variables:?}");
        }
        let mut lost = tree.environ(&[("SCRIPT_FILENAME", "@/cgi/hello"), ("FCGI_CHDIR", "@/missing")]);
        assert!(matches!(tree.roots(&["cgi"]).find(&mut lost, &Finding::default()), Err(HostError::Directory)));
    }

    #[test]
    fn a_root_that_is_not_there_is_an_error() {
        assert!(Roots::new(["/nonexistent"]).is_err());
    }
}
