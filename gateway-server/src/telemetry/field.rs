//! The fields of the access log, with their names.
//!
//! Does not hold how they are put into a format (`format`), or what stands in them (`line`).

use super::record::Text;

/// A field of the access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessField {
    /// When the request began, in UTC.
    Time,
    /// The client's address.
    RemoteAddr,
    /// Whom the client is known to be.
    RemoteUser,
    /// The request line.
    Request,
    /// The method.
    Method,
    /// The target as it came, query included.
    Target,
    /// The path, decoded, without the query.
    Path,
    /// The version of HTTP.
    Protocol,
    /// `http` or `https`.
    Scheme,
    /// The Host field.
    Host,
    /// The status of the answer; none if the client got none.
    Status,
    /// Bytes of the answer's body.
    Bytes,
    /// The Referer field.
    Referer,
    /// The User-Agent field.
    UserAgent,
    /// The id of the request, see [`RequestId`](super::RequestId).
    RequestId,
    /// The prefix of the mount that answered; empty at the root.
    Mount,
    /// From the parsed head to the end of the answer, in milliseconds.
    Duration,
    /// Waited for a place to be called at, in milliseconds.
    Queue,
    /// From the call to the end of the answer, in milliseconds.
    App,
    /// Who answered behind us: an address, or the file of a program.
    Upstream,
    /// From asking that one to the head of its answer, in milliseconds.
    UpstreamTime,
    /// How it ended: `complete`, `aborted`, `gone` or `refused`.
    Ending,
}

impl AccessField {
    /// Every field, with its name.
    pub const ALL: [(AccessField, &'static str); 22] = [
        (Self::Time, "time"),
        (Self::RequestId, "request_id"),
        (Self::RemoteAddr, "remote_addr"),
        (Self::RemoteUser, "remote_user"),
        (Self::Request, "request"),
        (Self::Method, "method"),
        (Self::Target, "target"),
        (Self::Path, "path"),
        (Self::Protocol, "protocol"),
        (Self::Scheme, "scheme"),
        (Self::Host, "host"),
        (Self::Status, "status"),
        (Self::Bytes, "bytes"),
        (Self::Referer, "referer"),
        (Self::UserAgent, "user_agent"),
        (Self::Mount, "mount"),
        (Self::Duration, "duration_ms"),
        (Self::Queue, "queue_ms"),
        (Self::App, "app_ms"),
        (Self::Upstream, "upstream"),
        (Self::UpstreamTime, "upstream_ms"),
        (Self::Ending, "ending"),
    ];

    /// As it is written in a format and in a line.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(field, _)| *field == self).map_or("", |(_, name)| name)
    }

    /// The field of a name, as it stands in a format.
    pub(super) fn named(name: &str) -> Result<Self, UnknownField> {
        let known = Self::ALL.iter().find(|(_, known)| *known == name);
        known.map(|(field, _)| *field).ok_or_else(|| UnknownField { name: name.to_owned() })
    }

    /// The texts that a field is made of.
    pub(super) fn texts(self) -> &'static [Text] {
        match self {
            Self::RemoteAddr => &[Text::RemoteAddr],
            Self::RemoteUser => &[Text::RemoteUser],
            Self::Request => &[Text::Method, Text::Target, Text::Protocol],
            Self::Method => &[Text::Method],
            Self::Target => &[Text::Target],
            Self::Path => &[Text::Path],
            Self::Protocol => &[Text::Protocol],
            Self::Scheme => &[Text::Scheme],
            Self::Host => &[Text::Host],
            Self::Referer => &[Text::Referer],
            Self::UserAgent => &[Text::UserAgent],
            Self::Mount => &[Text::Mount],
            Self::Time
            | Self::Status
            | Self::Bytes
            | Self::RequestId
            | Self::Duration
            | Self::Queue
            | Self::App
            | Self::Upstream
            | Self::UpstreamTime
            | Self::Ending => &[],
        }
    }
}

/// A field that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no field {:?}; there are {}", .name, names())]
pub struct UnknownField {
    /// As it was written.
    pub name: String,
}

fn names() -> String {
    AccessField::ALL.map(|(_, name)| name).join(", ")
}
