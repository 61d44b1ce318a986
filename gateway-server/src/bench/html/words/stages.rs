//! What each stage of a request is, and why it costs.

use super::super::super::result::{Report, Stage, Timeline};
use super::super::figures::time;
use super::name;

/// How long a part of the way took, told once for all models of a name: `in-process 38.0 µs · FastCGI 36.1 µs to 40.2 µs`.
pub(in super::super) fn times(report: &Report, of: impl Fn(&Timeline) -> f64) -> String {
    let mut told: Vec<(&str, f64, f64)> = Vec::new();
    for measured in &report.models {
        let micros = measured.timeline.as_ref().map_or(0.0, &of);
        if micros <= 0.0 {
            continue;
        }
        match told.iter_mut().find(|(other, ..)| *other == name(measured)) {
            Some((_, least, most)) => (*least, *most) = (least.min(micros), most.max(micros)),
            None => told.push((name(measured), micros, micros)),
        }
    }
    let written = told.into_iter().map(|(name, least, most)| {
        let (least, most) = (time(least), time(most));
        if least == most { format!("{name} {least}") } else { format!("{name} {least} to {most}") }
    });
    written.collect::<Vec<_>>().join(" · ")
}

/// A stage's name and what happens in it, in one sentence.
pub(crate) fn explain(stage: Stage) -> (&'static str, &'static str) {
    match stage {
        Stage::Accept => (
            "Accept",
            "The kernel makes the connection and wakes the listener, which takes it and reads the first bytes: the price \
             of a new connection, which a kept one does not pay.",
        ),
        Stage::Parse => ("Parse", "The listener finds method, path and fields in the bytes and checks them."),
        Stage::Queue => (
            "Queue",
            "The variables of the request are written down for the application, and a place among those that may run is \
             waited for.",
        ),
        Stage::Connect => (
            "Connect",
            "The listener connects to a FastCGI worker; a connection that was kept from an earlier request costs nothing.",
        ),
        Stage::ForkExec => (
            "Fork, exec",
            "The kernel makes a new process and starts the program in it: tables, descriptors and a new address space.",
        ),
        Stage::Loader => (
            "Loader",
            "The kernel maps the program into memory and the dynamic loader finds its libraries and joins them, page \
             fault by page fault.",
        ),
        Stage::ApplicationStart => (
            "Application start",
            "From the program's first line, or from the request being handed to a worker, to the application: environment \
             or records are read and the request is put together.",
        ),
        Stage::Application => (
            "Application",
            "The application itself makes its answer: the only stage in which the work is done that was asked for.",
        ),
        Stage::Write => {
            ("Write", "The answer goes back through pipe or socket and listener, until the client has its last byte.")
        }
        Stage::Exit => {
            ("Exit", "The program ends and the kernel takes its memory apart, as far as the client waits for it.")
        }
        Stage::Server => {
            ("Server", "All that a server does that does not say what it does, before the application begins.")
        }
    }
}

/// The name of what goes on when the client already has its answer.
pub(crate) const AFTERWARDS: (&str, &str) = (
    "Afterwards",
    "The program ends and is reaped while the client already has its answer: nobody waits for it, but a core works on it.",
);

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::super::super::reading::{stage, waited};
    use super::*;

    #[test]
    fn models_of_a_name_are_told_together() {
        let report = fixture::full();
        assert_eq!(times(&report, |timeline| stage(timeline, Stage::Connect)), "FastCGI 22.0 µs");
        assert_eq!(times(&report, waited), "in-process 74.4 µs · FastCGI 122 µs to 144 µs · CGI 978 µs");
        assert_eq!(times(&fixture::minimal(), waited), "");
    }
}
