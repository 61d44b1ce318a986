//! From a request head to an environ (RFC 3875 §4.1), in one pass and two allocations.
//!
//! Holds what the listener knows: the request, the peer, and where a path is cut. The mapping of field names is
//! [`EnvironBuilder::add_header`]'s.

use crate::h1::{RequestHead, TargetForm, split_port};
use gateway_fastcgi::net::Peer;
use gateway_spec::{EnvironBuilder, EnvironTemplate, ErrorStream, Scheme, VariableName};
use std::net::{IpAddr, SocketAddr};

/// Name and version, as SERVER_SOFTWARE and the Server field tell them (CGI-41).
pub const SOFTWARE: &str = concat!("gateway-server/", env!("CARGO_PKG_VERSION"));

const REQUEST_METHOD: VariableName = VariableName::new("REQUEST_METHOD");
const SCRIPT_NAME: VariableName = VariableName::new("SCRIPT_NAME");
const PATH_INFO: VariableName = VariableName::new("PATH_INFO");
const QUERY_STRING: VariableName = VariableName::new("QUERY_STRING");
const REQUEST_URI: VariableName = VariableName::new("REQUEST_URI");
const SERVER_NAME: VariableName = VariableName::new("SERVER_NAME");
const SERVER_PORT: VariableName = VariableName::new("SERVER_PORT");
const SERVER_PROTOCOL: VariableName = VariableName::new("SERVER_PROTOCOL");

/// What is the same for all requests of one connection, in the form the environ wants.
#[derive(Debug)]
pub(crate) struct ConnectionFacts {
    server_address: String,
    has_port: bool,
    secure: bool,
    template: EnvironTemplate,
}

impl ConnectionFacts {
    /// Of a connection from `peer` to `local`, which is no address for a UNIX socket. Diagnostics of its requests go to `errors`.
    pub(crate) fn of(local: Option<SocketAddr>, peer: Peer, errors: ErrorStream) -> Self {
        let server_address = local.map_or_else(
            || "localhost".to_owned(),
            |at| match at.ip().to_canonical() {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            },
        );
        let mut template = EnvironTemplate::default();
        template
            .errors(errors)
            .multithread(true)
            .set("GATEWAY_INTERFACE", "CGI/1.1")
            .set("SERVER_SOFTWARE", SOFTWARE)
            .set("REQUEST_SCHEME", "http")
            // RFC 3875 §4.1.8 demands an address (CGI-32); whoever reaches a UNIX socket is on this machine.
            .set("REMOTE_ADDR", peer.ip().map_or_else(|| "127.0.0.1".to_owned(), |ip| ip.to_string()));
        if let Peer::Tcp(address) = peer {
            template.set("REMOTE_PORT", address.port().to_string());
        }
        if let Some(at) = local {
            // CGI-39: the port that heard the request.
            template.set("SERVER_ADDR", at.ip().to_canonical().to_string()).set("SERVER_PORT", at.port().to_string());
        }
        Self { server_address, has_port: local.is_some(), secure: false, template }
    }

    /// The same under TLS: HTTPS, REQUEST_SCHEME (CGI-51), and what else is known of it.
    #[cfg(feature = "tls")]
    pub(crate) fn secured(mut self, variables: &[(&str, &str)]) -> Self {
        self.secure = true;
        self.template.url_scheme(Scheme::Https).set("HTTPS", "on").set("REQUEST_SCHEME", "https");
        for (name, value) in variables {
            self.template.set(name, value);
        }
        self
    }

    /// The scheme of URLs that lead here.
    pub(crate) fn scheme(&self) -> Scheme {
        if self.secure { Scheme::Https } else { Scheme::Http }
    }
}

/// A request without its fields, by whatever protocol it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a [u8],
    /// As it came.
    pub(crate) target: &'a [u8],
    pub(crate) form: TargetForm,
    pub(crate) path: &'a [u8],
    pub(crate) query: Option<&'a [u8]>,
    /// The host asked for, with its port; empty if there is none.
    pub(crate) host: &'a [u8],
    pub(crate) protocol: &'static str,
    /// How long the head is, and how many fields it has: what the environ will need.
    pub(crate) head_bytes: usize,
    pub(crate) fields: usize,
}

impl<'a> From<&RequestHead<'a>> for Asked<'a> {
    fn from(head: &RequestHead<'a>) -> Self {
        Self {
            method: head.method_bytes(),
            target: head.target(),
            form: head.form(),
            path: head.path(),
            query: head.query(),
            host: head.host(),
            protocol: head.version().as_str(),
            head_bytes: head.bytes_len(),
            fields: head.fields_len(),
        }
    }
}

/// A decoded path, cut where the part ends that leads to the application.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CutPath<'a> {
    pub(crate) script_name: &'a [u8],
    pub(crate) path_info: &'a [u8],
}

/// Starts the environ of a request; its fields are still to be added.
#[inline]
pub(crate) fn environ_builder(asked: &Asked<'_>, facts: &ConnectionFacts, path: &CutPath<'_>) -> EnvironBuilder {
    // The name of a field grows by `HTTP_` and `=` but loses `: ` and CRLF. What follows here is in the head too, or short; the id
    // of the request comes twice.
    let again = path.script_name.len() + path.path_info.len() + asked.query.map_or(0, <[u8]>::len) + asked.host.len();
    let room = asked.head_bytes + 2 * asked.fields + again + 128;
    let mut builder = facts.template.builder(room, 16 + asked.fields);
    builder
        .set_known(REQUEST_METHOD, asked.method)
        .set_known(SCRIPT_NAME, path.script_name)
        .set_known(PATH_INFO, path.path_info)
        .set_known(QUERY_STRING, asked.query.unwrap_or_default())
        .set_known(REQUEST_URI, asked.target)
        .set_known(SERVER_NAME, server_name(asked, facts))
        .set_known(SERVER_PROTOCOL, asked.protocol);
    if !facts.has_port {
        builder.set_known(SERVER_PORT, meant_port(asked, facts));
    }
    builder
}

/// SERVER_NAME (CGI-38): the host asked for, or the address that was reached.
pub(crate) fn server_name<'a>(asked: &Asked<'a>, facts: &'a ConnectionFacts) -> &'a [u8] {
    let (host, _) = split_port(asked.host);
    if host.is_empty() { facts.server_address.as_bytes() } else { host }
}

/// SERVER_PORT behind a UNIX socket, which has none: the one that the client means.
fn meant_port<'a>(asked: &Asked<'a>, facts: &ConnectionFacts) -> &'a [u8] {
    let (_, port) = split_port(asked.host);
    port.filter(|port| !port.is_empty()).unwrap_or(if facts.secure { b"443" } else { b"80" })
}

/// Adds the fields of a request.
pub(crate) fn add_fields(builder: &mut EnvironBuilder, head: &RequestHead<'_>) {
    let has_options = head.has_connection_options();
    let host_is_in_target = head.form() == TargetForm::Absolute;
    for (name, value) in head.fields() {
        // HTTP-30: the application sees the host that counts.
        if host_is_in_target && name.eq_ignore_ascii_case(b"host") {
            builder.add_header(b"host", head.host());
            continue;
        }
        // HTTP-175: what the client says is about the connection stays here.
        if has_options && head.is_connection_option(name) && !is_end_to_end(name) {
            continue;
        }
        builder.add_header(name, value);
    }
}

/// HTTP-176: naming one of these in Connection must not hide it from a program that decides by it.
fn is_end_to_end(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 8] = [
        b"host",
        b"content-length",
        b"content-type",
        b"content-encoding",
        b"authorization",
        b"cookie",
        b"origin",
        b"forwarded",
    ];
    let starts_x_forwarded = name.get(..11).is_some_and(|start| start.eq_ignore_ascii_case(b"x-forwarded"));
    starts_x_forwarded || NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Decodes the escapes of `path` into `decoded`, once (HTTP-38). `None` if one is malformed or stands for NUL.
pub(crate) fn decode_path(path: &[u8], decoded: &mut Vec<u8>) -> Option<()> {
    decoded.clear();
    let mut bytes = path.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || u8::try_from(char::from(bytes.next()?).to_digit(16)?).ok();
        let value = digit()? << 4 | digit()?;
        if value == 0 {
            return None;
        }
        decoded.push(value);
    }
    // An absolute target may lack a path (RFC 9110 §4.2.3).
    if decoded.is_empty() {
        decoded.push(b'/');
    }
    Some(())
}
