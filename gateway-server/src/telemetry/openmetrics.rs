//! The text that Prometheus and its kin read (OpenMetrics 1.0).
//!
//! Holds its spelling. Does not know what is counted.

use std::fmt::{Display, Write as _};

/// Whether a figure only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Gauge,
    Counter,
    Histogram,
}

/// A page of figures.
#[derive(Debug, Default)]
pub(crate) struct Page(String);

/// The type of such a page.
#[cfg(feature = "cli")]
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Page {
    /// Begins a family; its samples follow.
    pub(crate) fn family(&mut self, name: &str, kind: Kind, about: &str) {
        let word = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
        };
        let _ = writeln!(self.0, "# TYPE {name} {word}\n# HELP {name} {}", escaped(about));
    }

    /// Adds a sample of the family: `name` is that of the family and, but for gauges, a suffix such as `_total`.
    pub(crate) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (at, (label, value)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{}\"", if at == 0 { "{" } else { "," }, escaped(value));
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    /// The text.
    pub(crate) fn end(self) -> String {
        self.0 + "# EOF\n"
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_spelled_as_the_specification_says() {
        let mut page = Page::default();
        page.family("x_requests", Kind::Counter, "how \"many\"");
        page.sample("x_requests_total", &[("mount", "/a\"\\\n"), ("code", "2xx")], 3);
        page.family("x_open", Kind::Gauge, "now");
        page.sample("x_open", &[], 0.5);
        let wanted = "# TYPE x_requests counter\n# HELP x_requests how \\\"many\\\"\n\
            x_requests_total{mount=\"/a\\\"\\\\\\n\",code=\"2xx\"} 3\n# TYPE x_open gauge\n# HELP x_open now\nx_open 0.5\n# EOF\n";
        assert_eq!(page.end(), wanted);
    }
}
