//! The commands of `docs/php.md`.

use gateway_tests::place::Place;
use gateway_tests::process::Running;
use gateway_tests::programs::workspace;
use gateway_tests::servers::{ours, php_fpm};

/// The gateway with the mount of the section under this heading, and php-fpm; the site is in the place's folder `www`.
///
/// # Panics
/// If the page has no such section, or its command is about other paths than the test replaces.
pub(crate) fn start(heading: &str, place: Place) -> Running {
    let (fpm, socket) = php_fpm::installed_modules(&place);
    let mount = replaced(&mount(heading), "unix:", &socket.display().to_string());
    let mount = replaced(&mount, "root=", &place.join("www").display().to_string());
    ours::gateway(place, vec![fpm], &[mount])
}

/// The only mount of the section under this heading.
fn mount(heading: &str) -> String {
    let page = std::fs::read_to_string(workspace().join("docs/php.md")).unwrap();
    let section = page.split("\n## ").find(|section| section.lines().next() == Some(heading));
    let section = section.unwrap_or_else(|| panic!("docs/php.md has no section {heading:?}"));
    let mut mounts = section.split("--mount '").skip(1).map(|rest| rest.split('\'').next().unwrap().to_owned());
    let mount = mounts.next().unwrap_or_else(|| panic!("the section {heading:?} has no --mount '…'"));
    assert_eq!(mounts.next(), None, "the section {heading:?} has two mounts");
    mount
}

/// The mount with another path behind `before`.
fn replaced(mount: &str, before: &str, path: &str) -> String {
    let (start, rest) = mount.split_once(before).unwrap_or_else(|| panic!("{mount} has no {before}"));
    let end = rest.find(['?', '&']).unwrap_or(rest.len());
    format!("{start}{before}{path}{}", &rest[end..])
}
