//! What the unit tests of this folder share: a model with all that a front is made from, and nothing started.

use std::path::Path;

use tempfile::TempDir;

use super::folder::Folder;
use super::front::Setting;
use super::sockets::Upstream;
use super::{Place, Program};
use crate::bench::model::{Front, Model, Way};

/// One model, the program `/bin/sh` with a variable, and marks wanted.
pub(super) struct Example {
    pub(super) program: Program,
    model: Model,
    folder: Folder,
    // Dropped after what is in it.
    scratch: TempDir,
}

impl Example {
    pub(super) fn new(front: Front, way: Way) -> Example {
        let scratch = tempfile::tempdir().unwrap();
        let place = Place { gateway: Path::new("/bin/gateway"), scratch: scratch.path(), marks: None };
        let folder = Folder::new(&place).unwrap();
        let model = Model { key: "example".to_owned(), title: "Example".to_owned(), front, way, workers: 1 };
        let env = vec![("ROLE".to_owned(), "app".to_owned())];
        let program = Program { path: "/bin/sh".into(), arguments: Vec::new(), env };
        Example { program, model, folder, scratch }
    }

    pub(super) fn setting<'a>(&'a self, upstream: Option<&'a Upstream>) -> Setting<'a> {
        let place = Place {
            gateway: Path::new("/bin/gateway"),
            scratch: self.scratch.path(),
            marks: Some(Path::new("/marks")),
        };
        Setting { model: &self.model, program: &self.program, place, folder: &self.folder, upstream }
    }
}
