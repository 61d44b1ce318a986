//! The mounts of a recipe in `docs/cgi-programs.md`.

use std::fs;

use gateway_tests::programs::workspace;

/// The mounts of the recipe under this heading, with a folder or file of the page replaced by one of the test's own.
///
/// # Panics
/// If the page has no such recipe, or the recipe does not name a path that is to be replaced.
pub(crate) fn mounts(heading: &str, own: &[(&str, &str)]) -> Vec<String> {
    let page = fs::read_to_string(workspace().join("docs/cgi-programs.md")).unwrap();
    let section = page
        .split("\n## ")
        .find(|section| section.lines().next() == Some(heading))
        .unwrap_or_else(|| panic!("docs/cgi-programs.md has no section {heading:?}"));
    let mut mounts: Vec<String> =
        section.split("--mount '").skip(1).map(|rest| rest.split('\'').next().unwrap().to_owned()).collect();
    assert!(!mounts.is_empty(), "the section {heading:?} has no --mount '…'");
    for (theirs, ours) in own {
        assert!(
            mounts.iter().any(|mount| mount.contains(theirs)),
            "no mount of {heading:?} names {theirs}: {mounts:?}"
        );
        mounts.iter_mut().for_each(|mount| *mount = mount.replace(theirs, ours));
    }
    mounts
}
