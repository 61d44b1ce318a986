//! Lines of text for an entry: one with the header, and below it the body, what is wrong and what is worth knowing.
//!
//! Holds the columns and the colours. Does not write: the text is the caller's.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Entry, Meaning, Side, shown};
use crate::protocol::{BeginRequest, EndRequest, ProtocolStatus, RecordHeader, RecordType, Role};

/// How entries are shown.
///
/// # Examples
/// ```
/// use gateway_fastcgi::dump::{Dump, Layout, Side};
/// use std::time::Duration;
///
/// let mut dump = Dump::new(Side::FromWorker);
/// let entry = dump.receive(b"HTTP/1.1 400 Bad Request\r\n").entry.ok_or("what is no record is told at once")?;
/// let text = Layout::default().text(&entry, Duration::ZERO);
/// assert!(text.contains("✗ at byte 0: record has version 72 (FastCGI 1.0 §3.3)"), "{text}");
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone)]
pub struct Layout {
    max_content_bytes: usize,
    colour: bool,
}

impl Default for Layout {
    fn default() -> Self {
        Self { max_content_bytes: 512, colour: false }
    }
}

/// Parts of a line that have a colour, as SGR parameters (ECMA-48 §8.3.117).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tint {
    ToWorker,
    FromWorker,
    Quiet,
    Fault,
    Note,
}

impl Tint {
    fn parameters(self) -> &'static str {
        match self {
            Self::ToWorker => "1;36",
            Self::FromWorker => "1;32",
            Self::Quiet => "2",
            Self::Fault => "1;31",
            Self::Note => "33",
        }
    }
}

/// Where bodies start: under the names of types.
const INDENT: &str = "             ";

/// Longer names are cut: there is none of this length that means anything.
const MAX_NAME: usize = 200;

/// Names up to here are set in a column.
const MAX_NAME_COLUMN: usize = 24;

impl Layout {
    /// How much of a stream's content and of a value is shown, in bytes. Default 512: a head and the start of a page.
    #[must_use]
    pub fn max_content_bytes(mut self, bytes: usize) -> Self {
        self.max_content_bytes = bytes;
        self
    }

    /// Whether there are colours. Default no; for terminals.
    #[must_use]
    pub fn colour(mut self, yes: bool) -> Self {
        self.colour = yes;
        self
    }

    /// The lines for an entry, each with its line end; `since` is the time since the dump began.
    pub fn text(&self, entry: &Entry, since: Duration) -> String {
        let mut text = self.title(since, entry.side);
        match entry.header {
            Some(header) => self.header(&mut text, entry, header),
            None => self.pad(&mut text, self.tint_of(entry.side), "no FastCGI record", 69, entry.clause()),
        }
        for line in self.body(entry) {
            self.line(&mut text, &line);
        }
        for fault in &entry.faults {
            // FCGI-34 and the like: where it is makes it findable in any other dump.
            let cause = std::error::Error::source(fault).map(|cause| format!(": {cause}")).unwrap_or_default();
            let fault = format!("✗ at byte {}: {fault}{cause} ({})", entry.at, fault.clause());
            self.line(&mut text, &self.tinted(Tint::Fault, &fault));
        }
        for note in &entry.notes {
            self.line(&mut text, &self.tinted(Tint::Note, &format!("· {note}")));
        }
        text
    }

    /// A line that is about the connection and no record, such as its end.
    pub fn remark(&self, side: Option<Side>, since: Duration, what: &str) -> String {
        let mut text = match side {
            Some(side) => self.title(since, side),
            None => format!("{} ∙ ", self.tinted(Tint::Quiet, &time(since))),
        };
        text.push_str(what);
        text.push('\n');
        text
    }

    /// A line under the entry that came last, about what is wrong.
    pub fn fault(&self, what: &str) -> String {
        let mut text = String::new();
        self.line(&mut text, &self.tinted(Tint::Fault, &format!("✗ {what}")));
        text
    }

    fn title(&self, since: Duration, side: Side) -> String {
        let arrow = match side {
            Side::ToWorker => "→",
            Side::FromWorker => "←",
        };
        format!("{} {} ", self.tinted(Tint::Quiet, &time(since)), self.tinted(self.tint_of(side), arrow))
    }

    fn tint_of(&self, side: Side) -> Tint {
        match side {
            Side::ToWorker => Tint::ToWorker,
            Side::FromWorker => Tint::FromWorker,
        }
    }

    /// Type, request, lengths and clause, each in its column.
    fn header(&self, text: &mut String, entry: &Entry, header: RecordHeader) {
        let name = match header.kind {
            known if known.is_known() => format!("FCGI_{known} ({})", known.0),
            RecordType(other) => format!("type {other}"),
        };
        let id = format!("id {}", header.id);
        let mut lengths = format!("{} bytes", header.content_length);
        if header.padding_length > 0 {
            let _ = write!(lengths, " + {} padding", header.padding_length);
        }
        if entry.meaning == Meaning::StreamEnd {
            lengths.push_str(", end of stream");
        }
        self.pad(text, self.tint_of(entry.side), &name, 28, "");
        let _ = write!(text, "{id:<9}{lengths:<32}");
        text.push_str(&self.tinted(Tint::Quiet, entry.clause()));
        text.push('\n');
    }

    /// A coloured word that fills its column, and what stands behind it if the line ends there.
    fn pad(&self, text: &mut String, tint: Tint, word: &str, width: usize, last: &str) {
        text.push_str(&self.tinted(tint, word));
        text.extend(std::iter::repeat_n(' ', width.saturating_sub(word.chars().count())));
        if !last.is_empty() {
            text.push_str(&self.tinted(Tint::Quiet, last));
            text.push('\n');
        }
    }

    fn line(&self, text: &mut String, line: &str) {
        let _ = writeln!(text, "{INDENT}{} {line}", self.tinted(Tint::Quiet, "│"));
    }

    fn body(&self, entry: &Entry) -> Vec<String> {
        match &entry.meaning {
            Meaning::Begin { begin, flags } => begin_lines(begin, *flags),
            Meaning::End(end) => end_lines(end),
            Meaning::Pairs(pairs) => {
                let names: Vec<String> = pairs.iter().map(|pair| shown::line(&pair.name, MAX_NAME)).collect();
                let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).min(MAX_NAME_COLUMN);
                let row = |(name, value)| format!("{name:<width$} = {value}").trim_end().to_owned();
                let values = pairs.iter().map(|pair| shown::line(&pair.value, self.max_content_bytes));
                names.into_iter().zip(values).map(row).collect()
            }
            Meaning::UnknownType(kind) => vec![format!("type {} is not understood", kind.0)],
            Meaning::Stream(content) | Meaning::Opaque(content) | Meaning::Cut(content) | Meaning::Garbage(content) => {
                shown::lines(content, self.max_content_bytes)
            }
            Meaning::Abort | Meaning::StreamEnd => Vec::new(),
        }
    }

    fn tinted(&self, tint: Tint, text: &str) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", tint.parameters()) } else { text.to_owned() }
    }
}

/// Milliseconds, to be read down a column.
fn time(since: Duration) -> String {
    format!("{:>7.2} ms", since.as_secs_f64() * 1000.0)
}

fn begin_lines(begin: &BeginRequest, flags: u8) -> Vec<String> {
    let role = match begin.role {
        known @ (Role::RESPONDER | Role::AUTHORIZER | Role::FILTER) => format!("role {known} ({})", known.0),
        Role(other) => format!("role {other}, which nobody has defined"),
    };
    let kept = match begin.keep_connection {
        true => ", FCGI_KEEP_CONN: the gateway closes the connection",
        false => ": the worker closes the connection after its answer",
    };
    vec![role, format!("flags {flags}{kept}")]
}

fn end_lines(end: &EndRequest) -> Vec<String> {
    let status = match end.protocol_status {
        ProtocolStatus(number @ 0..=3) => format!("{number}, FCGI_{}", end.protocol_status),
        ProtocolStatus(number) => format!("{number}, which nobody has defined"),
    };
    vec![format!("appStatus {}", end.app_status), format!("protocolStatus {status}")]
}
