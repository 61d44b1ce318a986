//! What can be wrong with a program's header block.
//!
//! Every one of these is the program's fault and means the same to the client: 502 (RFC 9110 §15.6.3).

use http::StatusCode;

/// A header block that breaks RFC 3875 §6; lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The program ended without a byte of output (CGI-100).
    #[error("the program wrote nothing")]
    Empty,
    /// The output ended before the blank line that ends the block (CGI-104).
    #[error("the output ended inside the header block, after {received} bytes")]
    Truncated {
        /// How many bytes had come.
        received: usize,
    },
    /// The block is longer than the limit (CGI-183).
    #[error("the header block is longer than {limit} bytes")]
    TooLong {
        /// The limit, see [`Limits::max_head_bytes`](super::Limits::max_head_bytes).
        limit: usize,
    },
    /// The block has more fields than the limit (CGI-183).
    #[error("the header block has more than {limit} fields")]
    TooManyFields {
        /// The limit, see [`Limits::max_fields`](super::Limits::max_fields).
        limit: usize,
    },
    /// The first line is an HTTP status line, but the program is not marked as NPH (CGI-95).
    #[error("the output starts with an HTTP status line instead of header fields")]
    StatusLine,
    /// The output of a program that is marked as NPH does not start with an HTTP status line (CGI-91).
    #[error("the output does not start with an HTTP status line, but the program is marked as NPH")]
    NoStatusLine,
    /// A line starts with a space or tab: a continuation, which RFC 3875 §6.3 forbids (CGI-122).
    #[error("line {line} is a continuation line")]
    Folded {
        /// The line.
        line: usize,
    },
    /// A line has no colon; often a message that was printed before the header block.
    #[error("line {line} has no colon: \"{start}\"")]
    NoColon {
        /// The line.
        line: usize,
        /// How it starts, escaped and cut short.
        start: String,
    },
    /// A field name is empty or holds a byte that no token has, such as a space before the colon (CGI-121).
    #[error("the field name on line {line} is no token: \"{start}\"")]
    Name {
        /// The line.
        line: usize,
        /// How the name starts, escaped and cut short.
        start: String,
    },
    /// A field value holds a control byte: NUL, a lone CR, or another below 0x20 (CGI-181).
    #[error("the field value on line {line} holds the control byte {byte:#04x}")]
    Value {
        /// The line.
        line: usize,
        /// The byte.
        byte: u8,
    },
    /// `Status`, `Content-Type`, `Location` or `Content-Length` is there twice (CGI-120).
    #[error("line {line} repeats {field}")]
    Duplicate {
        /// The line of the second one.
        line: usize,
        /// The field.
        field: &'static str,
    },
    /// The value of `Status`, or the status line of an NPH program, is malformed: the code is not three digits, or a reason
    /// follows without a space (CGI-127, CGI-91).
    #[error("the status on line {line} is malformed: \"{start}\"")]
    Status {
        /// The line.
        line: usize,
        /// How the value starts, escaped and cut short.
        start: String,
    },
    /// The status is no final response: outside 200–599 (CGI-182).
    #[error("the status {code} is not between 200 and 599")]
    StatusRange {
        /// The code.
        code: u16,
    },
    /// `Location` without a `Status` is neither an absolute path nor an absolute URI (CGI-126, CGI-114).
    #[error("the location is neither a local path nor an absolute URI: \"{start}\"")]
    Location {
        /// How the value starts, escaped and cut short.
        start: String,
    },
    /// The value of `Content-Length` is no decimal number of bytes.
    #[error("the content length on line {line} is no number: \"{start}\"")]
    ContentLength {
        /// The line.
        line: usize,
        /// How the value starts, escaped and cut short.
        start: String,
    },
    /// The program sent `Transfer-Encoding`: framing belongs to the gateway (CGI-130).
    #[error("line {line} is a Transfer-Encoding field")]
    TransferEncoding {
        /// The line.
        line: usize,
    },
    /// None of `Content-Type`, `Location` and `Status` is there (CGI-120).
    #[error("the header block has neither Content-Type nor Location nor Status")]
    NoCgiField,
}

impl HeadError {
    /// The status that a gateway answers with: always 502 Bad Gateway.
    ///
    /// RFC 3875 is silent here; RFC 9110 §15.6.3 names 502 for an invalid response from an inbound server.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::BAD_GATEWAY
    }

    /// The clause of RFC 3875 that is broken, or of the text that made us refuse.
    #[must_use]
    pub fn clause(&self) -> &'static str {
        match self {
            Self::Empty => "RFC 3875 §6.1",
            Self::Truncated { .. } => "RFC 3875 §6.2",
            Self::TooLong { .. } | Self::TooManyFields { .. } => "RFC 3875 §9.6",
            Self::StatusLine => "RFC 3875 §5.1",
            Self::NoStatusLine => "RFC 3875 §5.2",
            Self::Folded { .. }
            | Self::NoColon { .. }
            | Self::Name { .. }
            | Self::Duplicate { .. }
            | Self::NoCgiField => "RFC 3875 §6.3",
            Self::Value { .. } => "RFC 9110 §5.5",
            Self::Status { .. } => "RFC 3875 §6.3.3",
            Self::StatusRange { .. } => "RFC 9110 §15",
            Self::Location { .. } => "RFC 3875 §6.3.2",
            Self::ContentLength { .. } => "RFC 9110 §8.6",
            Self::TransferEncoding { .. } => "RFC 3875 §6.3.4",
        }
    }
}

/// Foreign bytes as they may stand in a message: escaped, at most 32 of them.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    bytes.iter().take(32).flat_map(|byte| byte.escape_ascii()).map(char::from).collect()
}
