//! The header of the PROXY protocol, versions 1 and 2: who the client of a proxy in front of us is.
//!
//! Holds the decoding, strict and bounded, and how much of the stream certainly belongs to a header, so that its reader takes not one
//! byte more. Does not hold sockets, or whose headers are believed. The text is "The PROXY protocol" by its author, Willy Tarreau
//! (version 2020/03/05, `proxy-protocol.txt` of HAProxy); `§` are its sections.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The two ends of the connection that the proxy took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The client.
    pub source: SocketAddr,
    /// Where the client connected to.
    pub destination: SocketAddr,
}

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// The connection is for this client.
    Client(Ends),
    /// The proxy speaks for itself, as for a health check (`LOCAL`), or for a client that it has no address of (`UNKNOWN`, UNIX sockets).
    Nobody,
}

/// What has become of the bytes so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded {
    /// A header, of exactly the bytes given.
    Header(Header),
    /// At least so many bytes more belong to it.
    NeedMore(usize),
}

/// A header that breaks the rules. The connection cannot be used: nobody knows where its payload begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// It begins like neither version (§2).
    #[error("the connection does not begin with a PROXY header")]
    Signature,
    /// Version 1: no CRLF within 107 bytes (§2.1).
    #[error("PROXY line is longer than {limit} bytes")]
    LineTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// Version 1: the line is not `PROXY TCP4|TCP6 source destination port port`, or `PROXY UNKNOWN …` (§2.1).
    #[error("PROXY line is malformed")]
    Line,
    /// Version 2: another version than 2, or a command that is neither LOCAL nor PROXY (§2.2).
    #[error("PROXY header has version and command {byte:#04x}")]
    Command {
        /// The byte.
        byte: u8,
    },
    /// Version 2: a family or transport that does not exist (§2.2).
    #[error("PROXY header has family and protocol {byte:#04x}")]
    Family {
        /// The byte.
        byte: u8,
    },
    /// Version 2: shorter than the addresses that its family has (§2.2).
    #[error("PROXY header of {length} bytes has no room for its addresses")]
    TooShort {
        /// Its length in bytes.
        length: usize,
    },
    /// Version 2: longer than the limit.
    #[error("PROXY header is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
}

/// Longest line of version 1, its CRLF included (§2.1).
pub const MAX_LINE_BYTES: usize = 107;

/// Longest header of version 2 that is taken, of the 64 KiB there could be: addresses need 52 bytes, the rest is extensions (§2.2.6), of
/// which a client's certificate is the longest by far, and proxies are not known to send one.
pub const MAX_HEADER_BYTES: usize = 4 << 10;

/// `\r\n\r\n\0\r\nQUIT\n`, which no HTTP client begins with (§2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The fixed part of version 2.
const FIXED: usize = 16;

/// `PROXY UNKNOWN` and CRLF.
const SHORTEST_LINE: usize = 15;

/// Decodes a header from its first bytes.
///
/// # Errors
/// [`HeaderError`], as soon as the bytes cannot become a header any more.
///
/// # Examples
/// ```
/// use gateway_server::proxy_protocol::{Decoded, Header, decode};
///
/// let Decoded::Header(Header::Client(ends)) = decode(b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\n")? else { panic!() };
/// assert_eq!(ends.source.to_string(), "192.0.2.7:5000");
/// assert_eq!(decode(b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r")?, Decoded::NeedMore(1));
/// # Ok::<(), gateway_server::proxy_protocol::HeaderError>(())
/// ```
///
/// Source: "The PROXY protocol" §2.
pub fn decode(bytes: &[u8]) -> Result<Decoded, HeaderError> {
    if bytes.starts_with(SIGNATURE) {
        return binary(bytes);
    }
    if SIGNATURE.starts_with(bytes) {
        return Ok(Decoded::NeedMore(SIGNATURE.len().min(SHORTEST_LINE) - bytes.len()));
    }
    let begins = b"PROXY ";
    let same = bytes.iter().zip(begins).take_while(|(byte, wanted)| byte == wanted).count();
    if same < begins.len().min(bytes.len()) {
        return Err(HeaderError::Signature);
    }
    line(bytes)
}

fn line(bytes: &[u8]) -> Result<Decoded, HeaderError> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    match end {
        Some(at) if at + 1 == bytes.len() && bytes.ends_with(b"\r\n") => {}
        Some(_) => return Err(HeaderError::Line),
        None if bytes.len() >= MAX_LINE_BYTES => return Err(HeaderError::LineTooLong { limit: MAX_LINE_BYTES }),
        None => {
            let missing = if bytes.last() == Some(&b'\r') { 1 } else { 2 };
            let room = MAX_LINE_BYTES - bytes.len();
            return Ok(Decoded::NeedMore(missing.max(SHORTEST_LINE.saturating_sub(bytes.len())).min(room)));
        }
    }
    let text = bytes.strip_suffix(b"\r\n").and_then(|line| std::str::from_utf8(line).ok()).ok_or(HeaderError::Line)?;
    let mut words = text.split(' ').skip(1);
    let family = words.next();
    if family == Some("UNKNOWN") {
        // What follows it is to be passed over (§2.1).
        return Ok(Decoded::Header(Header::Nobody));
    }
    let mut word = || words.next().ok_or(HeaderError::Line);
    let (source, destination, source_port, destination_port) = (word()?, word()?, word()?, word()?);
    if words.next().is_some() {
        return Err(HeaderError::Line);
    }
    let address = |text: &str| -> Option<IpAddr> {
        match family {
            Some("TCP4") => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            Some("TCP6") => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let end = |ip: &str, text: &str| Some(SocketAddr::new(address(ip)?, port(text)?));
    let source = end(source, source_port).ok_or(HeaderError::Line)?;
    let destination = end(destination, destination_port).ok_or(HeaderError::Line)?;
    Ok(Decoded::Header(Header::Client(Ends { source, destination })))
}

/// Decimal, without a sign or leading zeros (§2.1).
fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

fn binary(bytes: &[u8]) -> Result<Decoded, HeaderError> {
    let Some([_, _, _, _, _, _, _, _, _, _, _, _, command, family, high, low]) = bytes.first_chunk::<FIXED>() else {
        return Ok(Decoded::NeedMore(FIXED - bytes.len()));
    };
    if !matches!(command, 0x20 | 0x21) {
        return Err(HeaderError::Command { byte: *command });
    }
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if FIXED + length > MAX_HEADER_BYTES {
        return Err(HeaderError::TooLong { limit: MAX_HEADER_BYTES });
    }
    let rest = bytes.get(FIXED..).unwrap_or_default();
    match length.checked_sub(rest.len()) {
        Some(0) => {}
        Some(missing) => return Ok(Decoded::NeedMore(missing)),
        None => return Err(HeaderError::TooLong { limit: FIXED + length }),
    }
    let too_short = HeaderError::TooShort { length };
    let ends = match family {
        // TCP over IPv4, over IPv6; UDP has the same addresses, but nobody can send us a request over it.
        0x11 => four(rest).ok_or(too_short)?,
        0x21 => six(rest).ok_or(too_short)?,
        0x00 | 0x31 | 0x32 => return Ok(Decoded::Header(Header::Nobody)),
        // LOCAL: the family is to be passed over.
        _ if *command == 0x20 => return Ok(Decoded::Header(Header::Nobody)),
        byte => return Err(HeaderError::Family { byte: *byte }),
    };
    Ok(Decoded::Header(if *command == 0x20 { Header::Nobody } else { Header::Client(ends) }))
}

fn four(bytes: &[u8]) -> Option<Ends> {
    let (source, rest) = bytes.split_first_chunk::<4>()?;
    let (destination, rest) = rest.split_first_chunk::<4>()?;
    ends(Ipv4Addr::from(*source).into(), Ipv4Addr::from(*destination).into(), rest)
}

fn six(bytes: &[u8]) -> Option<Ends> {
    let (source, rest) = bytes.split_first_chunk::<16>()?;
    let (destination, rest) = rest.split_first_chunk::<16>()?;
    ends(Ipv6Addr::from(*source).into(), Ipv6Addr::from(*destination).into(), rest)
}

fn ends(source: IpAddr, destination: IpAddr, ports: &[u8]) -> Option<Ends> {
    let [source_high, source_low, high, low] = ports.first_chunk::<4>()?;
    Some(Ends {
        source: SocketAddr::new(source, u16::from_be_bytes([*source_high, *source_low])),
        destination: SocketAddr::new(destination, u16::from_be_bytes([*high, *low])),
    })
}

#[cfg(test)]
mod tests;
