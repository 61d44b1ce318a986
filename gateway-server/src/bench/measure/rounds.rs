//! Rounds of samples: all models are up, and take turns.
//!
//! A machine's speed changes within seconds. In each round every model has one short sample, in an order that changes,
//! so that such changes meet all of them alike and the ratios stay.

use std::sync::Arc;
use std::time::Duration;

use super::collect::Collected;
use super::timing::Timing;
use super::{Bench, MeasureError, request};
use crate::bench::fleet::{Fleet, Used};
use crate::bench::load::{Load, Outcome, Pace};
use crate::bench::plan::{Point, WARM_UP};
use crate::bench::progress::Progress;

/// Measures one point for all `fleets`, which are named.
pub(super) fn measure(
    bench: &Bench<'_>,
    point: &Point,
    pace: Pace,
    fleets: &[(&str, &Fleet)],
    progress: &mut Progress,
) -> Result<Vec<Collected>, MeasureError> {
    let what = match pace {
        Pace::Closed => format!("{} × {}", point.workload.name, point.connections),
        Pace::Open { rate } => format!("{} at {rate:.0}/s", point.workload.name),
    };
    let mut lanes: Vec<Lane> = fleets.iter().map(|_| Lane::new(point)).collect();
    for round in 0..point.rounds {
        for turn in order(round, fleets.len()) {
            let (Some((name, fleet)), Some(lane)) = (fleets.get(turn), lanes.get_mut(turn)) else { continue };
            progress.say(&what, name);
            lane.take(bench, point, pace, fleet)?;
            progress.advance(point.sample + WARM_UP);
        }
    }
    Ok(lanes.into_iter().map(|lane| lane.sum).collect())
}

/// One model at one point.
struct Lane {
    timing: Timing,
    sum: Collected,
}

impl Lane {
    fn new(point: &Point) -> Lane {
        Lane { timing: Timing::of(point), sum: Collected::default() }
    }

    /// Takes a sample. If it was too short for this model, those before it were too: they are forgotten.
    fn take(&mut self, bench: &Bench<'_>, point: &Point, pace: Pace, fleet: &Fleet) -> Result<(), MeasureError> {
        loop {
            bench.go_on()?;
            let (outcome, used) = sample(bench, point, pace, self.timing, fleet)?;
            match self.timing.longer(&outcome).filter(|_| pace == Pace::Closed) {
                Some(longer) => *self = Lane { timing: longer, sum: Collected::default() },
                None => {
                    self.sum.add(&outcome, &used);
                    return Ok(());
                }
            }
        }
    }
}

fn sample(
    bench: &Bench<'_>,
    point: &Point,
    pace: Pace,
    timing: Timing,
    fleet: &Fleet,
) -> Result<(Outcome, Used), MeasureError> {
    let load = Load {
        address: fleet.address(),
        request: Arc::new(request(fleet.address(), &point.workload)),
        connections: point.connections,
        threads: bench.cores.for_load(),
        pace,
        warm_up: timing.warm_up,
        duration: timing.sample,
    };
    let clock = |error| MeasureError::new("read the CPU clocks", &error);
    let before = fleet.cpu().map_err(clock)?;
    let outcome = bench.make(&load).map_err(|error| MeasureError::new("make load", &error))?;
    let used = fleet.cpu().map_err(clock)?.since(&before);
    Ok((outcome, used))
}

/// Whose turn it is: each round begins with another model, and every second one goes backwards.
fn order(round: usize, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).map(|turn| (turn + round / 2) % count).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

/// How long a point takes for so many models.
pub(super) fn expected(point: &Point, models: usize) -> Duration {
    point.time() * u32::try_from(models).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn each_model_has_one_turn_in_each_round_and_no_fixed_neighbour() {
        for round in 0..10 {
            let mut turns = order(round, 5);
            turns.sort_unstable();
            assert_eq!(turns, [0, 1, 2, 3, 4]);
        }
        assert_eq!((order(0, 3), order(1, 3), order(2, 3)), (vec![0, 1, 2], vec![2, 1, 0], vec![1, 2, 0]));
        assert!(order(3, 0).is_empty());
    }
}
