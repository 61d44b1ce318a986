//! An open file as an answer: status, fields and which bytes.
//!
//! Holds what is the same for a file of a folder and for one that a program names (X-Sendfile). Does not hold how the file
//! was found, nor its type: those fields come with it.

use std::fs::{File, Metadata};
use std::time::SystemTime;

use gateway_spec::{AsyncResponse, BodyStream, FilePart, Headers, StatusCode};

use super::conditions::{Asked, Method, Validators, Verdict};
use super::ranges::{Wanted, wanted};

/// Answers with a regular file, to what was asked. `fields` are those that describe it, its type above all; validators,
/// length and ranges are added here.
pub(in crate::mount) fn answer(file: File, metadata: &Metadata, mut fields: Headers, asked: &Asked) -> AsyncResponse {
    let size = metadata.len();
    let validators = Validators::of(size, metadata.modified().ok(), SystemTime::now());
    let verdict = asked.verdict(&validators);
    if verdict == Verdict::Failed {
        return plain(StatusCode::PRECONDITION_FAILED, Headers::new());
    }
    fields.remove("content-length");
    set(&mut fields, "etag", validators.etag());
    set(&mut fields, "last-modified", validators.last_modified());
    if verdict == Verdict::Known {
        return not_modified(fields);
    }
    fields.set("accept-ranges", "bytes");
    let range = asked.range(&validators).map_or(Wanted::Whole, |range| wanted(range, size));
    let (status, first, length) = match range {
        Wanted::Whole => (StatusCode::OK, 0, size),
        Wanted::Part { first, length } => {
            fields.set("content-range", format!("bytes {first}-{}/{size}", first + length - 1));
            (StatusCode::PARTIAL_CONTENT, first, length)
        }
        Wanted::Unsatisfiable => {
            let mut fields = Headers::new();
            fields.append("content-range", format!("bytes */{size}"));
            return plain(StatusCode::RANGE_NOT_SATISFIABLE, fields);
        }
    };
    fields.append("content-length", length);
    // HTTP-143: the answer to HEAD has the length, and no body to take it from.
    let body = match asked.method {
        Method::Head => BodyStream::empty(),
        Method::Get | Method::Other => BodyStream::file(FilePart::new(file, first, length)),
    };
    AsyncResponse::new(status, fields, body)
}

/// HTTP-200: what a cache is to know again, and nothing that describes a body which is not there.
fn not_modified(mut fields: Headers) -> AsyncResponse {
    const OF_THE_BODY: [&str; 5] =
        ["content-type", "content-encoding", "content-language", "content-disposition", "accept-ranges"];
    OF_THE_BODY.iter().for_each(|name| {
        fields.remove(name);
    });
    if fields.contains("etag") {
        fields.remove("last-modified");
    }
    AsyncResponse::new(StatusCode::NOT_MODIFIED, fields, BodyStream::empty())
}

/// A status with its words (HTTP-155).
pub(in crate::mount) fn plain(status: StatusCode, mut fields: Headers) -> AsyncResponse {
    fields.append("content-type", "text/plain");
    AsyncResponse::new(status, fields, format!("{status}\n"))
}

fn set(fields: &mut Headers, name: &'static str, value: Option<String>) {
    fields.remove(name);
    if let Some(value) = value {
        fields.append(name, value);
    }
}
