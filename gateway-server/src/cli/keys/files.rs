//! The keys of targets whose answers may name files that are sent instead of their body.

use std::path::PathBuf;

use super::super::options::NamesFiles;
use super::super::rules::{Rule, add, put};
use super::super::value::{self, PATH};
use crate::mount::Prefix;

/// How the keys speak of who names a file: its X-Sendfile, and its X-Accel-Redirect.
pub(super) struct Texts {
    sendfile: &'static str,
    accel: &'static str,
}

pub(super) const OF_PROGRAMS: Texts = Texts {
    sendfile: "folder of files that programs may name in X-Sendfile, which are sent instead of their body; none by default, then the field is dropped",
    accel: "paths that programs may name in X-Accel-Redirect, and the folder of the files they stand for; none by default, then \
            the field is dropped; repeats",
};

pub(super) const OF_UPSTREAMS: Texts = Texts {
    sendfile: "folder of files that the upstream may name in X-Sendfile, which are sent instead of its body; none by default, then the field is dropped",
    accel: "paths that the upstream may name in X-Accel-Redirect, and the folder of the files they stand for; none by default, then \
            the field is dropped; repeats",
};

pub(super) const fn sendfile<T: NamesFiles>(texts: &Texts) -> Rule<T> {
    Rule::new("sendfile", PATH, texts.sendfile, |o, _, v| put(&mut o.files().sendfile, value::path(v)))
}

pub(super) const fn accel<T: NamesFiles>(texts: &Texts) -> Rule<T> {
    Rule::new("accel", "a prefix, = and a folder, such as /protected=/srv/files", texts.accel, |o, _, v| {
        add(&mut o.files().accel, prefix_and_folder(v))
    })
}

/// What X-Accel-Redirect may begin with, and where that is on the disk.
fn prefix_and_folder(text: &str) -> Option<(Prefix, PathBuf)> {
    let (prefix, folder) = text.split_once('=')?;
    Some((prefix.parse().ok()?, value::path(folder)?))
}
