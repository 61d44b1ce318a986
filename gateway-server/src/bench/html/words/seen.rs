//! One line over each picture: what is seen in it.

use super::super::super::result::Report;
use super::super::figures::{about, ratio, time};
use super::super::reading::{Reading, compare, sane};
use super::{form, joined, name, sentence};

/// The fastest and the slowest under the load that is looked at first.
pub(in super::super) fn throughput(report: &Report) -> String {
    let reading = Reading::of(report);
    let rates = report.models.iter().filter_map(|measured| Some((measured, sane(reading.point(measured)?.rate))));
    let rates: Vec<_> = rates.filter(|(_, rate)| *rate > 0.0).collect();
    let most = rates.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    let least = rates.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let Some(((most, high), (least, low))) = most.zip(least) else { return "No right answer was counted.".to_owned() };
    if rates.len() == 1 {
        return format!("{} requests a second with {}.", about(*high), most.model.title);
    }
    let times = compare(*high, *low).map_or_else(String::new, |times| format!(", {} as many", ratio(times)));
    format!(
        "With {} connections, {} answered {} requests a second{times} as {} ({}).",
        reading.concurrency,
        most.model.title,
        about(*high),
        least.model.title,
        about(*low)
    )
}

/// Medians and the slowest hundredth, of those that stand for their way.
pub(in super::super) fn closed(report: &Report) -> Option<String> {
    let reading = Reading::of(report);
    let models =
        reading.representatives().into_iter().filter_map(|model| Some((model, &reading.point(model)?.latency)));
    let models: Vec<_> = models.filter(|(_, latency)| latency.p50_us > 0.0 && latency.p99_us > 0.0).collect();
    let medians = models.iter().map(|(model, latency)| format!("{} {}", time(latency.p50_us), form(name(model))));
    let slowest = models.iter().map(|(_, latency)| time(latency.p99_us));
    let (medians, slowest): (Vec<_>, Vec<_>) = (medians.collect(), slowest.collect());
    (!models.is_empty()).then(|| {
        format!("Half of the answers came within {}; 99 of 100 within {}.", joined(&medians), joined(&slowest))
    })
}

/// Who could not keep up with the constant rate.
pub(in super::super) fn open(report: &Report) -> Option<String> {
    let reading = Reading::of(report);
    let rate = report.settings.rate.filter(|rate| rate.is_finite() && *rate > 0.0)?;
    let asked = |behind: bool| -> Vec<String> {
        let models = report.models.iter().filter_map(|measured| Some((measured, reading.open(measured)?)));
        let models = models.filter(|(_, point)| (sane(point.rate) < rate * KEEPS_UP) == behind);
        models.map(|(measured, point)| format!("{} ({})", measured.model.title, about(sane(point.rate)))).collect()
    };
    let (kept, behind) = (asked(false), asked(true));
    let rate = about(rate);
    Some(match (kept.is_empty(), behind.is_empty()) {
        (true, true) => return None,
        (_, true) => format!("All models kept up with the {rate} requests a second that came."),
        (true, false) => {
            format!("No model kept up with the {rate} requests a second that came; answered: {}.", joined(&behind))
        }
        (false, false) => sentence(&format!(
            "of {rate} requests a second that came, these models could not answer all: {}; their requests waited longer \
             and longer, so that their times tell how long the run was.",
            joined(&behind)
        )),
    })
}

/// Who answers fewer than this share of what comes does not keep up.
const KEEPS_UP: f64 = 0.95;

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::*;

    #[test]
    fn the_fastest_and_the_slowest_are_named() {
        let text = throughput(&fixture::full());
        assert!(text.contains("In-process answered 41,200") && text.contains("59× as many as CGI (702)"), "{text}");
        assert_eq!(throughput(&fixture::minimal()), "702 requests a second with CGI.");
        assert_eq!(throughput(&fixture::all_errors()), "No right answer was counted.");
    }

    #[test]
    fn who_falls_behind_is_said() {
        let mut report = fixture::full();
        let text = open(&report).unwrap();
        assert!(text.contains("CGI (702)") && !text.contains("In-process"), "{text}");
        report.settings.rate = Some(100.0);
        assert!(open(&report).unwrap().starts_with("All models kept up"));
        report.settings.rate = Some(1e9);
        assert!(open(&report).unwrap().starts_with("No model kept up"));
        report.settings.rate = None;
        assert_eq!(open(&report), None);
    }

    #[test]
    fn answers_that_never_came_have_no_time() {
        assert_eq!(closed(&fixture::all_errors()), None);
        assert!(closed(&fixture::full()).unwrap().contains(" in-process, "));
    }
}
