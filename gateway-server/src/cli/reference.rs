//! Every key of the configuration file and of the targets, as a text for people.
//!
//! Holds the order and the layout. What is said comes from the tables that also read the values, so it cannot be out of
//! date.

use std::fmt::Write as _;

use super::keys::{ACCESS, CGI, FASTCGI, GUARD, LIMITS, LOG, PHP, POOL, PROXY, STATIC, TIMEOUTS, TOP};
use super::listen::{self, LISTEN, TLS};
use super::rules::Rule;

/// What the file holds beside keys with one value.
const LISTENING: [&str; 3] = ["listen", "where to listen; 127.0.0.1:8080 by default", listen::FORMS];
const LISTENING_TLS: [&str; 3] =
    ["listen", "where to listen with TLS; 127.0.0.1:8443 by default, if nothing else is said", listen::FORMS];
const MOUNT: [[&str; 3]; 3] = [
    ["prefix", "the paths that are answered", "a path such as / or /app"],
    ["target", "who answers them", "KIND:WHERE, as in the headings below"],
    ["options", "how", "a table of the keys below"],
];

pub(super) fn text() -> String {
    let mut text = "The configuration file is TOML. Relative paths in it start from its own folder.\n\n".to_owned();
    line(&mut text, LISTENING);
    lines(&mut text, TOP);
    text.push_str("\n[tls]\n");
    line(&mut text, LISTENING_TLS);
    lines(&mut text, TLS);
    text.push_str("\nThe keys of an address stand behind it: --listen '127.0.0.1:8080?proxy_protocol=10.0.0.0/8'.\n");
    section(&mut text, "every address to listen on", LISTEN);
    section(&mut text, "[log]", LOG);
    section(&mut text, "[access]", ACCESS);
    section(&mut text, "[limits]", LIMITS);
    section(&mut text, "[timeouts]", TIMEOUTS);
    text.push_str("\n[[mount]], once for each mount\n");
    for key in MOUNT {
        line(&mut text, key);
    }
    text.push_str(
        "\nThe keys of a target stand in its options, or behind it: --mount '/app=cgi:./app?timeout=5s&env.LANG=C'.\n",
    );
    section(&mut text, "every target, app:demo too, which takes no others", GUARD);
    section(&mut text, "cgi:FILE_OR_DIR", CGI);
    section(&mut text, "fastcgi:unix:PATH, fastcgi:tcp:HOST:PORT, fastcgi:spawn:COMMAND ARGS…", FASTCGI);
    section(&mut text, "fastcgi:spawn:COMMAND ARGS… also, and gateway workers", POOL);
    section(&mut text, "php:unix:PATH, php:tcp:HOST:PORT, beside the keys of fastcgi:unix:PATH but for script", PHP);
    section(&mut text, "http://HOST:PORT, http://HOST:PORT/PATH, http:unix:PATH", PROXY);
    section(&mut text, "static:DIR", STATIC);
    text
}

fn section<T>(text: &mut String, heading: &str, rules: &[Rule<T>]) {
    let _ = writeln!(text, "\n{heading}");
    lines(text, rules);
}

fn lines<T>(text: &mut String, rules: &[Rule<T>]) {
    for rule in rules {
        line(text, [&rule.name(), rule.about, rule.allowed]);
    }
}

/// A key, what it means, and what it takes on a line below.
fn line(text: &mut String, [name, about, allowed]: [&str; 3]) {
    let _ = writeln!(text, "  {name:28}{about}\n{:30}takes {allowed}", "");
}
