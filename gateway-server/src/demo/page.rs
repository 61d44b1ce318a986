//! The demonstration's page as HTML: one file, no network, readable on a phone.

use std::fmt::Write as _;

use gateway_spec::Environ;

use crate::mount::encode_path;

use super::echo::Echoed;
use super::picture::{describe, svg};
use super::text::{escape, parent};
use super::{Call, Neighbours, Way};

/// The look of both pages.
pub(super) const STYLE: &str = include_str!("style.css");

/// Tells how long the browser waited; the one thing that a server cannot know.
const SCRIPT: &str = r#"addEventListener("load",()=>{const t=performance.getEntriesByType("navigation")[0];if(t)document.getElementById("waited").textContent=(t.responseStart-t.requestStart).toFixed(1)+" ms"})"#;

pub(super) fn page(environ: &Environ, call: Call, echoed: Option<&Echoed>, nonce: &str) -> String {
    let title = call.way.title();
    let own = encode_path(&environ.script_name());
    let mut html = head(title, nonce);
    if call.neighbours == Neighbours::Mounted {
        html.push_str(&tabs(environ, call.way));
    }
    let _ = write!(html, "<h1>{title}</h1><p>{}</p>{}", describe(call.way), svg(call.way));
    if let Some(echoed) = echoed {
        html.push_str(&received(echoed));
    }
    html.push_str("<h2>This call</h2><table>");
    for (name, value) in facts(environ, call) {
        row(&mut html, name, &escape(value));
    }
    row(&mut html, "your browser waited for the first byte", r#"<span id="waited">(needs JavaScript)</span>"#);
    let _ = write!(html, "</table><p class=\"hint\">{}</p>", hint(call.way));
    let _ = write!(
        html,
        "<h2>Try</h2><form method=\"post\" action=\"{own}/echo\"><textarea name=\"text\" rows=\"3\" aria-label=\"text to \
         send\">Hello, gateway!</textarea><button>Send with POST</button></form><p><a href=\"{own}/stream\">Ten lines, \
         one after the other</a>: each leaves the application before the next is made.</p>"
    );
    html.push_str("<h2>What the application was told</h2><table class=\"environ\">");
    for (name, value) in environ.iter() {
        row(&mut html, &escape(name), &escape(value));
    }
    html.push_str(
        "</table><p class=\"hint\">These names are the same behind every gateway: CGI made them in 1993, \
         FastCGI sends them as records, PEP 3333 calls them the environ.</p>",
    );
    let _ = write!(html, "</main><script nonce=\"{nonce}\">{SCRIPT}</script></html>");
    html
}

/// The start of a page, up to its `main`.
pub(super) fn head(title: &str, nonce: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title} · one application, three gateways</title><style \
         nonce=\"{nonce}\">{STYLE}</style><main>"
    )
}

/// What differs between the ways; shown by both forms of the page.
pub(super) fn facts(environ: &Environ, call: Call) -> Vec<(&'static str, String)> {
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    vec![
        ("process id", std::process::id().to_string()),
        ("calls of this process so far", call.number.to_string()),
        ("age of this process", age(call.process_age.as_secs_f64())),
        ("the application has worked for", age(call.began.elapsed().as_secs_f64())),
        ("other calls at once in this process (multithread)", yes(environ.multithread)),
        ("other processes at once (multiprocess)", yes(environ.multiprocess)),
        ("only this one call (run_once)", yes(environ.run_once)),
    ]
}

/// Links between the ways, the own one marked.
fn tabs(environ: &Environ, here: Way) -> String {
    let parent = parent(environ.script_name());
    let mut html = format!("<nav><a href=\"{parent}/\">Start</a>");
    for way in Way::ALL {
        let current = if way == here { " aria-current=\"page\"" } else { "" };
        let _ = write!(html, "<a href=\"{parent}/{}/\"{current}>{}</a>", way.segment(), way.title());
    }
    html + "</nav>"
}

fn received(echoed: &Echoed) -> String {
    let declared = echoed.declared.map_or("not declared".to_owned(), |bytes| bytes.to_string());
    let mut html = "<h2>What arrived</h2><table>".to_owned();
    row(&mut html, "CONTENT_TYPE", &escape(&echoed.content_type));
    row(&mut html, "CONTENT_LENGTH", &declared);
    row(&mut html, "bytes read", &echoed.received.to_string());
    let cut = if echoed.is_cut() { "<p class=\"hint\">Only the start is shown.</p>" } else { "" };
    let _ = write!(html, "</table><pre>{}</pre>{cut}", escape(echoed.text()));
    html
}

/// What to look at.
fn hint(way: Way) -> &'static str {
    match way {
        Way::InProcess => "Load again: the same process, one call more. Nothing was started, nothing was sent on.",
        Way::Cgi => {
            "Load again: a new process id each time, and always its first call. That is safe and simple, and it costs a start."
        }
        Way::FastCgi => {
            "Load again: the worker's process id stays, its calls go up. It is a process of its own, but there is no start to pay for."
        }
    }
}

fn row(html: &mut String, name: &str, value: &str) {
    let _ = write!(html, "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>");
}

fn age(seconds: f64) -> String {
    match seconds {
        s if s < 0.001 => format!("{:.0} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.1} s"),
        s => format!("{:.0} min", s / 60.0),
    }
}
