//! Requests and moments brought together: how long each stage of each request took, and the means.
//!
//! Holds arithmetic alone. All processes share one clock and requests are asked one at a time, so a moment belongs to the
//! request during which it was, or after which, before the next one began.

use super::super::model::{Front, Model, Way};
use super::super::result::{Stage, Timeline};
use super::TimelineError;
use super::end::{End, end};
use super::legs::{Leg, Need, ProgramMarks, legs};
use super::moments::{Moment, between};

/// One request as the client saw it, in nanoseconds of CLOCK_MONOTONIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) began: u64,
    pub(super) ended: u64,
}

impl Asked {
    pub(super) fn total(self) -> u64 {
        self.ended.saturating_sub(self.began)
    }
}

/// One request, taken apart, in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Apart {
    stages: Vec<(Stage, u64)>,
    afterwards: u64,
}

impl Apart {
    fn total(&self) -> u64 {
        self.stages.iter().map(|(_, took)| took).sum()
    }
}

/// The mark that a request lacks.
struct Lacks(&'static str);

/// Makes the timeline of a model.
///
/// A few requests may lack a mark; they are left out. The means are over the middle half of the others by their whole
/// time: the slowest of some hundred were slowed by something else, and means over the same requests add up.
pub(super) fn join(model: &Model, asked: &[Asked], moments: &[Moment]) -> Result<Timeline, TimelineError> {
    let has_called = moments.iter().any(|moment| moment.name == "called");
    let program = if has_called { ProgramMarks::There } else { ProgramMarks::None };
    let (mut ways, mut lacking) = (Vec::with_capacity(asked.len()), Vec::new());
    let next = asked.iter().skip(1).map(|next| next.began).chain([u64::MAX]);
    for (one, next) in asked.iter().zip(next) {
        match take_apart(model, program, *one, between(moments, one.began, next)) {
            Ok(way) => ways.push(way),
            Err(Lacks(mark)) => lacking.push(mark),
        }
    }
    match lacking.first() {
        Some(mark) if lacking.len() * 2 > asked.len() => {
            Err(TimelineError::Missing { mark, missing: lacking.len(), requests: asked.len() })
        }
        _ => means(ways).ok_or(TimelineError::Nothing),
    }
}

fn take_apart(model: &Model, program: ProgramMarks, asked: Asked, moments: &[Moment]) -> Result<Apart, Lacks> {
    let (legs, last) = legs(model.front, model.way, program);
    let ends = ends(legs, asked, moments)?;
    let mut stages = Vec::with_capacity(ends.len() + 2);
    let mut from = asked.began;
    for (leg, end) in legs.iter().zip(ends) {
        stages.push((leg.stage, end.saturating_sub(from)));
        from = end;
    }
    if model.way != Way::Cgi {
        stages.push((last, asked.ended.saturating_sub(from)));
        return Ok(Apart { stages, afterwards: 0 });
    }
    let is_ours = model.front == Front::Gateway;
    let End { last: before, exit, afterwards } = end(from, asked.ended, moments);
    if is_ours && exit.is_none() {
        return Err(Lacks("reaped"));
    }
    stages.push((last, before));
    if let Some(exit) = exit {
        stages.push((Stage::Exit, exit));
    }
    Ok(Apart { stages, afterwards })
}

/// When each stage ended.
///
/// A mark is set when its process comes to run: the host of a CGI program may say `spawned` when the program has said
/// `main`. So no stage ends later than the one after it, and none after the client had its answer.
fn ends(legs: &[Leg], asked: Asked, moments: &[Moment]) -> Result<Vec<u64>, Lacks> {
    let at = |name: &&str| moments.iter().find(|moment| moment.name == *name).map(|moment| moment.at);
    let mut ends = Vec::with_capacity(legs.len());
    for leg in legs {
        let end = match (leg.ends.iter().find_map(at), leg.need) {
            (Some(end), _) => end,
            // The stage ends where it begins.
            (None, Need::Maybe) => ends.last().copied().unwrap_or(asked.began),
            (None, Need::Always) => return Err(Lacks(leg.ends.last().copied().unwrap_or_default())),
        };
        ends.push(end);
    }
    let mut latest = asked.ended;
    for end in ends.iter_mut().rev() {
        latest = latest.min(*end);
        *end = latest;
    }
    Ok(ends)
}

/// `None` if there is nothing to take the mean of.
fn means(mut ways: Vec<Apart>) -> Option<Timeline> {
    let requests = ways.len();
    ways.sort_by_key(Apart::total);
    let quarter = requests / 4;
    let middle = ways.get(quarter..requests - quarter)?;
    let count = middle.len();
    let mean = |sum: u64| sum as f64 / count as f64 / 1000.0;
    let stage = |number: usize, stage: Stage| {
        let took = |way: &Apart| way.stages.get(number).map(|(_, took)| *took);
        (stage, mean(middle.iter().filter_map(took).sum()))
    };
    let stages = middle.first()?.stages.iter().enumerate().map(|(number, (name, _))| stage(number, *name)).collect();
    let afterwards_us = mean(middle.iter().map(|way| way.afterwards).sum());
    Some(Timeline { requests, stages, afterwards_us })
}
