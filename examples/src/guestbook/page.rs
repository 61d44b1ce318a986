//! The page: HTML in which nothing a visitor wrote can be anything but text.

use std::fmt::{self, Write as _};

use gateway_spec::Environ;

use super::form::{Entry, MAX_MESSAGE, MAX_NAME};
use super::store::Written;

/// One page, ready to be rendered.
pub(super) struct Page<'a> {
    action: &'a str,
    entries: &'a [Written],
    gateway: &'static str,
    complaint: Option<(&'a str, Option<Entry>)>,
}

impl<'a> Page<'a> {
    /// The list of entries over a form that goes to `action`.
    pub(super) fn new(environ: &Environ, action: &'a str, entries: &'a [Written]) -> Self {
        let gateway = match (environ.run_once, environ.multiprocess) {
            (true, _) => "a process of its own, started for this request (CGI)",
            (false, true) => "a worker that stays for the next request (FastCGI)",
            (false, false) => "the process that also speaks HTTP (in-process)",
        };
        Page { action, entries, gateway, complaint: None }
    }

    /// Says what was wrong with a form, and keeps what was typed.
    pub(super) fn with_complaint(self, message: &'a str, typed: Option<Entry>) -> Self {
        Page { complaint: Some((message, typed)), ..self }
    }

    pub(super) fn render(&self) -> String {
        let mut html = String::with_capacity(4096 + 256 * self.entries.len());
        let _ = write!(html, "{self}");
        html
    }
}

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, message) = match &self.complaint {
            Some((_, Some(typed))) => (typed.name.as_str(), typed.message.as_str()),
            _ => ("", ""),
        };
        write!(
            f,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>Guestbook</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Guestbook</h1>\n"
        )?;
        if let Some((complaint, _)) = &self.complaint {
            writeln!(f, "<p class=\"complaint\" role=\"alert\">{}</p>", Escaped(complaint))?;
        }
        // The line break after <textarea> is the one that HTML leaves out; one that was typed stays.
        write!(
            f,
            "<form method=\"post\" action=\"{}\">\n\
             <label for=\"name\">Name</label>\n\
             <input id=\"name\" name=\"name\" required maxlength=\"{MAX_NAME}\" autocomplete=\"name\" value=\"{}\">\n\
             <label for=\"message\">Message</label>\n\
             <textarea id=\"message\" name=\"message\" required maxlength=\"{MAX_MESSAGE}\" rows=\"4\">\n{}</textarea>\n\
             <button>Sign the guestbook</button>\n</form>\n",
            Escaped(self.action),
            Escaped(name),
            Escaped(message)
        )?;
        self.list(f)?;
        write!(f, "<footer>This page came from {}.</footer>\n</main>\n</body>\n</html>\n", self.gateway)
    }
}

impl Page<'_> {
    fn list(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.entries.is_empty() {
            return f.write_str("<p class=\"empty\">Nobody has signed yet. Be the first.</p>\n");
        }
        f.write_str("<section aria-label=\"Entries\">\n")?;
        for Written { name, message, when } in self.entries {
            write!(
                f,
                "<article>\n<header><strong>{}</strong> <time datetime=\"{}Z\">{when} UTC</time></header>\n<p>{}</p>\n</article>\n",
                Escaped(name),
                when.replace(' ', "T"),
                Escaped(message)
            )?;
        }
        f.write_str("</section>\n")
    }
}

/// Text that means itself, between tags and in quoted attributes alike.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            let (plain, special) = rest.split_at(at);
            f.write_str(plain)?;
            f.write_str(match special.as_bytes().first() {
                Some(b'&') => "&amp;",
                Some(b'<') => "&lt;",
                Some(b'>') => "&gt;",
                Some(b'"') => "&quot;",
                _ => "&#39;",
            })?;
            rest = special.get(1..).unwrap_or_default();
        }
        f.write_str(rest)
    }
}

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #22201c; --paper: #faf7f1; --card: #fff; --line: #e2dacb; --accent: #9a3b1f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ece7dd; --paper: #1b1916; --card: #26231f; --line: #403a31; --accent: #e58b6b; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1.05rem/1.55 Georgia, 'Times New Roman', serif; }
main { max-width: 40rem; margin: 0 auto; padding: 2rem 1.25rem 3rem; }
h1 { margin: 0 0 1.25rem; font-size: clamp(1.8rem, 6vw, 2.6rem); font-weight: normal; letter-spacing: .01em; }
form, article { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1.1rem 1.25rem; }
form { display: grid; gap: .4rem; margin-bottom: 2rem; }
label { font-size: .9rem; opacity: .8; }
input, textarea { width: 100%; padding: .55rem .7rem; margin-bottom: .5rem; border: 1px solid var(--line);
  border-radius: .4rem; background: var(--paper); color: inherit; font: inherit; resize: vertical; }
input:focus-visible, textarea:focus-visible, button:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
button { justify-self: start; padding: .55rem 1.2rem; border: 0; border-radius: .4rem; background: var(--accent);
  color: var(--paper); font: inherit; cursor: pointer; }
article { margin-bottom: 1rem; }
article header { display: flex; flex-wrap: wrap; gap: .2rem .8rem; justify-content: space-between; align-items: baseline; }
article p { margin: .4rem 0 0; white-space: pre-line; overflow-wrap: anywhere; }
strong { overflow-wrap: anywhere; }
time, footer { font-size: .85rem; opacity: .7; }
.complaint { padding: .7rem 1rem; border-left: .25rem solid var(--accent); background: var(--card); }
.empty { font-style: italic; opacity: .8; }
footer { margin-top: 2rem; }
";
