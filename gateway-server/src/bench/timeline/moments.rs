//! The marks of all processes: the files that they left in one folder.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::TimelineError;
use crate::marks::NAMES;

/// One mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    /// Nanoseconds of CLOCK_MONOTONIC.
    pub(super) at: u64,
    pub(super) name: &'static str,
}

/// All that are in the folder, in the order they were set, whoever set them.
pub(super) fn read(folder: &Path) -> Result<Vec<Moment>, TimelineError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| TimelineError::Read { path, source }
    };
    let mut moments = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        if path.extension() != Some(OsStr::new("marks")) {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(failed(&path))?;
        for (number, line) in text.lines().enumerate() {
            let no_mark = || TimelineError::Line { path: path.clone(), line: number + 1 };
            moments.push(parse(line).ok_or_else(no_mark)?);
        }
    }
    moments.sort_unstable();
    Ok(moments)
}

/// Reads `NANOSECONDS NAME`.
fn parse(line: &str) -> Option<Moment> {
    let (at, name) = line.split_once(' ')?;
    let name = NAMES.into_iter().find(|known| *known == name)?;
    Some(Moment { at: at.parse().ok()?, name })
}

/// The part of `moments` between two times: from the first on, before the second.
pub(super) fn between(moments: &[Moment], from: u64, until: u64) -> &[Moment] {
    let first = moments.partition_point(|moment| moment.at < from);
    let end = moments.partition_point(|moment| moment.at < until);
    moments.get(first..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_all_processes_become_one_list_in_order_of_time() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("1.marks"), "10 accepted\n40 written\n").unwrap();
        fs::write(folder.path().join("2.marks"), "20 called\n30 finished\n").unwrap();
        fs::write(folder.path().join("server.log"), "something else\n").unwrap();
        let moments = read(folder.path()).unwrap();
        let names: Vec<&str> = moments.iter().map(|moment| moment.name).collect();
        assert_eq!(names, ["accepted", "called", "finished", "written"]);
        assert_eq!(between(&moments, 20, 40), moments.get(1..3).unwrap());
        assert_eq!(between(&moments, 41, u64::MAX), []);
        assert_eq!(between(&moments, 40, 20), []);
    }

    #[test]
    fn a_line_that_is_no_mark_is_told_with_its_place() {
        for line in ["", "10", "called 10", "ten called", "10 lunch", "10  called", "-1 called"] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("1.marks"), format!("10 called\n{line}\n")).unwrap();
            let error = read(folder.path()).unwrap_err();
            assert!(matches!(error, TimelineError::Line { line: 2, .. }), "{line:?}: {error}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        assert!(matches!(read(Path::new("/nonexistent")), Err(TimelineError::Read { .. })));
    }
}
