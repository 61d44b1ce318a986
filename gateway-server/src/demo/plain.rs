//! The demonstration's page as plain text, for curl and the like.

use std::fmt::Write as _;

use gateway_spec::Environ;

use super::echo::Echoed;
use super::page::facts;
use super::picture::describe;
use super::text::parent;
use super::{Call, Neighbours, Way};

pub(super) fn page(environ: &Environ, call: Call, echoed: Option<&Echoed>) -> String {
    let mut page = format!("{}\n\n{}\n\n", call.way.title(), describe(call.way));
    if let Some(echoed) = echoed {
        let cut = if echoed.is_cut() { " (cut)" } else { "" };
        let _ =
            writeln!(page, "received {} bytes of {}:\n{}{cut}\n", echoed.received, echoed.content_type, echoed.text());
    }
    for (name, value) in facts(environ, call) {
        let _ = writeln!(page, "{name}: {value}");
    }
    page.push('\n');
    for (name, value) in environ.iter() {
        let _ = writeln!(page, "{name} = {}", value.escape_ascii());
    }
    if call.neighbours == Neighbours::Mounted {
        let parent = parent(environ.script_name());
        let others = Way::ALL.map(|way| format!("{parent}/{}/", way.segment()));
        let _ = write!(page, "\nthe same application: {}\n", others.join(" "));
    }
    page
}
