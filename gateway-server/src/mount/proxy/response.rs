//! The head of an answer on its way back (RFC 9110 §7.6.1).
//!
//! Holds what is passed on to the client and what is refused. Does not hold the body.

use gateway_spec::exchange::is_hop_by_hop;
use gateway_spec::{HeaderName, Headers};
use http::{HeaderMap, Response, StatusCode, header};

/// Status and fields for the client; the length is the body's to tell, but for answers that have none.
///
/// # Errors
/// What is wrong with the answer.
pub(super) fn fields<B>(response: &Response<B>, has_body: bool) -> Result<Headers, String> {
    let status = response.status();
    let is_switch = status == StatusCode::SWITCHING_PROTOCOLS;
    if !is_switch && !(200..=599).contains(&status.as_u16()) {
        return Err(format!("its status is {}", status.as_u16()));
    }
    let came = response.headers();
    check_coding(came)?;
    let mut fields = Headers::with_capacity(came.len());
    for (name, value) in came {
        // `Status` is what some frameworks say in CGI's manner; the status line has said it.
        let is_ours = is_hop_by_hop(name) || is_named_in_connection(came, name) || name == "status";
        // HTTP-131: 426 names what it asks for.
        let is_ours = is_ours && !(status == StatusCode::UPGRADE_REQUIRED && *name == header::UPGRADE);
        if !is_ours && name != header::CONTENT_LENGTH {
            fields.push(name.clone(), value.clone());
        }
    }
    // HTTP-144: what GET would have had.
    let length = came.get(header::CONTENT_LENGTH).filter(|length| length.as_bytes().iter().all(u8::is_ascii_digit));
    if let Some(length) = length.filter(|_| !has_body && !is_switch) {
        fields.push(header::CONTENT_LENGTH, length.clone());
    }
    Ok(fields)
}

/// The fields of an interim answer, without those about the connection.
pub(super) fn interim_fields(came: &HeaderMap) -> Headers {
    let passed = came.iter().filter(|(name, _)| !is_hop_by_hop(name) && !is_named_in_connection(came, name));
    passed.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// hyper undoes chunked and nothing else: with another coding below it the client would be given what it cannot read.
fn check_coding(fields: &HeaderMap) -> Result<(), String> {
    let mut codings = fields.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err("its Transfer-Encoding is not chunked alone".to_owned()),
    }
}

/// HTTP-175: the upstream says what is about the connection.
fn is_named_in_connection(fields: &HeaderMap, name: &HeaderName) -> bool {
    // HTTP-176: what clients decide by cannot be hidden that way.
    if *name == header::SET_COOKIE || *name == header::CONTENT_TYPE || *name == header::CONTENT_ENCODING {
        return false;
    }
    let options = fields.get_all(header::CONNECTION).iter().flat_map(|value| value.as_bytes().split(|b| *b == b','));
    options.map(<[u8]>::trim_ascii).any(|option| option.eq_ignore_ascii_case(name.as_str().as_bytes()))
}
