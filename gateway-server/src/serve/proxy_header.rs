//! Reading the PROXY header of a new connection, if its peer may send one.
//!
//! Holds the reading, which takes not one byte of what follows. Does not hold the header's form ([`crate::proxy_protocol`]), or who is
//! believed (`trusted`).

use super::trusted::TrustedProxies;
use crate::proxy_protocol::{Decoded, Header, HeaderError, decode};
use gateway_fastcgi::net::{Peer, Stream};
use std::io;

/// Why a connection that should begin with a PROXY header was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyError {
    #[error("this peer is not among those whose PROXY header is believed")]
    Stranger,
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("connection ended within the PROXY header: {0}")]
    Io(#[from] io::Error),
}

/// Reads the header; gives the client that it names, or the proxy itself if it names none.
pub(super) async fn read_header(trusted: &TrustedProxies, stream: &Stream, peer: Peer) -> Result<Peer, ProxyError> {
    if !trusted.include(peer) {
        return Err(ProxyError::Stranger);
    }
    let mut bytes = Vec::new();
    loop {
        let missing = match decode(&bytes)? {
            Decoded::Header(Header::Client(ends)) => return Ok(Peer::Tcp(ends.source)),
            Decoded::Header(Header::Nobody) => return Ok(peer),
            Decoded::NeedMore(missing) => missing,
        };
        // The decoder asks for no more than a header may have.
        let have = bytes.len();
        bytes.resize(have + missing, 0);
        let read = stream.read(bytes.get_mut(have..).unwrap_or_default()).await?;
        if read == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        bytes.truncate(have + read);
    }
}
