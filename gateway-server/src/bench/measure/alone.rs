//! What is measured while a model has the machine for itself: its start, its memory, and one request's way.
//!
//! Memory has to be looked at alone: pages that several processes share are counted in parts, and the models are made of
//! the same programs.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Bench, MeasureError, request};
use crate::bench::fleet::{Fleet, Place};
use crate::bench::load::{Load, Pace};
use crate::bench::model::Model;
use crate::bench::result::{Memory, Parts, Timeline};
use crate::bench::timeline;

/// How long the model is under load while its memory is looked at, and how often.
const LOAD_TIME: Duration = Duration::from_millis(400);
const LOOKS: u32 = 5;

/// How long a CGI program may take to end after the first answer before it counts as one that stays. They take less
/// than a millisecond.
const LEFT_BEHIND: Duration = Duration::from_secs(2);

/// What is known of a model before it meets the others.
pub(super) struct Alone {
    pub(super) cold_start: Duration,
    pub(super) memory: Memory,
    /// With the reason if there is none.
    pub(super) timeline: Result<Timeline, String>,
}

/// Starts the model twice: once to look at its memory, once to look at requests.
pub(super) fn measure(bench: &Bench<'_>, model: &Model) -> Result<Alone, MeasureError> {
    let fleet = start(bench, model, "alone", None)?;
    let cold_start = fleet.cold_start();
    let memory = memory(bench, &fleet).map_err(|error| MeasureError::new("look at the memory", &error))?;
    fleet.stop();
    let timeline = follow(bench, model).map_err(|error| error.to_string());
    Ok(Alone { cold_start, memory, timeline })
}

/// Starts a model in a folder of its own.
pub(super) fn start(bench: &Bench<'_>, model: &Model, turn: &str, marks: Option<&Path>) -> Result<Fleet, MeasureError> {
    let scratch = bench.scratch.join(format!("{}-{turn}", model.key));
    std::fs::create_dir(&scratch).map_err(|error| MeasureError::new("make a folder", &error))?;
    let place = Place { gateway: bench.gateway, scratch: &scratch, marks };
    Ok(Fleet::start(model, bench.program, &place)?)
}

fn memory(bench: &Bench<'_>, fleet: &Fleet) -> io::Result<Memory> {
    let idle = idle(fleet)?;
    let load = Load {
        address: fleet.address(),
        request: Arc::new(request(fleet.address(), bench.plan.first_workload())),
        connections: bench.plan.open.connections,
        threads: bench.cores.for_load(),
        pace: Pace::Closed,
        warm_up: Duration::ZERO,
        duration: LOAD_TIME,
    };
    let loaded = thread::scope(|scope| {
        let running = scope.spawn(|| bench.make(&load));
        let mut most = idle;
        for _ in 0..LOOKS {
            thread::sleep(LOAD_TIME / (LOOKS + 1));
            most = larger(most, fleet.memory()?);
        }
        running.join().map_err(|_| io::Error::other("the load generator has failed"))??;
        Ok::<Parts, io::Error>(most)
    })?;
    Ok(Memory { idle, loaded })
}

/// Looks when the program that gave the first answer is gone: it has the answer out before it ends.
fn idle(fleet: &Fleet) -> io::Result<Parts> {
    let since = Instant::now();
    loop {
        let parts = fleet.memory()?;
        if parts.children == 0.0 || since.elapsed() > LEFT_BEHIND {
            return Ok(parts);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn larger(one: Parts, other: Parts) -> Parts {
    if other.total() > one.total() { other } else { one }
}

fn follow(bench: &Bench<'_>, model: &Model) -> Result<Timeline, MeasureError> {
    let marks = bench.scratch.join(format!("{}-marks", model.key));
    std::fs::create_dir(&marks).map_err(|error| MeasureError::new("make a folder", &error))?;
    let fleet = start(bench, model, "followed", Some(&marks))?;
    let request = request(fleet.address(), bench.plan.first_workload());
    let take = || timeline::take(fleet, model, &request, bench.plan.looked_at, &marks);
    Ok(bench.cores.with_load(take).map_err(|error| MeasureError::new("ask", &error))??)
}
