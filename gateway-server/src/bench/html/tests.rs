//! The page as a whole: it has its sections, its tags are closed, foreign text stays text.

use super::super::result::Report;
use super::{fixture, page};

/// Reports that a page must be made of, with a name.
fn reports() -> Vec<(&'static str, Report)> {
    let mut empty = fixture::full();
    empty.models.clear();
    let mut blank = fixture::full();
    for model in &mut blank.models {
        model.memory = Default::default();
        model.timeline = None;
        model.cold_start_us = f64::NAN;
        for point in &mut model.closed {
            point.latency.p50_us = f64::INFINITY;
            point.rate = f64::NAN;
        }
    }
    vec![
        ("full", fixture::full()),
        ("with peers", fixture::with_peers()),
        ("minimal", fixture::minimal()),
        ("all errors", fixture::all_errors()),
        ("no models", empty),
        ("no numbers", blank),
    ]
}

#[test]
fn every_report_has_every_section() {
    for (name, report) in reports() {
        let page = page(&report);
        let ids =
            ["summary", "throughput", "latency", "cpu", "memory", "stages", "spawn", "choice", "method", "points"];
        for id in ids {
            assert!(page.contains(&format!("<section id=\"{id}\"")), "{name}: {id}");
        }
    }
}

#[test]
fn a_full_report_has_every_picture() {
    let page = page(&fixture::full());
    // Throughput, two of latency, two of CPU, memory, two of the stages.
    assert_eq!(page.matches("role=\"img\"").count(), 8);
    assert_eq!(page.matches("no figures for this picture").count(), 0);
}

#[test]
fn every_tag_is_closed() {
    for (name, report) in reports() {
        check_balanced(name, &page(&report));
    }
}

#[test]
fn a_figure_that_is_no_number_is_never_shown() {
    for (name, report) in reports() {
        let page = page(&report);
        for word in page.split(|c: char| !c.is_ascii_alphanumeric()) {
            assert!(word != "NaN" && word != "inf" && word != "infinity", "{name}");
        }
    }
}

#[test]
fn nothing_is_loaded_from_anywhere() {
    for (name, report) in reports() {
        let page = page(&report);
        for word in ["http:", "https:", "src=", "<script", "<link", "@import", "url("] {
            assert!(!page.contains(word), "{name}: {word}");
        }
    }
}

#[test]
fn foreign_text_stays_text() {
    let mut report = fixture::full();
    let evil = "<script>alert('1')</script>&\"";
    report.settings.app = evil.to_owned();
    report.settings.workloads = vec![evil.to_owned()];
    report.machine.processor = evil.to_owned();
    report.machine.kernel = evil.to_owned();
    report.machine.accounting = evil.to_owned();
    report.version = evil.to_owned();
    report.began = evil.to_owned();
    report.left_out = vec![evil.to_owned()];
    for model in &mut report.models {
        model.model.title = evil.to_owned();
        for point in model.closed.iter_mut().chain(&mut model.open) {
            point.workload = evil.to_owned();
        }
    }
    let page = page(&report);
    assert!(!page.contains("<script") && !page.contains("</script"));
    assert!(page.contains("&lt;script&gt;"));
    check_balanced("foreign text", &page);
}

#[test]
fn the_page_is_readable_on_a_phone_and_on_paper() {
    let page = page(&fixture::full());
    assert!(page.contains("width=device-width"));
    assert!(page.contains("@media print"));
}

/// Reads tags one after the other; each end must be that of the last begin.
#[track_caller]
fn check_balanced(name: &str, page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        let end =
            rest[start..].find('>').unwrap_or_else(|| panic!("{name}: a tag without end: {}", &rest[start..])) + start;
        let tag = &rest[start + 1..end];
        assert!(!tag.contains('<'), "{name}: a tag in a tag: {tag}");
        assert!(tag.matches('"').count().is_multiple_of(2), "{name}: a quote without end: {tag}");
        rest = &rest[end + 1..];
        let word = tag.split([' ', '/', '\n']).find(|word| !word.is_empty()).unwrap_or("");
        let void = ["!DOCTYPE", "meta", "br"].contains(&word) || tag.ends_with('/');
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(word), "{name}: before {}", &rest[..rest.len().min(80)]);
        } else if !void {
            open.push(word);
        }
        // CSS has no tags.
        if word == "style" && !tag.starts_with('/') {
            rest = &rest[rest.find("</style>").unwrap()..];
        }
    }
    assert!(open.is_empty(), "{name}: {open:?}");
}
