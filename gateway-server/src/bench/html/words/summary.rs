//! The first sentences of the page: the main figures, and how they compare.

use super::super::super::result::{Measured, Report};
use super::super::figures::{about, memory, number, plural, ratio, time};
use super::super::reading::{Reading, compare, waited};
use super::{form, joined, name};

/// Three or four sentences, fewer if less was measured.
pub(in super::super) fn summary(report: &Report) -> Vec<String> {
    let reading = Reading::of(report);
    let mut sentences = vec![rates(&reading)];
    sentences.extend(processor(&reading));
    sentences.extend(alone(&reading));
    sentences.extend(idle(&reading));
    sentences.extend(errors(report));
    sentences
}

/// Who stands for FastCGI and the others, said once.
pub(in super::super) fn stand_ins(report: &Report) -> Option<String> {
    let reading = Reading::of(report);
    let several = |ways: fn(&Measured) -> bool| report.models.iter().filter(|measured| ways(measured)).count() > 1;
    let fastcgi = reading.fastcgi().filter(|_| several(|measured| measured.model.way.is_fastcgi()))?;
    Some(format!("Where a sentence says FastCGI, it speaks of the model “{}”.", fastcgi.model.title))
}

fn rates(reading: &Reading<'_>) -> String {
    let measured = reading.representatives();
    let answered = |model: &&Measured| reading.point(model).is_some_and(|point| point.rate > 0.0);
    if !measured.iter().any(answered) {
        return "No model gave a right answer, so there is nothing to compare.".to_owned();
    }
    let with = reading.base().and_then(|base| reading.point(base)).map_or(0.0, |point| point.rate);
    let mut first = true;
    let parts = measured.iter().filter(|model| reading.point(model).is_some()).map(|model| {
        let rate = reading.point(model).map_or(0.0, |point| point.rate);
        let is_base = reading.base().is_some_and(|base| base.model == model.model);
        let beside = compare(rate, with).filter(|_| !is_base).map_or(String::new(), |r| format!(" ({})", ratio(r)));
        let said =
            if first { format!(" answered {} requests a second", about(rate)) } else { format!(" {}", about(rate)) };
        first = false;
        format!("{}{said}{beside}", name(model))
    });
    let parts: Vec<String> = parts.collect();
    let connections = plural(reading.concurrency, "connection");
    format!("Asked for “{}” over {connections} at once, {}.", reading.workload, joined(&parts))
}

fn processor<'a>(reading: &Reading<'a>) -> Option<String> {
    let used =
        |model: &'a Measured| Some(reading.point(model)?.cpu.total()).filter(|cpu| *cpu > 0.0 && cpu.is_finite());
    let with = reading.base().and_then(used);
    let mut parts: Vec<String> = Vec::new();
    for model in reading.representatives() {
        let Some(cpu) = used(model) else { continue };
        let is_base = reading.base().is_some_and(|base| base.model == model.model);
        let times = with.and_then(|base| compare(cpu, base)).filter(|_| !is_base);
        let beside = times.map_or(String::new(), |times| format!(" ({})", ratio(times)));
        let what = if parts.is_empty() { " of processor time" } else { "" };
        parts.push(format!("{}{what} {}{beside}", time(cpu), form(name(model))));
    }
    (!parts.is_empty()).then(|| format!("A request cost {}.", joined(&parts)))
}

/// One request alone, without any load beside it.
fn alone(reading: &Reading<'_>) -> Option<String> {
    let parts: Vec<String> = (reading.representatives().iter())
        .filter_map(|model| {
            let waited = waited(model.timeline.as_ref()?);
            (waited > 0.0).then(|| format!("{} {}", time(waited), form(name(model))))
        })
        .collect();
    (!parts.is_empty()).then(|| format!("Alone, a request on a new connection took {}.", joined(&parts)))
}

fn idle(reading: &Reading<'_>) -> Option<String> {
    let parts: Vec<String> = (reading.representatives().iter())
        .filter(|model| model.memory.idle.total() > 0.0)
        .map(|model| format!("{} {}", memory(model.memory.idle.total()), form(name(model))))
        .collect();
    (!parts.is_empty()).then(|| format!("Memory kept while nobody asks: {}.", joined(&parts)))
}

/// More failing models than this are not told one by one.
const MANY: usize = 3;

fn errors(report: &Report) -> Option<String> {
    let parts: Vec<String> = (report.models.iter())
        .filter_map(|measured| {
            let points = || measured.closed.iter().chain(&measured.open);
            let errors: u64 = points().map(|point| point.errors.total()).sum();
            let requests: u64 = points().map(|point| point.requests).sum();
            (errors > 0)
                .then(|| format!("{} of {} with {}", number(errors), number(requests + errors), measured.model.title))
        })
        .collect();
    match parts.len() {
        0 => None,
        1..=MANY => Some(format!("Requests without a right answer: {}.", joined(&parts))),
        many => Some(format!("Requests had no right answer with {many} models; all figures, below, tell how many.")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::*;

    #[test]
    fn the_main_figures_come_first() {
        let sentences = summary(&fixture::full());
        assert_eq!(
            sentences[0],
            "Asked for “hello” over 64 connections at once, in-process answered 41,200 requests a second, \
             FastCGI 19,100 (0.46×) and CGI 702 (0.017×)."
        );
        assert!(sentences[1].starts_with("A request cost 23.0 µs of processor time in-process, "), "{}", sentences[1]);
        assert_eq!(sentences.len(), 5, "{sentences:#?}");
        assert!(sentences[4].contains("3 of "), "{}", sentences[4]);
    }

    #[test]
    fn one_model_is_compared_with_nothing() {
        let text = summary(&fixture::minimal()).join(" ");
        assert!(text.contains("CGI answered 702 requests a second."), "{text}");
        assert!(!text.contains('×'), "{text}");
    }

    #[test]
    fn without_a_right_answer_there_is_nothing_to_compare() {
        let sentences = summary(&fixture::all_errors());
        assert_eq!(sentences[0], "No model gave a right answer, so there is nothing to compare.");
        assert!(sentences.iter().any(|sentence| sentence.starts_with("Requests had no right answer with 6 models")));
    }

    #[test]
    fn what_was_not_measured_is_not_spoken_of() {
        let mut report = fixture::full();
        for model in &mut report.models {
            model.timeline = None;
            model.memory = Default::default();
        }
        let text = summary(&report).join(" ");
        assert!(!text.contains("Alone") && !text.contains("Memory kept"), "{text}");
    }

    #[test]
    fn the_model_behind_a_name_is_said_where_there_are_several() {
        assert!(stand_ins(&fixture::full()).unwrap().contains("“FastCGI, unix, 2 workers”"));
        assert_eq!(stand_ins(&fixture::minimal()), None);
    }
}
