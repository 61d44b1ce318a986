//! What is measured, how often and how long.
//!
//! Holds the points of a run and its times, made from the flags and the machine. Does not hold who measures (`measure`).

use std::time::Duration;

use super::args::Args;
use super::cores::Cores;
use super::model::{self, Model};
use super::program::App;
use super::workload::Workload;

/// One sample is at most this long: models take turns, so that what else the machine does meets all of them alike.
const LONGEST_SAMPLE: Duration = Duration::from_millis(350);

/// What precedes each sample and is not counted: connections are made, caches and CPU clocks come up.
pub(super) const WARM_UP: Duration = Duration::from_millis(100);

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) app: App,
    pub(super) quick: bool,
    pub(super) models: Vec<Model>,
    pub(super) workloads: Vec<Workload>,
    pub(super) concurrency: Vec<usize>,
    pub(super) points: Vec<Point>,
    /// The first workload, at a constant rate.
    pub(super) open: Point,
    pub(super) rate: Option<f64>,
    /// Requests whose way is looked at in detail, for each model.
    pub(super) looked_at: usize,
    /// Measured time of a point.
    pub(super) duration: Duration,
}

/// One workload at one concurrency, for every model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    pub(super) workload: Workload,
    pub(super) connections: usize,
    pub(super) rounds: usize,
    /// Without the warm-up.
    pub(super) sample: Duration,
}

/// Flags that do not go together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum PlanError {
    /// A workload that only the application inside this command has.
    #[error("--workloads {0}: only --app hello answers it; a program of yours is asked for paths, such as /")]
    NotItsWorkload(String),
    /// A model that is not in the table.
    #[error("--models {name}: there is no such model; there are {known}")]
    NoSuchModel {
        /// As it was written.
        name: String,
        /// All names.
        known: String,
    },
}

impl Plan {
    /// What the flags ask for, on these cores.
    pub(super) fn new(args: &Args, cores: &Cores) -> Result<Plan, PlanError> {
        let workloads = workloads(args)?;
        let concurrency = concurrency(args);
        let duration = args.duration.unwrap_or(Duration::from_secs(if args.quick { 1 } else { 5 }));
        let models = models(args, cores)?;
        let busiest = concurrency.iter().copied().max().unwrap_or(1);
        let first = workloads.first().cloned().unwrap_or_else(|| Workload::path("/"));
        Ok(Plan {
            app: args.app.clone(),
            quick: args.quick,
            points: points(&workloads, &concurrency, duration, args.quick),
            open: Point::new(&first, busiest, duration),
            rate: args.rate,
            looked_at: if args.quick { 100 } else { 400 },
            models,
            workloads,
            concurrency,
            duration,
        })
    }

    /// The first workload, which every model is tried with.
    pub(super) fn first_workload(&self) -> &Workload {
        &self.open.workload
    }
}

impl Point {
    fn new(workload: &Workload, connections: usize, duration: Duration) -> Point {
        // One sample alone has no median.
        let rounds = duration.as_nanos().div_ceil(LONGEST_SAMPLE.as_nanos()).max(2);
        let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
        Point { workload: workload.clone(), connections, rounds: rounds as usize, sample: duration / rounds }
    }

    /// How long it keeps the machine busy for one model.
    pub(super) fn time(&self) -> Duration {
        (self.sample + WARM_UP) * u32::try_from(self.rounds).unwrap_or(u32::MAX)
    }
}

fn workloads(args: &Args) -> Result<Vec<Workload>, PlanError> {
    let is_own = args.app == App::Hello;
    if args.workloads.is_empty() {
        return Ok(if is_own { Workload::built_in() } else { vec![Workload::path("/")] });
    }
    match args.workloads.iter().find(|workload| workload.is_built_in && !is_own) {
        Some(workload) => Err(PlanError::NotItsWorkload(workload.name.clone())),
        None => Ok(args.workloads.clone()),
    }
}

fn concurrency(args: &Args) -> Vec<usize> {
    let usual: &[u16] = if args.quick { &[1, 8, 64] } else { &[1, 8, 64, 256] };
    let wanted = if args.concurrency.is_empty() { usual } else { &args.concurrency };
    let mut wanted: Vec<usize> = wanted.iter().map(|count| usize::from(*count)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

/// Every workload at every concurrency; in a quick run only the first, and the others once, at a middle one.
fn points(workloads: &[Workload], concurrency: &[usize], duration: Duration, quick: bool) -> Vec<Point> {
    let middle = concurrency.get((concurrency.len().saturating_sub(1)) / 2).copied();
    let mut points = Vec::new();
    for (number, workload) in workloads.iter().enumerate() {
        if quick && number > 0 {
            points.extend(middle.map(|connections| Point::new(workload, connections, duration * 2 / 5)));
        } else {
            points.extend(concurrency.iter().map(|connections| Point::new(workload, *connections, duration)));
        }
    }
    points
}

fn models(args: &Args, cores: &Cores) -> Result<Vec<Model>, PlanError> {
    let workers = args.workers.map_or_else(|| cores.for_servers().max(2), usize::from);
    let mut models = model::ours(workers);
    if args.peers {
        models.extend(model::peers(workers));
    }
    // With --workers 1 both are the same.
    models.dedup_by(|later, earlier| later.key == earlier.key);
    if let Some(name) = args.models.iter().find(|name| models.iter().all(|model| model.key != **name)) {
        let known: Vec<&str> = models.iter().map(|model| model.key.as_str()).collect();
        return Err(PlanError::NoSuchModel { name: name.clone(), known: known.join(", ") });
    }
    models.retain(|model| args.models.is_empty() || args.models.contains(&model.key));
    Ok(models)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Bench {
        #[command(flatten)]
        args: Args,
    }

    fn plan(flags: &[&str]) -> Result<Plan, PlanError> {
        let args = Bench::try_parse_from(["bench"].iter().chain(flags)).unwrap().args;
        Plan::new(&args, &Cores::divide().unwrap())
    }

    #[test]
    fn everything_is_measured_unless_something_is_left_out() {
        let plan = plan(&[]).unwrap();
        assert_eq!((plan.models.len(), plan.points.len()), (6, 20));
        assert_eq!((plan.points[0].rounds, plan.points[0].sample), (15, Duration::from_secs(5) / 15));
    }

    #[test]
    fn a_quick_run_measures_less_than_a_minute() {
        let plan = plan(&["--quick"]).unwrap();
        let points: Duration = plan.points.iter().chain([&plan.open]).map(Point::time).sum();
        assert!(points * 6 < Duration::from_secs(48), "{points:?}");
        assert_eq!(plan.points.iter().filter(|point| point.workload.name == "db").count(), 1);
    }

    #[test]
    fn models_and_numbers_are_those_that_were_named() {
        let plan = plan(&["--models", "cgi,in-process", "--concurrency", "32,4,4", "--duration", "700ms"]).unwrap();
        assert_eq!(plan.models.iter().map(|model| model.key.as_str()).collect::<Vec<_>>(), ["in-process", "cgi"]);
        assert_eq!(plan.concurrency, [4, 32]);
        assert_eq!((plan.points[0].rounds, plan.points[0].sample), (2, Duration::from_millis(350)));
    }

    #[test]
    fn a_program_of_ones_own_is_asked_for_its_root_and_not_for_our_workloads() {
        assert_eq!(plan(&["--app", "./shop"]).unwrap().workloads, [Workload::path("/")]);
        let refused = plan(&["--app", "./shop", "--workloads", "db"]).unwrap_err().to_string();
        assert!(refused.starts_with("--workloads db: only --app hello"), "{refused}");
    }

    #[test]
    fn a_model_that_does_not_exist_is_told_with_those_that_do() {
        let error = plan(&["--models", "fcgi"]).unwrap_err().to_string();
        assert!(error.contains("in-process, fastcgi-unix-1") && error.ends_with("cgi"), "{error}");
    }

    #[test]
    fn one_worker_makes_one_model_of_two() {
        let keys: Vec<_> = plan(&["--workers", "1"]).unwrap().models.into_iter().map(|model| model.key).collect();
        assert_eq!(keys, ["in-process", "fastcgi-unix-1", "fastcgi-tcp-1", "cgi"]);
    }
}
