//! Which part of a path is SCRIPT_NAME and which is PATH_INFO, and the file of a script.
//!
//! Holds the three ways to cut: as a mount of our gateway does, at a script, or where the user says. Does not decode paths.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How a path is cut.
#[derive(Debug, Clone, Default)]
pub(super) struct Cut<'a> {
    /// SCRIPT_NAME, if the user says it.
    pub(super) script_name: Option<&'a str>,
    /// SCRIPT_FILENAME, if the user says it.
    pub(super) script_filename: Option<&'a str>,
    /// Where scripts are; the path names one.
    pub(super) root: Option<&'a str>,
    /// The path names a script even without a root: php-fpm's own pages are such.
    pub(super) path_is_script: bool,
}

/// A path in its parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) script_name: Vec<u8>,
    pub(super) path_info: Vec<u8>,
    pub(super) script_filename: Option<Vec<u8>>,
}

/// The script of a folder.
const INDEX: &[u8] = b"index.php";

/// What names of scripts end in.
const SUFFIX: &[u8] = b".php";

impl Cut<'_> {
    /// Cuts a decoded path; `None` if it does not start with the SCRIPT_NAME that was asked for.
    pub(super) fn apply(&self, path: &[u8]) -> Option<Parts> {
        let (script_name, path_info) = match self.script_name {
            Some(name) => {
                let rest = path.strip_prefix(name.trim_end_matches('/').as_bytes())?;
                let is_whole = matches!(rest.first(), None | Some(b'/'));
                (path.strip_suffix(rest).filter(|_| is_whole)?.to_vec(), rest.to_vec())
            }
            None if self.root.is_some() || self.path_is_script => self.at_script(path),
            None => (Vec::new(), path.to_vec()),
        };
        let of_root = || {
            let root = self.root.or(self.path_is_script.then_some(""))?;
            Some([root.trim_end_matches('/').as_bytes(), &script_name].concat())
        };
        let script_filename = self.script_filename.map(|file| file.as_bytes().to_vec()).or_else(of_root);
        Some(Parts { script_name, path_info, script_filename })
    }

    /// Behind the first segment that is a file, or that is named like a script: the worker may see files that we do not.
    fn at_script(&self, path: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let ends = path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        for end in ends.chain([path.len()]) {
            let (name, rest) = path.split_at_checked(end).unwrap_or((path, b""));
            if name.ends_with(SUFFIX) || self.root.is_some_and(|root| is_file(root, name)) {
                return (name.to_vec(), rest.to_vec());
            }
        }
        let index = if path.ends_with(b"/") { INDEX } else { b"" };
        ([path, index].concat(), Vec::new())
    }
}

fn is_file(root: &str, name: &[u8]) -> bool {
    let name = name.strip_prefix(b"/").unwrap_or(name);
    Path::new(root).join(OsStr::from_bytes(name)).is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cut: &Cut<'_>, path: &str, wanted: Option<(&str, &str, Option<&str>)>) {
        let wanted = wanted.map(|(name, info, file)| Parts {
            script_name: name.into(),
            path_info: info.into(),
            script_filename: file.map(Into::into),
        });
        assert_eq!(cut.apply(path.as_bytes()), wanted, "{path}");
    }

    #[test]
    fn without_a_script_the_application_is_at_the_root() {
        check(&Cut::default(), "/a/b", Some(("", "/a/b", None)));
        check(&Cut::default(), "/", Some(("", "/", None)));
    }

    #[test]
    fn a_script_name_that_is_said_is_cut_off_by_whole_segments() {
        let cut = Cut { script_name: Some("/app/"), ..Cut::default() };
        check(&cut, "/app/x", Some(("/app", "/x", None)));
        check(&cut, "/app", Some(("/app", "", None)));
        check(&cut, "/apple", None);
        check(&cut, "/", None);
        check(&Cut { script_name: Some(""), ..Cut::default() }, "/x", Some(("", "/x", None)));
    }

    #[test]
    fn fcgi_112_a_root_makes_the_path_a_script() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("dir")).unwrap();
        std::fs::write(folder.path().join("dir/tool"), "").unwrap();
        let root = folder.path().to_str().unwrap();
        let cut = Cut { root: Some(root), ..Cut::default() };
        for (path, name, info) in [
            ("/x.php", "/x.php", ""),
            ("/a/x.php/b/y.php", "/a/x.php", "/b/y.php"),
            ("/dir/tool/more", "/dir/tool", "/more"),
            ("/dir/", "/dir/index.php", ""),
            ("/", "/index.php", ""),
            ("/status", "/status", ""),
            ("/not/there", "/not/there", ""),
        ] {
            check(&cut, path, Some((name, info, Some(&format!("{root}{name}")))));
        }
        let one = Cut { script_filename: Some("/srv/front.php"), ..cut };
        check(&one, "/status", Some(("/status", "", Some("/srv/front.php"))));
    }

    #[test]
    fn fcgi_112_a_page_of_php_fpm_itself_needs_no_root() {
        let cut = Cut { path_is_script: true, ..Cut::default() };
        check(&cut, "/status", Some(("/status", "", Some("/status"))));
        check(&cut, "/srv/x.php/y", Some(("/srv/x.php", "/y", Some("/srv/x.php"))));
    }
}
