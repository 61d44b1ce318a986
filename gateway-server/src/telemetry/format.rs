//! What a line of the access log looks like.
//!
//! Holds the fields, the forms, their spelling, and the writing of one line. Does not hold where the facts come from (`record`) or where lines go
//! (`access_log`).

use std::fmt;
use std::io::Write as _;
use std::str::FromStr;
use std::time::Duration;

use super::clock::Clock;
use super::record::{Known, Record, Text};
use super::text;

/// A field of the access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessField {
    /// When the request began, in UTC.
    Time,
    /// The client's address.
    RemoteAddr,
    /// Whom the client is known to be.
    RemoteUser,
    /// The request line.
    Request,
    /// The method.
    Method,
    /// The target as it came, query included.
    Target,
    /// The path, decoded, without the query.
    Path,
    /// The version of HTTP.
    Protocol,
    /// `http` or `https`.
    Scheme,
    /// The Host field.
    Host,
    /// The status of the answer; none if the client got none.
    Status,
    /// Bytes of the answer's body.
    Bytes,
    /// The Referer field.
    Referer,
    /// The User-Agent field.
    UserAgent,
    /// The id of the request, see [`RequestId`](super::RequestId).
    RequestId,
    /// The prefix of the mount that answered; empty at the root.
    Mount,
    /// From the parsed head to the end of the answer, in milliseconds.
    Duration,
    /// Waited for a place to be called at, in milliseconds.
    Queue,
    /// From the call to the end of the answer, in milliseconds.
    App,
    /// Who answered behind us: an address, or the file of a program.
    Upstream,
    /// From asking that one to the head of its answer, in milliseconds.
    UpstreamTime,
    /// How it ended: `complete`, `aborted`, `gone` or `refused`.
    Ending,
}

impl AccessField {
    /// Every field, with its name.
    pub const ALL: [(AccessField, &'static str); 22] = [
        (Self::Time, "time"),
        (Self::RequestId, "request_id"),
        (Self::RemoteAddr, "remote_addr"),
        (Self::RemoteUser, "remote_user"),
        (Self::Request, "request"),
        (Self::Method, "method"),
        (Self::Target, "target"),
        (Self::Path, "path"),
        (Self::Protocol, "protocol"),
        (Self::Scheme, "scheme"),
        (Self::Host, "host"),
        (Self::Status, "status"),
        (Self::Bytes, "bytes"),
        (Self::Referer, "referer"),
        (Self::UserAgent, "user_agent"),
        (Self::Mount, "mount"),
        (Self::Duration, "duration_ms"),
        (Self::Queue, "queue_ms"),
        (Self::App, "app_ms"),
        (Self::Upstream, "upstream"),
        (Self::UpstreamTime, "upstream_ms"),
        (Self::Ending, "ending"),
    ];

    /// As it is written in a format and in a line.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(field, _)| *field == self).map_or("", |(_, name)| name)
    }
}

/// How a request is written: `combined`, `common`, `json`, or fields.
///
/// | spelling | a line is |
/// | --- | --- |
/// | `combined` | that of Apache and nginx, which every tool reads |
/// | `common` | the same without Referer and User-Agent |
/// | `json` | an object with every field but `request`, `path`, `scheme` and `remote_user` |
/// | `json:time,status,bytes` | an object with these |
/// | `time,status,bytes` | `name=value` for each |
///
/// # Examples
/// ```
/// use gateway_server::telemetry::AccessFormat;
///
/// for text in ["combined", "json", "json:time,status", "time,method,path,status,duration_ms"] {
///     assert!(text.parse::<AccessFormat>().is_ok());
/// }
/// assert!("time,statsu".parse::<AccessFormat>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessFormat {
    form: Form,
    fields: Vec<AccessField>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Common,
    Combined,
    Json,
    Pairs,
}

/// A field that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no field {:?}; there are {}", .name, names())]
pub struct UnknownField {
    /// As it was written.
    pub name: String,
}

fn names() -> String {
    AccessField::ALL.map(|(_, name)| name).join(", ")
}

impl FromStr for AccessFormat {
    type Err = UnknownField;

    fn from_str(text: &str) -> Result<Self, UnknownField> {
        use AccessField as F;
        let common = [F::RemoteAddr, F::RemoteUser, F::Time, F::Request, F::Status, F::Bytes];
        let (form, fields) = match text {
            "common" => (Form::Common, common.to_vec()),
            "combined" => (Form::Combined, [&common[..], &[F::Referer, F::UserAgent]].concat()),
            "json" => {
                let left_out = [F::Request, F::Path, F::Scheme, F::RemoteUser];
                let fields = F::ALL.map(|(field, _)| field);
                (Form::Json, fields.into_iter().filter(|field| !left_out.contains(field)).collect())
            }
            _ => match text.strip_prefix("json:") {
                Some(names) => (Form::Json, fields(names)?),
                None => (Form::Pairs, fields(text)?),
            },
        };
        Ok(Self { form, fields })
    }
}

fn fields(names: &str) -> Result<Vec<AccessField>, UnknownField> {
    let known = |name: &str| AccessField::ALL.iter().find(|(_, known)| *known == name).map(|(field, _)| *field);
    let names = names.split(|c: char| c == ',' || c.is_whitespace()).filter(|name| !name.is_empty());
    let fields = names.map(|name| known(name).ok_or_else(|| UnknownField { name: name.to_owned() }));
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    if fields.is_empty() { Err(UnknownField { name: String::new() }) } else { Ok(fields) }
}

impl Default for AccessFormat {
    /// `combined`.
    fn default() -> Self {
        use AccessField as F;
        let fields =
            vec![F::RemoteAddr, F::RemoteUser, F::Time, F::Request, F::Status, F::Bytes, F::Referer, F::UserAgent];
        Self { form: Form::Combined, fields }
    }
}

impl fmt::Display for AccessFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = || self.fields.iter().map(|field| field.name()).collect::<Vec<_>>().join(",");
        match self.form {
            Form::Common => f.write_str("common"),
            Form::Combined => f.write_str("combined"),
            Form::Json => write!(f, "json:{}", names()),
            Form::Pairs => f.write_str(&names()),
        }
    }
}

/// What a field is, for those who write it.
enum Value<'a> {
    /// Foreign text; `None` where there is nothing.
    Text(Option<&'a [u8]>),
    Number(u64),
    Time(Option<Duration>),
    /// A text of ours.
    Word(&'a str),
}

impl AccessFormat {
    /// Whether a line has a field that needs this text.
    pub(super) fn wants(&self, text: Text) -> bool {
        self.fields.iter().any(|field| texts_of(*field).contains(&text))
    }

    /// Whether a line has a field that gateways behind us have to tell.
    pub(super) fn wants_hops(&self) -> bool {
        use AccessField as F;
        self.fields.iter().any(|field| matches!(field, F::Queue | F::App | F::Upstream | F::UpstreamTime))
    }

    /// Writes one line, with its end.
    pub(super) fn write(&self, line: &mut Vec<u8>, clock: &mut Clock, record: &Record<'_>, ended: &Known) {
        match self.form {
            Form::Common | Form::Combined => self.combined(line, clock, record, ended),
            Form::Json => self.json(line, clock, record, ended),
            Form::Pairs => self.pairs(line, clock, record, ended),
        }
        line.push(b'\n');
    }

    fn combined(&self, line: &mut Vec<u8>, clock: &mut Clock, record: &Record<'_>, ended: &Known) {
        text::word(line, record.text(Text::RemoteAddr));
        line.extend_from_slice(b" - ");
        text::word(line, record.text(Text::RemoteUser));
        line.extend_from_slice(b" [");
        line.extend_from_slice(clock.common(record.at()));
        line.extend_from_slice(b"] \"");
        request_line(line, record);
        line.extend_from_slice(b"\" ");
        match ended.status {
            Some(status) => write_number(line, status.into()),
            None => line.push(b'-'),
        }
        line.push(b' ');
        write_number(line, ended.body_bytes);
        if self.form == Form::Combined {
            for text in [Text::Referer, Text::UserAgent] {
                let value = record.text(text);
                line.extend_from_slice(b" \"");
                text::quoted(line, if value.is_empty() { b"-" } else { value });
                line.push(b'"');
            }
        }
    }

    fn json(&self, line: &mut Vec<u8>, clock: &mut Clock, record: &Record<'_>, ended: &Known) {
        for (at, field) in self.fields.iter().enumerate() {
            line.extend_from_slice(if at == 0 { b"{\"" } else { b",\"" });
            line.extend_from_slice(field.name().as_bytes());
            line.extend_from_slice(b"\":");
            match field {
                AccessField::Time => {
                    line.push(b'"');
                    clock.iso(line, record.at());
                    line.push(b'"');
                }
                AccessField::Request => {
                    let mut request = Vec::new();
                    request_line(&mut request, record);
                    text::json(line, &request);
                }
                _ => match value(*field, record, ended) {
                    Value::Text(None) | Value::Time(None) => line.extend_from_slice(b"null"),
                    Value::Text(Some(text)) => text::json(line, text),
                    Value::Number(number) => write_number(line, number),
                    Value::Time(Some(time)) => text::millis(line, time),
                    Value::Word(word) => text::json(line, word.as_bytes()),
                },
            }
        }
        line.push(b'}');
    }

    fn pairs(&self, line: &mut Vec<u8>, clock: &mut Clock, record: &Record<'_>, ended: &Known) {
        for (at, field) in self.fields.iter().enumerate() {
            if at > 0 {
                line.push(b' ');
            }
            line.extend_from_slice(field.name().as_bytes());
            line.push(b'=');
            match field {
                AccessField::Time => clock.iso(line, record.at()),
                AccessField::Request => {
                    line.push(b'"');
                    request_line(line, record);
                    line.push(b'"');
                }
                _ => match value(*field, record, ended) {
                    Value::Text(None) | Value::Time(None) => line.push(b'-'),
                    Value::Text(Some(text)) => text::value(line, text),
                    Value::Number(number) => write_number(line, number),
                    Value::Time(Some(time)) => text::millis(line, time),
                    Value::Word(word) => text::value(line, word.as_bytes()),
                },
            }
        }
    }
}

/// The texts that a field is made of.
fn texts_of(field: AccessField) -> &'static [Text] {
    match field {
        AccessField::RemoteAddr => &[Text::RemoteAddr],
        AccessField::RemoteUser => &[Text::RemoteUser],
        AccessField::Request => &[Text::Method, Text::Target, Text::Protocol],
        AccessField::Method => &[Text::Method],
        AccessField::Target => &[Text::Target],
        AccessField::Path => &[Text::Path],
        AccessField::Protocol => &[Text::Protocol],
        AccessField::Scheme => &[Text::Scheme],
        AccessField::Host => &[Text::Host],
        AccessField::Referer => &[Text::Referer],
        AccessField::UserAgent => &[Text::UserAgent],
        AccessField::Mount => &[Text::Mount],
        AccessField::Time
        | AccessField::Status
        | AccessField::Bytes
        | AccessField::RequestId
        | AccessField::Duration
        | AccessField::Queue
        | AccessField::App
        | AccessField::Upstream
        | AccessField::UpstreamTime
        | AccessField::Ending => &[],
    }
}

fn value<'a>(field: AccessField, record: &'a Record<'_>, ended: &'a Known) -> Value<'a> {
    match field {
        AccessField::Status => ended.status.map_or(Value::Text(None), |status| Value::Number(status.into())),
        AccessField::Bytes => Value::Number(ended.body_bytes),
        AccessField::RequestId => record.id().map_or(Value::Text(None), Value::Word),
        AccessField::Duration => Value::Time(Some(record.duration(ended))),
        AccessField::Queue => Value::Time(record.queue(ended)),
        AccessField::App => Value::Time(record.app(ended)),
        AccessField::Upstream => Value::Text(ended.notes.upstream.as_ref().map(String::as_bytes)),
        AccessField::UpstreamTime => Value::Time(ended.notes.head),
        AccessField::Ending => Value::Word(ended.ending.name()),
        // The mount at the root has an empty prefix, which is not nothing.
        AccessField::Mount if record.is_routed() => Value::Text(Some(record.text(Text::Mount))),
        // Time and request line are written by those who ask.
        _ => {
            let text = texts_of(field).first().map(|text| record.text(*text)).unwrap_or_default();
            Value::Text(Some(text).filter(|text| !text.is_empty()))
        }
    }
}

/// `GET /path HTTP/1.1`, escaped; `-` if nothing came that is one.
fn request_line(line: &mut Vec<u8>, record: &Record<'_>) {
    if record.text(Text::Method).is_empty() {
        return line.push(b'-');
    }
    for (at, text) in [Text::Method, Text::Target, Text::Protocol].into_iter().enumerate() {
        if at > 0 {
            line.push(b' ');
        }
        text::quoted(line, record.text(text));
    }
}

fn write_number(line: &mut Vec<u8>, number: u64) {
    let _ = write!(line, "{number}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_shown_as_they_are_read() {
        for text in ["combined", "common", "json:time,status", "time,request,bytes"] {
            assert_eq!(text.parse::<AccessFormat>().unwrap().to_string(), text);
        }
        assert_eq!("time  status,".parse::<AccessFormat>().unwrap().to_string(), "time,status");
        assert_eq!(AccessFormat::default(), "combined".parse().unwrap());
        let json = "json".parse::<AccessFormat>().unwrap().to_string();
        assert!(json.starts_with("json:time,request_id,") && !json.contains(",path"), "{json}");
    }

    #[test]
    fn a_field_that_there_is_not_is_told_with_those_there_are() {
        for text in ["", "json:", "Combined", "time,statsu", "json:x"] {
            let error = text.parse::<AccessFormat>().unwrap_err().to_string();
            assert!(error.starts_with("there is no field ") && error.contains("status, bytes"), "{text}: {error}");
        }
    }
}
