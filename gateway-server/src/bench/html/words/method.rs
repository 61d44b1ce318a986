//! How it was measured, and how to do it again.

use super::super::super::model::Front;
use super::super::super::result::{Point, Report};
use super::super::figures::{count, plural, time};
use super::super::reading::Reading;
use super::joined;

/// What is said about the method: a name, and sentences.
pub(in super::super) fn method(report: &Report) -> Vec<(&'static str, String)> {
    let settings = &report.settings;
    let mut said = vec![
        ("Machine", machine(report)),
        (
            "Application",
            format!("{}. The same program runs in all models, each in processes of its own.", settings.app),
        ),
        ("Samples", samples(report)),
        ("Closed loop", closed_loop(report)),
    ];
    if let Some(rate) = settings.rate.filter(|_| report.models.iter().any(|measured| !measured.open.is_empty())) {
        said.push(("Open loop", open_loop(rate)));
    }
    said.push(("Processor time", accounting(&report.machine.accounting)));
    said.push((
        "Memory",
        "The proportional set size of all processes of a model: a page that several share counts once, split between \
         them. Idle is after the first answer, loaded is under load."
            .to_owned(),
    ));
    said.push((
        "One request's time",
        "Requests on new connections, one at a time. All processes note the moments on the clock that the whole machine \
         shares; what lies between two moments is a stage. Shown is the mean of the middle half."
            .to_owned(),
    ));
    said
}

fn machine(report: &Report) -> String {
    let machine = &report.machine;
    let settings = &report.settings;
    let division = if settings.apart {
        format!(
            "The models have {} of them, and the load the rest, as if it came from another machine",
            plural(settings.server_cores, "core")
        )
    } else {
        "Load and models share it, so rates are lower than with a second machine for the load".to_owned()
    };
    format!(
        "{}, {} with {} GiB of memory, {}. {division}; ratios tell more than rates.",
        machine.processor,
        plural(machine.cores, "core"),
        gibibytes(machine.memory),
        machine.kernel
    )
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / (1024.0 * 1024.0 * 1024.0))
}

fn samples(report: &Report) -> String {
    let points = || report.models.iter().flat_map(|measured| &measured.closed);
    let number = points().map(|point| point.samples.len()).max().unwrap_or(0);
    let taken = if number == 0 { String::new() } else { format!(" in {}", plural(number, "sample")) };
    let models = "models take turns, so that what else happens on the machine meets all of them; each is warmed up \
                  before it is measured, and has longer samples if its answers take longer than one";
    format!(
        "Each point was measured for {}{taken}. The {models}. The rate is the median of the samples, the spread beside it \
         half the distance between the slowest and the fastest sample.",
        time(report.settings.seconds_per_point * 1e6)
    )
}

fn closed_loop(report: &Report) -> String {
    let reading = Reading::of(report);
    let base = reading.representatives().into_iter().find_map(|measured| reading.point(measured));
    let used = base.map(|point: &Point| point.load_cpu_us).filter(|micros| micros.is_finite() && *micros > 0.0);
    let own = used.map_or_else(String::new, |micros| format!(" The load itself used {} a request.", time(micros)));
    format!(
        "Connections are held by {}; each asks again as soon as it has its answer.{own}",
        plural(report.settings.load_threads, "thread")
    )
}

fn open_loop(rate: f64) -> String {
    format!(
        "A closed loop waits with its next question while an answer is late, and so leaves out the questions that would \
         have met the delay (coordinated omission). In the open loop {} requests a second come, answered or not, and \
         the clock of each runs from when it was due.",
        count(rate.round())
    )
}

fn accounting(by: &str) -> String {
    let how = match by {
        "rusage" => "by the parents that waited for them (rusage)".to_owned(),
        group => format!("by the kernel, for all processes of a model together ({group})"),
    };
    format!("Counted {how}, so the short-lived programs of CGI are in it. Divided by the requests that were answered.")
}

/// The command that measures the same again, an option on each line.
pub(in super::super) fn command(report: &Report) -> String {
    let settings = &report.settings;
    let mut options = vec!["gateway bench".to_owned()];
    options.push(if settings.quick {
        "--quick".to_owned()
    } else {
        format!("--duration {}s", settings.seconds_per_point)
    });
    options.push(format!("--app {}", quoted(&settings.app)));
    if !settings.concurrency.is_empty() {
        let counts: Vec<String> = settings.concurrency.iter().map(usize::to_string).collect();
        options.push(format!("--concurrency {}", counts.join(",")));
    }
    if !settings.workloads.is_empty() {
        options.push(format!("--workloads {}", quoted(&settings.workloads.join(","))));
    }
    options.extend(settings.rate.filter(|rate| rate.is_finite()).map(|rate| format!("--rate {rate:.0}")));
    if report.models.iter().any(|measured| !matches!(measured.model.front, Front::Application | Front::Gateway)) {
        options.push("--peers".to_owned());
    }
    options.push("--html report.html".to_owned());
    options.join(" \\\n  ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// What could not be measured.
pub(in super::super) fn left_out(report: &Report) -> Option<String> {
    (!report.left_out.is_empty()).then(|| format!("Not measured: {}.", joined(&report.left_out)))
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::*;

    #[test]
    fn the_command_measures_the_same_again() {
        let mut report = fixture::full();
        let words: Vec<String> = command(&report).split_whitespace().map(str::to_owned).collect();
        assert_eq!(
            words.join(" ").replace(" \\ ", " "),
            "gateway bench --duration 4.5s --app hello --concurrency 1,8,64 --workloads hello,db,download --rate 2000 \
             --html report.html"
        );
        report.settings.app = "./it's mine".to_owned();
        report.settings.quick = true;
        let quick = command(&report);
        assert!(quick.contains(" --quick \\\n") && quick.contains(" --app './it'\\''s mine' "), "{quick}");
        assert!(command(&fixture::with_peers()).contains(" --peers "));
    }

    #[test]
    fn the_open_loop_is_explained_only_if_there_was_one() {
        let heads = |report: &Report| method(report).iter().map(|(head, _)| *head).collect::<Vec<_>>();
        assert!(heads(&fixture::full()).contains(&"Open loop"));
        assert!(!heads(&fixture::minimal()).contains(&"Open loop"));
    }

    #[test]
    fn what_was_left_out_is_said_with_its_reason() {
        let text = left_out(&fixture::full()).unwrap();
        assert_eq!(text, "Not measured: apache-cgi: Apache is not installed.");
        assert_eq!(left_out(&fixture::minimal()), None);
    }
}
