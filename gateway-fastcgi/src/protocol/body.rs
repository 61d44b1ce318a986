//! The three bodies of fixed size: BEGIN_REQUEST, END_REQUEST, UNKNOWN_TYPE (FastCGI 1.0 §4.2, §5.1, §5.5).
//!
//! Holds eight bytes each, both ways. Does not hold what follows from them.

use super::{ProtocolError, RecordType};
use std::fmt;

/// What the gateway wants of the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Role(pub u16);

impl Role {
    /// FCGI_RESPONDER: does what a CGI program does (§6.2).
    pub const RESPONDER: Self = Self(1);
    /// FCGI_AUTHORIZER: says whether the request is allowed (§6.3).
    pub const AUTHORIZER: Self = Self(2);
    /// FCGI_FILTER: a Responder that also gets a file (§6.4).
    pub const FILTER: Self = Self(3);

    /// Its name, as libfcgi and PHP tell it to programs in FCGI_ROLE; `None` for a role of which §6 says nothing.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::RESPONDER => Some("RESPONDER"),
            Self::AUTHORIZER => Some("AUTHORIZER"),
            Self::FILTER => Some("FILTER"),
            Self(_) => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "role {}", self.0),
        }
    }
}

/// FCGI_KEEP_CONN
const KEEP_CONN: u8 = 1;

/// The body of FCGI_BEGIN_REQUEST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeginRequest {
    /// What is asked for.
    pub role: Role,
    /// FCGI_KEEP_CONN: the application leaves the connection open after the answer.
    pub keep_connection: bool,
}

impl BeginRequest {
    /// Decodes the content of a BEGIN_REQUEST record. Other flag bits are ignored (FCGI-53).
    ///
    /// # Errors
    /// [`ProtocolError::BodyLength`] unless it is 8 bytes long (FCGI-70).
    pub fn decode(content: &[u8]) -> Result<Self, ProtocolError> {
        let [role_high, role_low, flags, ..] = *eight(content, RecordType::BEGIN_REQUEST)?;
        let role = Role(u16::from_be_bytes([role_high, role_low]));
        Ok(Self { role, keep_connection: flags & KEEP_CONN != 0 })
    }

    /// The content of the record.
    pub fn encode(&self) -> [u8; 8] {
        let [role_high, role_low] = self.role.0.to_be_bytes();
        [role_high, role_low, if self.keep_connection { KEEP_CONN } else { 0 }, 0, 0, 0, 0, 0]
    }
}

/// How a request ended, as far as the protocol is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProtocolStatus(pub u8);

impl ProtocolStatus {
    /// FCGI_REQUEST_COMPLETE
    pub const REQUEST_COMPLETE: Self = Self(0);
    /// FCGI_CANT_MPX_CONN: this connection serves one request at a time. The request was not run.
    pub const CANT_MPX_CONN: Self = Self(1);
    /// FCGI_OVERLOADED: out of some resource. The request was not run.
    pub const OVERLOADED: Self = Self(2);
    /// FCGI_UNKNOWN_ROLE: the role is not served here. The request was not run.
    pub const UNKNOWN_ROLE: Self = Self(3);
}

impl fmt::Display for ProtocolStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::REQUEST_COMPLETE => f.write_str("REQUEST_COMPLETE"),
            Self::CANT_MPX_CONN => f.write_str("CANT_MPX_CONN"),
            Self::OVERLOADED => f.write_str("OVERLOADED"),
            Self::UNKNOWN_ROLE => f.write_str("UNKNOWN_ROLE"),
            Self(other) => write!(f, "protocol status {other}"),
        }
    }
}

/// The body of FCGI_END_REQUEST.
///
/// # Examples
/// ```
/// use gateway_fastcgi::protocol::{EndRequest, ProtocolStatus};
///
/// let end = EndRequest { app_status: 938, protocol_status: ProtocolStatus::REQUEST_COMPLETE };
/// assert_eq!(end.encode(), [0, 0, 0x03, 0xaa, 0, 0, 0, 0]);
/// assert_eq!(EndRequest::decode(&end.encode())?, end);
/// # Ok::<(), gateway_fastcgi::protocol::ProtocolError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndRequest {
    /// What a CGI program would have returned as its exit status (FCGI-93).
    pub app_status: u32,
    /// How it ended.
    pub protocol_status: ProtocolStatus,
}

impl EndRequest {
    /// Ended well: REQUEST_COMPLETE, status 0.
    pub const COMPLETE: Self = Self { app_status: 0, protocol_status: ProtocolStatus::REQUEST_COMPLETE };

    /// Decodes the content of an END_REQUEST record.
    ///
    /// # Errors
    /// [`ProtocolError::BodyLength`] unless it is 8 bytes long.
    pub fn decode(content: &[u8]) -> Result<Self, ProtocolError> {
        let [b3, b2, b1, b0, protocol_status, ..] = *eight(content, RecordType::END_REQUEST)?;
        let app_status = u32::from_be_bytes([b3, b2, b1, b0]);
        Ok(Self { app_status, protocol_status: ProtocolStatus(protocol_status) })
    }

    /// The content of the record.
    pub fn encode(&self) -> [u8; 8] {
        let [b3, b2, b1, b0] = self.app_status.to_be_bytes();
        [b3, b2, b1, b0, self.protocol_status.0, 0, 0, 0]
    }
}

/// The body of FCGI_UNKNOWN_TYPE: the management type that was not understood (FCGI-57).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownType(pub RecordType);

impl UnknownType {
    /// Decodes the content of an UNKNOWN_TYPE record.
    ///
    /// # Errors
    /// [`ProtocolError::BodyLength`] unless it is 8 bytes long.
    pub fn decode(content: &[u8]) -> Result<Self, ProtocolError> {
        let [kind, ..] = *eight(content, RecordType::UNKNOWN_TYPE)?;
        Ok(Self(RecordType(kind)))
    }

    /// The content of the record.
    pub fn encode(&self) -> [u8; 8] {
        [self.0.0, 0, 0, 0, 0, 0, 0, 0]
    }
}

fn eight(content: &[u8], kind: RecordType) -> Result<&[u8; 8], ProtocolError> {
    content.try_into().map_err(|_| ProtocolError::BodyLength { kind, length: content.len() })
}
