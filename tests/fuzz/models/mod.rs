//! Other readers of HTTP/1.1 requests, to compare ours with.
//!
//! [`strict`] is a model of the whole of what we take: it must agree with our machine on every input. [`reference`] takes
//! what RFC 9112 lets a server take: whatever our machine takes it must take as the same. Both read a whole stream at once,
//! share no code with ours, and have no limits but those that decide what is taken.

pub mod machine;
pub mod reference;
pub mod strict;

/// What a stream of bytes is to a reader, up to its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// The requests, those with a broken body included.
    pub requests: Vec<Request>,
    /// How it ended.
    pub end: End,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// As it stands in the request line.
    pub method: Vec<u8>,
    /// As it stands in the request line.
    pub target: Vec<u8>,
    /// Names and values, without the white space around the values.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// The decoded body, if it came whole.
    pub body: Option<Vec<u8>>,
}

/// Why no more requests come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum End {
    /// The stream ended between two requests.
    #[default]
    Clean,
    /// The last request asked for the connection to be closed.
    Asked,
    /// What follows is no request, or not a whole one.
    Refused,
}

/// Our machine's reading of a stream, compared with both models'.
///
/// # Panics
/// If they differ where they must agree.
pub fn compare<'a>(stream: &[u8], pieces: impl IntoIterator<Item = &'a [u8]>) {
    let ours = machine::read(pieces);
    assert_eq!(ours, strict::read(stream), "the strict model");
    let lax = reference::read(stream);
    // The lax reader may go on where we stop; of what we took whole it must have taken the same.
    let whole = ours.requests.iter().filter(|request| request.body.is_some()).count();
    assert_eq!(ours.requests.get(..whole), lax.requests.get(..whole), "the reference framing");
    if ours.end != End::Refused {
        assert_eq!(ours, lax, "the reference framing");
    }
}
