//! Where the programs of this workspace are: `testbed`, `gateway` and the other binaries under test.
//!
//! They lie beside the test binary's `deps` folder. Cargo does not rebuild another package's binaries for us, and a stale
//! program would make every test worthless, so they are built once per process before the first use. A script that has
//! just built the workspace says so with `GATEWAY_TESTS_BUILT=1`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The build folder of the running test's profile, such as `target/debug`.
pub fn build_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let test = std::env::current_exe().expect("a process knows its executable");
        let folder = test.parent().expect("an executable lies in a folder");
        // Integration tests lie in `deps`, binaries one above.
        if folder.ends_with("deps") {
            folder.parent().expect("deps lies in a folder").to_owned()
        } else {
            folder.to_owned()
        }
    })
}

/// The program of that name, freshly built.
///
/// # Panics
/// If the workspace does not build or has no such binary.
pub fn program(name: &str) -> PathBuf {
    build_once();
    let path = build_folder().join(name);
    assert!(path.is_file(), "{} is missing: is there a binary of that name?", path.display());
    path
}

/// The top of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the workspace")
}

fn build_once() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        if std::env::var_os("GATEWAY_TESTS_BUILT").is_some() {
            return;
        }
        let release = build_folder().ends_with("release");
        let target = build_folder().parent().expect("a profile's folder lies in the target folder");
        let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
        cargo
            .args(["build", "--workspace", "--bins", "--quiet"])
            .current_dir(workspace())
            .env("CARGO_TARGET_DIR", target);
        if release {
            cargo.arg("--release");
        }
        let status = cargo.status().expect("cargo runs");
        assert!(status.success(), "the programs under test do not build");
    });
}
