//! Where one request's time goes: the stages of its way, one after the other.

use super::super::super::result::{Report, Stage, Timeline};
use super::super::figures::{round_time, time};
use super::super::palette::{self, STAGES};
use super::super::reading::{sane, stage, waited};
use super::bars::{Bar, Fill, Group, Piece, Zoom, pictures};

pub(in super::super) fn stages(report: &Report) -> Vec<Zoom> {
    let numbered = numbered(report);
    let groups = report.models.iter().filter_map(|measured| {
        let timeline = measured.timeline.as_ref()?;
        Some(Group { title: measured.model.title.clone(), bars: vec![bar(timeline, &numbered)] })
    });
    pictures("Where one request's time goes", &groups.collect::<Vec<_>>(), round_time)
}

/// The stages that any model has, each with its number.
pub(in super::super) fn numbered(report: &Report) -> Vec<(usize, Stage)> {
    let timelines = || report.models.iter().filter_map(|measured| measured.timeline.as_ref());
    let seen = STAGES.into_iter().filter(|&kind| timelines().any(|timeline| stage(timeline, kind) > 0.0));
    seen.enumerate().map(|(at, kind)| (at + 1, kind)).collect()
}

fn bar(timeline: &Timeline, numbered: &[(usize, Stage)]) -> Bar {
    let piece = |&(number, kind): &(usize, Stage)| Piece {
        value: stage(timeline, kind),
        colour: palette::stage(kind),
        sign: number.to_string(),
        fill: Fill::Whole,
    };
    let mut pieces: Vec<Piece> = numbered.iter().map(piece).collect();
    pieces.push(Piece {
        value: sane(timeline.afterwards_us),
        colour: palette::stage(Stage::Exit),
        sign: String::new(),
        fill: Fill::Hatched,
    });
    Bar { name: None, pieces, total: time(waited(timeline)) }
}
