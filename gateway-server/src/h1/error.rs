//! What a peer did wrong, and the answer it gets.
//!
//! Holds the request's errors; each knows its status and its clause. After any of them the connection is closed: there is
//! no way to tell where the next message would begin (HTTP-114).

use http::StatusCode;

/// A request that breaks a rule of RFC 9112 or RFC 9110. Always the peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The request line has not the shape `method SP target SP version CRLF`.
    #[error("request line is malformed")]
    RequestLine,
    /// More empty lines before the request line than we put up with.
    #[error("more than {limit} empty lines before the request line")]
    EmptyLines {
        /// How many are let pass.
        limit: usize,
    },
    /// A line does not end with CRLF, or a CR stands alone.
    #[error("line does not end with CRLF")]
    LineEnd,
    /// The version is of a form or a number that we do not speak.
    #[error("HTTP version is not 1.0 or 1.1")]
    Version,
    /// The method is longer than any we know.
    #[error("method is longer than {limit} bytes")]
    MethodTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// CONNECT asks for a tunnel; this is an origin server.
    #[error("CONNECT is not offered")]
    Connect,
    /// The target is longer than the limit.
    #[error("request target is longer than {limit} bytes")]
    TargetTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The target is in none of the four forms, or not in the one its method asks for.
    #[error("request target is malformed")]
    Target,
    /// The target names a scheme that this connection cannot speak for.
    #[error("request target is not for this scheme")]
    Scheme,
    /// A field name is no token, has white space before its colon, or has no colon; or the line is folded.
    #[error("field name is malformed")]
    FieldName,
    /// A field value holds a control character.
    #[error("field value is malformed")]
    FieldValue,
    /// The head did not end within the limit.
    #[error("request head is longer than {limit} bytes")]
    HeadTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The head has more fields than the limit.
    #[error("request head has more than {limit} fields")]
    TooManyFields {
        /// The limit.
        limit: usize,
    },
    /// HTTP/1.1 without a Host field.
    #[error("Host field is missing")]
    HostMissing,
    /// More than one Host field.
    #[error("Host field is repeated")]
    HostRepeated,
    /// A Host value that is no `uri-host [":" port]`.
    #[error("Host field is malformed")]
    Host,
    /// Content-Length and Transfer-Encoding in one message.
    #[error("both Content-Length and Transfer-Encoding are present")]
    LengthAndCoding,
    /// A Content-Length that is no decimal number.
    #[error("Content-Length is no number")]
    Length,
    /// More than one Content-Length, even if equal.
    #[error("Content-Length is repeated")]
    LengthRepeated,
    /// A transfer coding other than chunked before the final chunked.
    #[error("transfer coding is not implemented")]
    CodingUnknown,
    /// Transfer-Encoding whose final coding is not chunked, or that is malformed.
    #[error("Transfer-Encoding does not end with one plain `chunked`")]
    Coding,
    /// Transfer-Encoding in an HTTP/1.0 request.
    #[error("Transfer-Encoding in an HTTP/1.0 request")]
    CodingInOldVersion,
    /// An expectation other than `100-continue`.
    #[error("expectation is not `100-continue`")]
    Expectation,
    /// A body without a length, where one is wanted.
    #[error("request body does not tell its length")]
    LengthRequired,
    /// The body is longer than the limit.
    #[error("request body is longer than {limit} bytes")]
    BodyTooLong {
        /// The limit in bytes.
        limit: u64,
    },
    /// A chunk-size is no hexadecimal number, or too large.
    #[error("chunk size is malformed")]
    ChunkSize,
    /// A chunk extension holds a control character.
    #[error("chunk extension is malformed")]
    ChunkExtension,
    /// The chunk extensions are longer than the limit.
    #[error("chunk extensions are longer than {limit} bytes")]
    ChunkExtensionTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A chunk-size line or chunk data does not end with CRLF.
    #[error("chunk does not end with CRLF")]
    ChunkEnd,
    /// A trailer field is malformed.
    #[error("trailer field is malformed")]
    Trailer,
    /// The trailer section is longer than the limit.
    #[error("trailer section is longer than {limit} bytes")]
    TrailerTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The peer stopped sending in the middle of a head.
    #[error("connection ended within the request head")]
    HeadIncomplete,
    /// The peer stopped sending in the middle of a body.
    #[error("connection ended within the request body")]
    BodyIncomplete,
}

impl RequestError {
    /// The status that answers it. The connection is closed afterwards.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::MethodTooLong { .. } | Self::Connect | Self::CodingUnknown => StatusCode::NOT_IMPLEMENTED,
            Self::TargetTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::Scheme => StatusCode::MISDIRECTED_REQUEST,
            Self::HeadTooLong { .. } | Self::TooManyFields { .. } | Self::TrailerTooLong { .. } => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            Self::LengthRequired => StatusCode::LENGTH_REQUIRED,
            Self::BodyTooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The clause that it breaks, with the requirement's id.
    pub fn clause(&self) -> &'static str {
        match self {
            Self::RequestLine => "RFC 9112 §3 (HTTP-20)",
            Self::EmptyLines { .. } => "RFC 9112 §2.2 (HTTP-5)",
            Self::LineEnd => "RFC 9112 §2.2 (HTTP-2, HTTP-3)",
            Self::Version => "RFC 9112 §2.3 (HTTP-9, HTTP-12)",
            Self::MethodTooLong { .. } => "RFC 9112 §3 (HTTP-21)",
            Self::Connect => "RFC 9110 §9.3.6 (HTTP-33)",
            Self::TargetTooLong { .. } => "RFC 9112 §3 (HTTP-22)",
            Self::Target => "RFC 9112 §3.2 (HTTP-24, HTTP-31, HTTP-37)",
            Self::Scheme => "RFC 9110 §7.4 (HTTP-49)",
            Self::FieldName => "RFC 9112 §5.1 (HTTP-55, HTTP-56, HTTP-60)",
            Self::FieldValue => "RFC 9110 §5.5 (HTTP-58)",
            Self::HeadTooLong { .. } | Self::TooManyFields { .. } => "RFC 6585 §5 (HTTP-65)",
            Self::HostMissing => "RFC 9112 §3.2 (HTTP-45)",
            Self::HostRepeated | Self::Host => "RFC 9112 §3.2 (HTTP-46)",
            Self::LengthAndCoding => "RFC 9112 §6.1 (HTTP-77)",
            Self::Length | Self::LengthRepeated => "RFC 9112 §6.3 (HTTP-84)",
            Self::CodingUnknown => "RFC 9112 §6.1 (HTTP-80)",
            Self::Coding => "RFC 9112 §6.3 (HTTP-79)",
            Self::CodingInOldVersion => "RFC 9112 §6.1 (HTTP-81)",
            Self::Expectation => "RFC 9110 §10.1.1 (HTTP-126)",
            Self::LengthRequired => "RFC 9110 §15.5.12 (HTTP-88)",
            Self::BodyTooLong { .. } => "RFC 9110 §15.5.14 (HTTP-98)",
            Self::ChunkSize => "RFC 9112 §7.1 (HTTP-85, HTTP-91)",
            Self::ChunkExtension => "RFC 9112 §7.1.1 (HTTP-94)",
            Self::ChunkExtensionTooLong { .. } => "RFC 9112 §7.1.1 (HTTP-93)",
            Self::ChunkEnd => "RFC 9112 §7.1 (HTTP-90)",
            Self::Trailer | Self::TrailerTooLong { .. } => "RFC 9112 §7.1.2 (HTTP-96)",
            Self::HeadIncomplete => "RFC 9112 §8",
            Self::BodyIncomplete => "RFC 9112 §8 (HTTP-86, HTTP-97)",
        }
    }
}
