//! Memory of all processes of a model, idle and under load.

use super::super::super::result::{Parts, Report};
use super::super::figures::{self, MEBIBYTE};
use super::super::palette::Part;
use super::bars::{Bar, Group, Zoom, pictures};
use super::cpu::piece;

pub(in super::super) fn memory(report: &Report) -> Vec<Zoom> {
    let groups = report.models.iter().map(|measured| {
        let memory = measured.memory;
        let bars = vec![bar("idle", memory.idle), bar("loaded", memory.loaded)];
        Group { title: measured.model.title.clone(), bars }
    });
    pictures("Memory of all processes", &groups.collect::<Vec<_>>(), |mebibytes| format!("{mebibytes} MiB"))
}

fn bar(name: &'static str, parts: Parts) -> Bar {
    let pieces = vec![
        piece(Part::Server, parts.server / MEBIBYTE),
        piece(Part::Workers, parts.workers / MEBIBYTE),
        piece(Part::Children, parts.children / MEBIBYTE),
    ];
    Bar { name: Some(name), pieces, total: figures::memory(parts.total()) }
}
