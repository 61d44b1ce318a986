//! From a plan to a report: each model alone, then all of them in turns.
//!
//! Holds the order of the measurements. Does not hold a single one: `alone` has those that want the machine for
//! themselves, `rounds` those that are compared, `timing` how long
//! each takes, `collect` the sums.

mod alone;
mod collect;
mod rounds;
mod timing;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use alone::Alone;

use super::cores::Cores;
use super::fleet::{self, Fleet, FleetError, Program};
use super::interrupt::Interrupt;
use super::load::{self, BodyLen, Load, Outcome, Pace, Request};
use super::machine::machine;
use super::model::Model;
use super::plan::Plan;
use super::progress::Progress;
use super::result::{Measured, Point, Report, Settings};
use super::timeline::{self, TimelineError};
use super::workload::Workload;

/// How long one answer may take before the run.
const PATIENCE: Duration = Duration::from_secs(10);

/// About what a model costs before it meets the others.
const ALONE: Duration = Duration::from_millis(1200);

/// Starts of a program that does nothing.
const EMPTY_PROCESSES: usize = 100;

/// Everything that a measurement needs to know.
pub(super) struct Bench<'a> {
    pub(super) plan: &'a Plan,
    pub(super) cores: &'a Cores,
    /// The application.
    pub(super) program: &'a Program,
    /// The executable in front of it.
    pub(super) gateway: &'a Path,
    /// An empty folder.
    pub(super) scratch: &'a Path,
    pub(super) interrupt: &'a Interrupt,
}

/// Why there are no figures, of one model or of all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum MeasureError {
    /// Its processes do not run.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// A request's way could not be followed.
    #[error(transparent)]
    Timeline(#[from] TimelineError),
    /// It runs, and answers wrongly.
    #[error("{workload}: {problem}")]
    Answer {
        /// What it was asked for.
        workload: String,
        /// What it did.
        problem: String,
    },
    /// The system refused something.
    #[error("cannot {what}: {problem}")]
    System {
        /// What was being done.
        what: &'static str,
        /// What the system says.
        problem: String,
    },
    /// No model could be measured.
    #[error("nothing could be measured:\n  {}", .0.join("\n  "))]
    Nothing(Vec<String>),
    /// Somebody pressed Ctrl-C.
    #[error("interrupted: everything that was started has been ended")]
    Interrupted,
}

impl MeasureError {
    fn new(what: &'static str, problem: &dyn Error) -> Self {
        MeasureError::System { what, problem: problem.to_string() }
    }
}

/// A model that takes part.
struct Lane<'a> {
    model: &'a Model,
    alone: Alone,
    fleet: Fleet,
    closed: Vec<Point>,
    open: Vec<Point>,
}

impl Bench<'_> {
    /// Measures everything. A model that cannot be measured is left out of the report with the reason.
    pub(super) fn run(&self) -> Result<Report, MeasureError> {
        let (clock, began) = (Instant::now(), SystemTime::now());
        let mut progress = Progress::new(self.expected());
        let mut left_out = Vec::new();
        let mut lanes = self.lanes(&mut left_out, &mut progress)?;
        if lanes.is_empty() {
            return Err(MeasureError::Nothing(left_out));
        }
        let rate = self.rounds(&mut lanes, &mut progress)?;
        progress.finish();
        Ok(Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            began: humantime::format_rfc3339_seconds(began).to_string(),
            machine: machine(self.cores.all()),
            settings: self.settings(rate),
            models: lanes.into_iter().map(Lane::measured).collect(),
            left_out,
            empty_process_us: timeline::empty_process(EMPTY_PROCESSES),
            seconds: clock.elapsed().as_secs_f64(),
        })
    }

    /// The models that answer as they should, each looked at alone and then kept running.
    fn lanes(&self, left_out: &mut Vec<String>, progress: &mut Progress) -> Result<Vec<Lane<'_>>, MeasureError> {
        let mut found = Vec::new();
        for model in &self.plan.models {
            self.go_on()?;
            progress.say("each alone", &model.title);
            match self.alone(model) {
                Ok(alone) => found.push((model, alone)),
                Err(reason) => left_out.push(format!("{}: {reason}", model.key)),
            }
            progress.advance(ALONE);
        }
        let mut lanes = Vec::new();
        for (model, alone) in found {
            if let Err(reason) = &alone.timeline {
                left_out.push(format!("{}, one request's way: {reason}", model.key));
            }
            let fleet = alone::start(self, model, "measured", None)?;
            lanes.push(Lane { model, alone, fleet, closed: Vec::new(), open: Vec::new() });
        }
        Ok(lanes)
    }

    fn alone(&self, model: &Model) -> Result<Alone, MeasureError> {
        fleet::installed(model.front).map_err(|problem| MeasureError::System { what: "be measured", problem })?;
        let fleet = alone::start(self, model, "tried", None)?;
        let first_start = fleet.cold_start();
        for workload in &self.plan.workloads {
            try_once(&fleet, workload)?;
        }
        fleet.stop();
        let mut alone = alone::measure(self, model)?;
        // The first of all had to read the programs from the disk, and the others not: that would be no comparison.
        alone.cold_start = alone.cold_start.min(first_start);
        Ok(alone)
    }

    /// The closed loop at every point, then the open one; returns its rate.
    fn rounds(&self, lanes: &mut [Lane<'_>], progress: &mut Progress) -> Result<f64, MeasureError> {
        for point in &self.plan.points {
            for (lane, collected) in self.round(lanes, point, Pace::Closed, progress)? {
                lane.closed.push(collected.point(&point.workload.name, point.connections));
            }
        }
        let open = &self.plan.open;
        let rate = self.plan.rate.unwrap_or_else(|| half_of_the_slowest(lanes, &open.workload.name));
        for (lane, collected) in self.round(lanes, open, Pace::Open { rate }, progress)? {
            lane.open.push(collected.point(&open.workload.name, open.connections));
        }
        Ok(rate)
    }

    fn round<'l, 'a>(
        &self,
        lanes: &'l mut [Lane<'a>],
        point: &super::plan::Point,
        pace: Pace,
        progress: &mut Progress,
    ) -> Result<impl Iterator<Item = (&'l mut Lane<'a>, collect::Collected)>, MeasureError> {
        let fleets: Vec<_> = lanes.iter().map(|lane| (lane.model.title.as_str(), &lane.fleet)).collect();
        let collected = rounds::measure(self, point, pace, &fleets, progress)?;
        Ok(lanes.iter_mut().zip(collected))
    }

    /// Makes load where load is made.
    fn make(&self, load: &Load) -> io::Result<Outcome> {
        self.cores.with_load(|| load.run())?
    }

    fn go_on(&self) -> Result<(), MeasureError> {
        if self.interrupt.is_set() { Err(MeasureError::Interrupted) } else { Ok(()) }
    }

    fn expected(&self) -> Duration {
        let models = self.plan.models.len();
        let points: Duration =
            self.plan.points.iter().chain([&self.plan.open]).map(|p| rounds::expected(p, models)).sum();
        points + ALONE * u32::try_from(models).unwrap_or(u32::MAX)
    }

    fn settings(&self, rate: f64) -> Settings {
        Settings {
            app: self.plan.app.name(),
            quick: self.plan.quick,
            workloads: self.plan.workloads.iter().map(|workload| workload.name.clone()).collect(),
            concurrency: self.plan.concurrency.clone(),
            seconds_per_point: self.plan.duration.as_secs_f64(),
            load_threads: self.cores.for_load(),
            server_cores: self.cores.for_servers(),
            apart: self.cores.are_apart(),
            rate: Some(rate),
        }
    }
}

impl Lane<'_> {
    fn measured(self) -> Measured {
        self.fleet.stop();
        Measured {
            model: self.model.clone(),
            cold_start_us: self.alone.cold_start.as_secs_f64() * 1e6,
            memory: self.alone.memory,
            closed: self.closed,
            open: self.open,
            timeline: self.alone.timeline.ok(),
        }
    }
}

/// The request of a workload.
fn request(address: SocketAddr, workload: &Workload) -> Request {
    let request = match workload.upload {
        0 => Request::get(address, &workload.path),
        length => Request::post(address, &workload.path, length),
    };
    request.expecting(workload.answer)
}

/// A model that answers wrongly is not worth measuring.
fn try_once(fleet: &Fleet, workload: &Workload) -> Result<(), MeasureError> {
    let wrong = |problem: String| MeasureError::Answer { workload: workload.name.clone(), problem };
    let request = request(fleet.address(), workload);
    let answer = load::ask(fleet.address(), &request, PATIENCE).map_err(|error| wrong(error.to_string()))?;
    match (answer.status, workload.answer) {
        (200, BodyLen::Exactly(length)) if answer.body_len != length => {
            Err(wrong(format!("answered with {} bytes instead of {length}", answer.body_len)))
        }
        (200, _) => Ok(()),
        (status, _) => Err(wrong(format!("answered with status {status}"))),
    }
}

/// A rate that every model can keep up with: half of what the slowest did at the busiest point of this workload.
fn half_of_the_slowest(lanes: &[Lane<'_>], workload: &str) -> f64 {
    let busiest = |lane: &Lane<'_>| {
        let points = lane.closed.iter().filter(|point| point.workload == workload);
        points.max_by_key(|point| point.concurrency).map(|point| point.rate)
    };
    let slowest = lanes.iter().filter_map(busiest).fold(f64::INFINITY, f64::min);
    if slowest.is_finite() { (slowest / 2.0).max(1.0) } else { 1.0 }
}
