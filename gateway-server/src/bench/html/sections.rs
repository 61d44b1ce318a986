//! The sections of the page and their order.

use super::super::result::{Cpu, Parts, Report, Stage};
use super::figures::{percent, plural, ratio, time};
use super::markup::{escape, list, paragraph};
use super::palette::{self, Part};
use super::plots::{self, Upward, Zoom, sample, swatch};
use super::points;
use super::reading::{Reading, sane, stage};
use super::words::{choice, method, seen, spawn, stages, summary};

/// All of them, one after the other.
pub(super) fn sections(report: &Report) -> String {
    let sections = [
        head(report),
        throughput(report),
        latency(report),
        cpu(report),
        memory(report),
        way(report),
        spawning(report),
        choosing(report),
        measuring(report),
        everything(report),
    ];
    sections.concat()
}

fn head(report: &Report) -> String {
    let mut about = summary::summary(report);
    about.extend(method::left_out(report));
    let note = summary::stand_ins(report)
        .map_or_else(String::new, |note| format!("<p class=\"note\">{}</p>\n", escape(&note)));
    format!(
        "<header>\n<h1>What a gateway costs</h1>\n\
         <p class=\"note\">One application, run in every way that was measured, under the same load: {} on {}, {}. Measured {} with gateway {} in {}.</p>\n\
         </header>\n<section id=\"summary\" class=\"summary\">\n<h2>In short</h2>\n{}{note}</section>\n",
        escape(&report.settings.app),
        escape(&report.machine.processor),
        plural(report.machine.cores, "core"),
        escape(&report.began),
        escape(&report.version),
        escape(&time(report.seconds * 1e6)),
        list(&about)
    )
}

fn section(id: &str, title: &str, content: &str) -> String {
    format!("<section id=\"{id}\">\n<h2>{}</h2>\n{content}</section>\n", escape(title))
}

fn figure(svg: &str, caption: &str) -> String {
    let caption =
        if caption.is_empty() { String::new() } else { format!("<figcaption>{}</figcaption>\n", escape(caption)) };
    format!("<figure>\n{caption}<div class=\"card\">{svg}</div>\n</figure>\n")
}

/// The models and their lines.
fn legend(report: &Report) -> String {
    let models = report.models.iter().enumerate().map(|(place, measured)| {
        format!("<li>{}{}</li>\n", sample(palette::model(place)), escape(&measured.model.title))
    });
    format!("<ul class=\"legend\">\n{}</ul>\n", models.collect::<String>())
}

/// Said instead of a picture that has no figures.
fn nothing() -> String {
    "<p class=\"note\">There are no figures for this picture.</p>\n".to_owned()
}

fn throughput(report: &Report) -> String {
    let mut content = paragraph(&[seen::throughput(report)]);
    if let Some((svg, upward)) = plots::throughput(report) {
        let scale = match upward {
            Upward::Linear => "",
            Upward::Logarithmic => " Upwards, too, equal distances are equal ratios.",
        };
        let caption = format!(
            "Each line is a model, each marker a number of connections that ask at once; higher is better.{scale}"
        );
        content.push_str(&figure(&svg, &caption));
        content.push_str(&legend(report));
    } else {
        content.push_str(&nothing());
    }
    section("throughput", "How many requests a second, by connections", &content)
}

fn latency(report: &Report) -> String {
    let reading = Reading::of(report);
    let (closed, open) = (plots::closed(report), plots::open(report));
    let mut content = paragraph(&seen::closed(report).into_iter().collect::<Vec<_>>());
    if closed.is_none() && open.is_none() {
        content.push_str(&nothing());
    }
    if let Some(svg) = closed {
        let caption = format!(
            "Closed loop, {}: read upwards from 99 % how long all but the slowest hundredth of the requests took at most; \
             lower is better.",
            plural(reading.concurrency, "connection")
        );
        content.push_str(&figure(&svg, &caption));
    }
    if let Some(svg) = open {
        content.push_str(&paragraph(&seen::open(report).into_iter().collect::<Vec<_>>()));
        let caption = "Open loop: requests come at a constant rate, and the clock of each runs from when it was due; an \
                       answer that is late makes those behind it late, too.";
        content.push_str(&figure(&svg, caption));
    }
    if content.contains("<figure>") {
        content.push_str(&legend(report));
    }
    section("latency", "How long an answer takes, from the usual to the slowest", &content)
}

/// Pictures of bars; the enlarged ones say how much.
fn bars(zooms: &[Zoom], caption: &str) -> String {
    let pictures = zooms.iter().map(|zoom| {
        if zoom.enlarged > 1.0 {
            figure(&zoom.svg, &format!("The short bars again, drawn {} as large.", ratio(zoom.enlarged)))
        } else {
            figure(&zoom.svg, caption)
        }
    });
    if zooms.is_empty() { nothing() } else { pictures.collect() }
}

/// A kind of process, what it does, and whether any model has it.
type Kind = (Part, &'static str, bool);

fn parts(kinds: &[Kind]) -> String {
    let seen = kinds.iter().filter(|(.., seen)| *seen);
    let items = seen.map(|(part, meaning, _)| {
        format!("<li>{}<span>{}</span></li>\n", swatch(part.colour(), part.letter(), false), escape(meaning))
    });
    let items: String = items.collect();
    if items.is_empty() { items } else { format!("<ul class=\"stages\">\n{items}</ul>\n") }
}

fn cpu(report: &Report) -> String {
    let reading = Reading::of(report);
    let caption = format!(
        "Processor time for one request of “{}” with {}; shorter is better, for it is what a busy machine runs out of.",
        reading.workload,
        plural(reading.concurrency, "connection")
    );
    let cpus = || report.models.iter().filter_map(|measured| Some(reading.point(measured)?.cpu));
    let any = |of: fn(&Cpu) -> f64| cpus().any(|cpu| of(&cpu) > 0.0);
    let kinds = [
        (
            Part::Server,
            "Server: whoever listens; it parses requests and hands answers on. In-process, the application is in it.",
            any(|cpu| cpu.user.server),
        ),
        (
            Part::Workers,
            "Workers: FastCGI processes that run the application and speak a protocol with the listener.",
            any(|cpu| cpu.user.workers),
        ),
        (
            Part::Children,
            "Children: CGI programs, which load and set themselves up anew for each request.",
            any(|cpu| cpu.user.children),
        ),
        (
            Part::Kernel,
            "Kernel: what it does on behalf of all the others: sockets, pipes, and with CGI the making and unmaking of \
             processes.",
            any(|cpu| cpu.kernel),
        ),
    ];
    let content = bars(&plots::cpu(report), &caption) + &parts(&kinds);
    section("cpu", "What a request costs in processor time", &content)
}

fn memory(report: &Report) -> String {
    let caption = "Memory of all processes of a model together, while nobody asks and under load; shorter is better.";
    let both = || report.models.iter().flat_map(|measured| [measured.memory.idle, measured.memory.loaded]);
    let any = |of: fn(&Parts) -> f64| both().any(|parts| of(&parts) > 0.0);
    let kinds = [
        (Part::Server, "Server: whoever listens. In-process, the application is in it.", any(|parts| parts.server)),
        (Part::Workers, "Workers: FastCGI processes, which stay, asked or not.", any(|parts| parts.workers)),
        (
            Part::Children,
            "Children: CGI programs that run at the same moment; idle there are none.",
            any(|parts| parts.children),
        ),
    ];
    let content = bars(&plots::memory(report), caption) + &parts(&kinds);
    section("memory", "What a model keeps in memory", &content)
}

fn way(report: &Report) -> String {
    let zooms = plots::stages(report);
    let caption = "One request on a new connection, on a machine that does nothing else, from the client's first step to \
                   the last byte of its answer. The numbers in the bars are those of the list.";
    let content = bars(&zooms, caption) + &stage_list(report);
    section("stages", "Where one request's time goes", &content)
}

/// What each stage is, and how long it took.
fn stage_list(report: &Report) -> String {
    let item = |sign: String, (name, meaning): (&str, &str), times: String| {
        let times = escape(&times);
        format!("<li>{sign}<span><b>{name}.</b> {}<br><small>{times}</small></span></li>\n", escape(meaning))
    };
    let mut items = String::new();
    for (number, kind) in plots::numbered(report) {
        let times = stages::times(report, |timeline| stage(timeline, kind));
        items.push_str(&item(swatch(palette::stage(kind), &number.to_string(), false), stages::explain(kind), times));
    }
    let after = stages::times(report, |timeline| sane(timeline.afterwards_us));
    if !after.is_empty() {
        items.push_str(&item(swatch(palette::stage(Stage::Exit), "", true), stages::AFTERWARDS, after));
    }
    if items.is_empty() { String::new() } else { format!("<ul class=\"stages\">\n{items}</ul>\n") }
}

fn spawning(report: &Report) -> String {
    let mut content = paragraph(&spawn::sentences(report));
    if let Some(steps) = spawn::steps(report) {
        let all: f64 = steps.iter().map(|step| step.micros).sum();
        let rows = steps.iter().map(|step| {
            let share = if all > 0.0 { step.micros / all } else { 0.0 };
            format!(
                "<tr><th scope=\"row\">{} {}</th><td>{}</td><td>{}</td></tr>\n",
                swatch(palette::stage(step.stage), "", false),
                escape(step.name),
                time(step.micros),
                percent(share)
            )
        });
        let empty = report.empty_process_us.filter(|micros| micros.is_finite()).map_or_else(String::new, |micros| {
            format!(
                "<tr class=\"beside\"><th scope=\"row\">Beside it: all of /bin/true</th><td>{}</td><td></td></tr>\n",
                time(micros)
            )
        });
        content.push_str(&format!(
            "<table class=\"steps\">\n<caption>The life of one CGI program</caption>\n<thead><tr><th scope=\"col\">step</th>\
             <th scope=\"col\">time</th><th scope=\"col\">share</th></tr></thead>\n<tbody>\n{}<tr class=\"sum\"><th scope=\"row\">\
             Together</th><td>{}</td><td></td></tr>\n{empty}</tbody>\n</table>\n",
            rows.collect::<String>(),
            time(all)
        ));
    }
    section("spawn", "Spawn cost: what a process for each request takes", &content)
}

fn choosing(report: &Report) -> String {
    let advice = choice::choice(report);
    let blocks = advice.iter().map(|(head, sentences)| format!("<h3>{}</h3>\n{}", escape(head), list(sentences)));
    let content = if advice.is_empty() {
        paragraph(&["Nothing was measured that advice could come from.".to_owned()])
    } else {
        blocks.collect()
    };
    section("choice", "When each model is the right one", &content)
}

fn measuring(report: &Report) -> String {
    let items = method::method(report);
    let items = items.iter().map(|(head, text)| format!("<dt>{}</dt>\n<dd>{}</dd>\n", escape(head), escape(text)));
    let content = format!(
        "<dl>\n{}</dl>\n<p>The same again:</p>\n<pre><code>{}</code></pre>\n",
        items.collect::<String>(),
        escape(&method::command(report))
    );
    section("method", "How it was measured", &content)
}

fn everything(report: &Report) -> String {
    let left_out = method::left_out(report).into_iter().collect::<Vec<_>>();
    let content = paragraph(&left_out) + &points::tables(report);
    section("points", "All figures", &content)
}
