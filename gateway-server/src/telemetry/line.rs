//! One line of the access log, in each of its forms.
//!
//! Holds the writing, and what stands in each field. Does not hold where the facts come from (`record`), how foreign text is escaped
//! (`text`), or where lines go (`access_log`).

use std::io::Write as _;
use std::time::Duration;

use super::clock::Clock;
use super::field::AccessField;
use super::format::{AccessFormat, Form};
use super::record::{Known, Record, Text};
use super::text;

impl AccessFormat {
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

/// What a field is, for those who write it.
enum Value<'a> {
    /// Foreign text; `None` where there is nothing.
    Text(Option<&'a [u8]>),
    Number(u64),
    Time(Option<Duration>),
    /// A text of ours.
    Word(&'a str),
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
            let text = field.texts().first().map(|text| record.text(*text)).unwrap_or_default();
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
