//! A Filter: answers with the gateway's file, its lines numbered.
//!
//! The answer says when the file was last changed, so a client that has it already is answered without the file being read.

use std::time::{SystemTime, UNIX_EPOCH};

use gateway_fastcgi::worker::FilterData;
use gateway_spec::{AppError, Body, Bytes, Environ, Input, StartResponse, StatusCode, headers};

/// The longest line that is numbered, in bytes; longer ones are an error.
const MAX_LINE: usize = 64 * 1024;

/// Answers one request.
///
/// # Errors
/// When the file is cut short, or holds a line that is too long.
///
/// # Examples
/// ```
/// use gateway_examples::numbered;
/// use gateway_fastcgi::worker::{Filter, FilterData};
/// use gateway_spec::{Environ, Event, Exchange};
///
/// let mut environ = Environ::example("GET", "/poem.txt");
/// FilterData::new("one\ntwo\n".into(), None).attach(&mut environ);
/// let mut exchange = Exchange::call(&numbered::filter.into_application(), environ);
/// assert!(matches!(exchange.next(), Event::Head(_)));
/// assert!(matches!(exchange.next(), Event::Chunk(line) if line == "1  one\n"));
/// ```
pub fn filter(environ: Environ, data: FilterData, start_response: StartResponse) -> Result<Body, AppError> {
    let tag = data.last_modified.and_then(tag_of);
    if let Some(tag) = &tag
        && environ.header("if-none-match").is_some_and(|known| known == tag.as_bytes())
    {
        start_response(StatusCode::NOT_MODIFIED, headers!["etag" => tag.clone()])?;
        return Ok(Body::empty());
    }
    let mut headers = headers!["content-type" => "text/plain; charset=utf-8"];
    if let Some(tag) = tag {
        headers.append("etag", tag);
    }
    start_response(StatusCode::OK, headers)?;
    Ok(Body::iter(numbered(data.file)))
}

fn numbered(mut file: Input) -> impl Iterator<Item = Result<Bytes, AppError>> + Send {
    let mut number = 0_u64;
    std::iter::from_fn(move || match file.line(MAX_LINE + 1) {
        Ok(line) if line.is_empty() => None,
        Ok(line) if line.len() > MAX_LINE => Some(Err(format!("a line is longer than {MAX_LINE} bytes").into())),
        Ok(line) => {
            number += 1;
            Some(Ok([format!("{number}  ").as_bytes(), &line].concat().into()))
        }
        Err(error) => Some(Err(error.into())),
    })
}

/// An entity tag that changes with the file.
fn tag_of(changed: SystemTime) -> Option<String> {
    Some(format!("\"{}\"", changed.duration_since(UNIX_EPOCH).ok()?.as_secs()))
}
