//! Where one request's time goes: the stages of its way, one after the other.

use super::super::super::result::{Report, Stage, Timeline};
use super::super::figures::time;
use super::super::palette::{self, STAGES};
use super::super::reading::{sane, stage, waited};
use super::bars::{Bar, Fill, Group, Piece, Zoom, pictures};

pub(in super::super) fn stages(report: &Report) -> Vec<Zoom> {
    let groups = report.models.iter().filter_map(|measured| {
        let timeline = measured.timeline.as_ref()?;
        Some(Group { title: measured.model.title.clone(), bars: vec![bar(timeline)] })
    });
    pictures("Where one request's time goes", &groups.collect::<Vec<_>>(), time)
}

fn bar(timeline: &Timeline) -> Bar {
    let mut pieces: Vec<Piece> = (STAGES.iter().enumerate())
        .map(|(at, &kind)| Piece {
            value: stage(timeline, kind),
            colour: palette::stage(kind),
            sign: (at + 1).to_string(),
            fill: Fill::Whole,
        })
        .collect();
    pieces.push(Piece {
        value: sane(timeline.afterwards_us),
        colour: palette::stage(Stage::Exit),
        sign: String::new(),
        fill: Fill::Hatched,
    });
    Bar { name: None, pieces, total: time(waited(timeline)) }
}
