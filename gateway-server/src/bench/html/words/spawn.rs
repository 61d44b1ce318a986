//! What starting and ending a process for each request costs.

use super::super::super::result::{Report, Stage, Timeline};
use super::super::figures::{percent, ratio, time};
use super::super::reading::{Reading, sane, stage};

/// A step of a CGI program's life.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Step {
    pub(in super::super) name: &'static str,
    pub(in super::super) micros: f64,
    /// Colour of the stage that it is.
    pub(in super::super) stage: Stage,
}

/// The steps of the CGI model's program, if its way was looked at.
pub(in super::super) fn steps(report: &Report) -> Option<Vec<Step>> {
    let timeline = Reading::of(report).cgi()?.timeline.as_ref()?;
    let of = |wanted| stage(timeline, wanted);
    let step = |name, micros, stage| Step { name, micros, stage };
    Some(vec![
        step("Fork and exec", of(Stage::ForkExec), Stage::ForkExec),
        step("Dynamic loading", of(Stage::Loader), Stage::Loader),
        step("Start of the runtime", of(Stage::ApplicationStart), Stage::ApplicationStart),
        step("Application, first byte", of(Stage::Application), Stage::Application),
        step("Exit and reaping", of(Stage::Exit) + sane(timeline.afterwards_us), Stage::Exit),
    ])
}

/// The process alone, without the application's own work.
fn process(timeline: &Timeline) -> f64 {
    let stages = [Stage::ForkExec, Stage::Loader, Stage::ApplicationStart, Stage::Exit];
    stages.into_iter().map(|kind| stage(timeline, kind)).sum::<f64>() + sane(timeline.afterwards_us)
}

/// What the steps mean, next to a program that does nothing.
pub(in super::super) fn sentences(report: &Report) -> Vec<String> {
    let reading = Reading::of(report);
    let timeline = reading.cgi().and_then(|cgi| cgi.timeline.as_ref());
    let empty = report.empty_process_us.filter(|micros| micros.is_finite() && *micros > 0.0);
    let process = timeline.map(process).filter(|micros| *micros > 0.0);
    let mut sentences = Vec::new();
    match (process, empty) {
        (Some(process), Some(empty)) => sentences.push(beside(process, empty)),
        (Some(process), None) => sentences.push(format!("Starting and ending the program takes {}.", time(process))),
        (None, Some(empty)) => sentences.push(format!(
            "Starting and ending a program that does nothing (/bin/true) takes {} here; the CGI program's own way was not \
             looked at.",
            time(empty)
        )),
        (None, None) => sentences.push("The way of a CGI program was not looked at in this run.".to_owned()),
    }
    if let Some(afterwards) = timeline.map(|timeline| sane(timeline.afterwards_us)).filter(|micros| *micros > 0.0) {
        sentences.push(format!("{} of it passes when the client already has its answer.", time(afterwards)));
    }
    sentences
}

fn beside(process: f64, empty: f64) -> String {
    if process > empty {
        format!(
            "Starting and ending the program takes {}; a program that does nothing (/bin/true) takes {}, {} of that: so \
             much no application can save.",
            time(process),
            time(empty),
            percent(empty / process)
        )
    } else {
        format!(
            "Starting and ending the program takes {}, no more than a program that does nothing (/bin/true: {}, {}).",
            time(process),
            time(empty),
            ratio(empty / process)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::*;

    #[test]
    fn the_steps_are_those_of_the_cgi_model() {
        let steps = steps(&fixture::full()).unwrap();
        assert_eq!(steps.len(), 5);
        assert!((steps[4].micros - 260.0).abs() < 1e-9, "exit and what comes after belong together");
        assert_eq!(super::steps(&fixture::minimal()), None);
    }

    #[test]
    fn the_program_is_compared_with_one_that_does_nothing() {
        assert!(beside(1000.0, 600.0).contains("60 % of that"));
        let surprising = beside(500.0, 600.0);
        assert!(surprising.contains("no more than") && !surprising.contains("save"), "{surprising}");
    }

    #[test]
    fn what_was_not_looked_at_is_said() {
        let mut report = fixture::minimal();
        assert!(sentences(&report).join(" ").contains("not looked at"));
        report.empty_process_us = Some(580.0);
        assert!(sentences(&report).join(" ").contains("580 µs"));
    }
}
