//! Which of the measured points the sentences and bars are about.
//!
//! Holds choices, no words: the first workload, the concurrency at which the in-process model did best (the fastest
//! one, where there is no in-process model), and for each way to reach an application the model that stands for it.

use super::super::model::{Front, Way};
use super::super::result::{Measured, Point, Report, Stage, Timeline};
use super::figures::count;

/// A report, and what is looked at first in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) report: &'a Report,
    /// The first workload; empty if nothing was measured.
    pub(crate) workload: &'a str,
    /// Connections; 0 if nothing was measured.
    pub(crate) concurrency: usize,
}

impl<'a> Reading<'a> {
    pub(crate) fn of(report: &'a Report) -> Self {
        let workload = workloads(report).first().copied().unwrap_or("");
        let mut reading = Reading { report, workload, concurrency: 0 };
        let candidates = reading.base().map_or(report.models.as_slice(), std::slice::from_ref);
        let points = candidates.iter().flat_map(|model| &model.closed).filter(|point| point.workload == workload);
        let best = points.filter(|point| point.rate.is_finite()).max_by(|a, b| a.rate.total_cmp(&b.rate));
        reading.concurrency = best.map_or(0, |point| point.concurrency);
        reading
    }

    /// The model that all others are compared with.
    pub(crate) fn base(&self) -> Option<&'a Measured> {
        self.report.models.iter().find(|measured| measured.model.way == Way::InProcess)
    }

    /// What was measured of `model` under the load that is looked at first.
    pub(crate) fn point(&self, model: &'a Measured) -> Option<&'a Point> {
        find(&model.closed, self.workload, self.concurrency)
    }

    /// The open loop of the workload that is looked at first.
    pub(crate) fn open(&self, model: &'a Measured) -> Option<&'a Point> {
        model.open.iter().find(|point| point.workload == self.workload).or(model.open.first())
    }

    /// The model that stands for a way: of this project's own gateways before others, the fastest before slower ones.
    pub(crate) fn standing_for(&self, ways: &[Way]) -> Option<&'a Measured> {
        let models = self.report.models.iter().filter(|measured| ways.contains(&measured.model.way));
        let own = |measured: &Measured| matches!(measured.model.front, Front::Application | Front::Gateway);
        let rate = |measured: &'a Measured| self.point(measured).map_or(0.0, |point| sane(point.rate));
        // Of equals the first one, as it is shown first.
        models.rev().max_by(|a, b| own(a).cmp(&own(b)).then(rate(a).total_cmp(&rate(b))))
    }

    /// Whether the load had no more to give at this point, so that the model may be able to do more.
    pub(crate) fn is_load_bound(&self, point: &Point) -> bool {
        /// Of the time of its threads; what is left goes into being woken.
        const BUSY: f64 = 0.9;
        let used = point.load_cpu_us * point.rate / 1e6;
        used.is_finite() && used > BUSY * self.report.settings.load_threads as f64
    }

    /// The rate at a point; with `≥` before it where it is the load's limit.
    pub(crate) fn rate(&self, point: &Point) -> String {
        format!("{}{}", if self.is_load_bound(point) { "≥" } else { "" }, count(sane(point.rate)))
    }

    /// What `≥` means, where there is one.
    pub(crate) fn load_bound_note(&self) -> Option<&'static str> {
        let mut points = self.report.models.iter().flat_map(|measured| &measured.closed);
        points
            .any(|point| self.is_load_bound(point))
            .then_some("≥ stands where the load generator had no more to give, and the model may be able to do more.")
    }

    pub(crate) fn in_process(&self) -> Option<&'a Measured> {
        self.standing_for(&[Way::InProcess])
    }

    pub(crate) fn fastcgi(&self) -> Option<&'a Measured> {
        self.standing_for(&[Way::FastCgiUnix, Way::FastCgiTcp])
    }

    pub(crate) fn cgi(&self) -> Option<&'a Measured> {
        self.standing_for(&[Way::Cgi])
    }

    /// In-process, FastCGI and CGI, as far as they were measured.
    pub(crate) fn representatives(&self) -> Vec<&'a Measured> {
        [self.in_process(), self.fastcgi(), self.cgi()].into_iter().flatten().collect()
    }
}

/// The workloads in the order they were asked for; then those that appear without having been asked for.
pub(crate) fn workloads(report: &Report) -> Vec<&str> {
    let measured = || report.models.iter().flat_map(|model| &model.closed).map(|point| point.workload.as_str());
    let asked = report.settings.workloads.iter().map(String::as_str);
    let mut all = Vec::new();
    for workload in asked.filter(|name| measured().any(|other| other == *name)).chain(measured()) {
        if !all.contains(&workload) {
            all.push(workload);
        }
    }
    all
}

/// The numbers of connections that a workload was measured with, rising.
pub(crate) fn concurrencies(report: &Report, workload: &str) -> Vec<usize> {
    let points = report.models.iter().flat_map(|model| &model.closed).filter(|point| point.workload == workload);
    let mut all: Vec<usize> = points.map(|point| point.concurrency).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// One point of many.
pub(crate) fn find<'a>(points: &'a [Point], workload: &str, concurrency: usize) -> Option<&'a Point> {
    points.iter().find(|point| point.workload == workload && point.concurrency == concurrency)
}

/// How a rate compares with another; unknown if there is nothing to compare with.
pub(crate) fn compare(value: f64, with: f64) -> Option<f64> {
    let quotient = value / with;
    (with > 0.0 && quotient.is_finite()).then_some(quotient)
}

/// The time that the client waited in a stage.
pub(crate) fn stage(timeline: &Timeline, wanted: Stage) -> f64 {
    timeline.stages.iter().filter(|(stage, _)| *stage == wanted).map(|(_, time)| sane(*time)).sum()
}

/// The time that the client waited.
pub(crate) fn waited(timeline: &Timeline) -> f64 {
    timeline.stages.iter().map(|(_, time)| sane(*time)).sum()
}

/// A measured quantity as it can be drawn and added up: nothing instead of what is no number or below nothing.
pub(crate) fn sane(value: f64) -> f64 {
    if value.is_finite() { value.max(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn the_in_process_model_decides_which_concurrency_is_looked_at() {
        let report = fixture::full();
        let reading = Reading::of(&report);
        assert_eq!((reading.workload, reading.concurrency), ("hello", 64));
        assert_eq!(reading.fastcgi().unwrap().model.key, "fastcgi-unix-2");
        assert_eq!(reading.cgi().unwrap().model.key, "cgi");
    }

    #[test]
    fn own_gateways_stand_for_a_way_before_faster_strangers() {
        let report = fixture::with_peers();
        let reading = Reading::of(&report);
        assert_eq!(reading.fastcgi().unwrap().model.front, Front::Gateway);
        assert_eq!(reading.cgi().unwrap().model.front, Front::Gateway);
    }

    #[test]
    fn an_empty_report_can_be_read() {
        let mut report = fixture::full();
        report.models.clear();
        let reading = Reading::of(&report);
        assert_eq!((reading.workload, reading.concurrency), ("", 0));
        assert!(reading.representatives().is_empty());
    }

    #[test]
    fn workloads_come_in_the_order_they_were_asked_for() {
        assert_eq!(workloads(&fixture::full()), ["hello", "db", "download"]);
    }

    #[test]
    fn nothing_is_compared_with_nothing() {
        assert_eq!(compare(3.0, 2.0), Some(1.5));
        assert_eq!(compare(3.0, 0.0), None);
        assert_eq!(compare(f64::NAN, 2.0), None);
    }
}
