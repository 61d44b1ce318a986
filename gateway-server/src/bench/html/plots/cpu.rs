//! Processor time for each request, by who used it.

use super::super::super::result::Report;
use super::super::figures::{round_time, time};
use super::super::palette::Part;
use super::super::reading::{Reading, sane};
use super::bars::{Bar, Fill, Group, Piece, Zoom, pictures};

pub(in super::super) fn cpu(report: &Report) -> Vec<Zoom> {
    let reading = Reading::of(report);
    let groups = report.models.iter().filter_map(|measured| {
        let cpu = reading.point(measured)?.cpu;
        let pieces = vec![
            piece(Part::Server, cpu.user.server),
            piece(Part::Workers, cpu.user.workers),
            piece(Part::Children, cpu.user.children),
            piece(Part::Kernel, cpu.kernel),
        ];
        let bar = Bar { name: None, pieces, total: time(cpu.total()) };
        Some(Group { title: measured.model.title.clone(), bars: vec![bar] })
    });
    pictures("Processor time for each request", &groups.collect::<Vec<_>>(), round_time)
}

/// A piece of a bar for a kind of process.
pub(super) fn piece(part: Part, value: f64) -> Piece {
    Piece { value: sane(value), colour: part.colour(), sign: part.letter().to_owned(), fill: Fill::Whole }
}
