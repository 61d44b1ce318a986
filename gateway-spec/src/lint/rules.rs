//! The rules that the lint checks: a table of facts, which also prints `docs/SPEC.md`.
//!
//! Holds ids, strengths, texts and sources. Does not hold the checks: `request`, `input`, `start` and `body` do. What a
//! type makes impossible has no rule here; `docs/pep3333.md` says which type that is.

use std::fmt;

/// One rule of the contract that can be broken at run time.
///
/// # Examples
/// ```
/// use gateway_spec::lint::{Party, RULES, Strength};
/// let rule = RULES.iter().find(|rule| rule.id == "PEP-12").expect("a rule");
/// assert_eq!((rule.strength, rule.binds), (Strength::Must, Party::Server));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The requirement's id.
    pub id: &'static str,
    /// How bad breaking it is.
    pub strength: Strength,
    /// Who has to keep it.
    pub binds: Party,
    /// The rule in one sentence.
    pub text: &'static str,
    /// Where it comes from.
    pub source: &'static str,
}

/// How bad it is to break a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// The other side cannot rely on anything any more.
    Must,
    /// It works, but not as well as it should.
    Should,
}

/// A side of the contract. Middleware is a server to its application and an application to its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The application, and middleware towards its server.
    Application,
    /// The server or gateway, and middleware towards its application.
    Server,
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Strength::Must => "must",
            Strength::Should => "should",
        })
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Party::Application => "application",
            Party::Server => "server",
        })
    }
}

macro_rules! rules {
    ($($name:ident: $id:literal, $strength:ident, $binds:ident, $text:literal, $source:literal;)+) => {
        $(pub(super) const $name: &Rule = &Rule {
            id: $id,
            strength: Strength::$strength,
            binds: Party::$binds,
            text: $text,
            source: $source,
        };)+

        /// Every rule the lint checks: first the server's, then the application's.
        pub const RULES: &[Rule] = &[$(*$name),+];
    };
}

rules! {
    METHOD: "PEP-12", Must, Server,
        "REQUEST_METHOD is set and is a token.",
        "PEP 3333 \"environ Variables\"; RFC 9110 §9.1";
    SCRIPT_NAME: "PEP-13", Must, Server,
        "SCRIPT_NAME is empty, or begins with a slash and does not end with one.",
        "PEP 3333 \"environ Variables\"; RFC 3875 §4.1.13";
    PATH_INFO: "PEP-14", Must, Server,
        "PATH_INFO is empty or begins with a slash; only OPTIONS may have an asterisk and only CONNECT an authority.",
        "PEP 3333 \"environ Variables\"; RFC 3875 §4.1.5; RFC 9112 §3.2";
    CONTENT_FIELDS: "PEP-16", Must, Server,
        "Content-Type and Content-Length arrive as CONTENT_TYPE and CONTENT_LENGTH, never with the prefix HTTP_.",
        "PEP 3333 \"environ Variables\"; RFC 3875 §4.1.18";
    CONTENT_LENGTH: "PEP-17", Must, Server,
        "CONTENT_LENGTH is absent, empty, or the length of the input in decimal digits.",
        "PEP 3333 \"environ Variables\"; RFC 3875 §4.1.2";
    SERVER: "PEP-18", Must, Server,
        "SERVER_NAME is set and not empty, and SERVER_PORT is a port number.",
        "PEP 3333 \"environ Variables\"; RFC 3875 §4.1.14, §4.1.15";
    PROTOCOL: "PEP-19", Must, Server,
        "SERVER_PROTOCOL is a protocol and its version, such as HTTP/1.1.",
        "PEP 3333 \"environ Variables\"; RFC 3875 §4.1.16";
    FIELD_VARIABLES: "PEP-20", Should, Server,
        "What follows HTTP_ in a variable's name is a field name in upper case with underscores for dashes.",
        "PEP 3333 \"environ Variables\"; RFC 3875 §4.1.18";
    HTTPS: "PEP-22", Should, Server,
        "A request that came over TLS has HTTPS=on, and no other has.",
        "PEP 3333 \"environ Variables\"";
    NOT_INVENTED: "PEP-25", Should, Server,
        "A variable about the user is left out, not empty, when nobody logged in.",
        "PEP 3333 \"environ Variables\"";
    SCHEME: "PEP-29", Must, Server,
        "The URL scheme is a scheme by its syntax.",
        "PEP 3333 \"environ Variables\"; RFC 3986 §3.1";
    OWN_KEYS: "PEP-37", Should, Server,
        "A variable of the server's own has a name of lower-case letters, digits, dots and underscores; all others \
         are in upper case.",
        "PEP 3333 \"environ Variables\"";
    INPUT_READ: "PEP-40", Must, Server,
        "Reading the input gives at most as many bytes as were asked for.",
        "PEP 3333 \"Input and Error Streams\"";
    ONE_SPELLING: "CGI-10", Must, Server,
        "No two variables have names that differ only in case.",
        "RFC 3875 §4.1";
    NO_TRANSFER_ENCODING: "CGI-58", Must, Server,
        "Transfer codings are undone before the application is called, and HTTP_TRANSFER_ENCODING is not set.",
        "RFC 3875 §4.2; PEP 3333 \"Other HTTP Features\"";
    NO_PROXY: "CGI-170", Must, Server,
        "The request field Proxy never becomes HTTP_PROXY.",
        "CVE-2016-5385 and its kin (\"httpoxy\")";
    HOST: "HTTP-46", Must, Server,
        "HTTP_HOST is empty or a host with an optional port.",
        "RFC 9112 §3.2; RFC 9110 §7.2";
    RESTART_ALLOWED: "PEP-82", Should, Server,
        "Starting again with an error is accepted as long as nothing was sent.",
        "PEP 3333 \"The start_response() Callable\"";
    SAME_ERROR: "PEP-84", Should, Server,
        "Starting again after the head was sent gives back the very error that was passed.",
        "PEP 3333 \"The start_response() Callable\"";
    SECOND_START_REFUSED: "PEP-87", Must, Server,
        "A second start without an error is refused.",
        "PEP 3333 \"The start_response() Callable\"";
    BAD_FIELDS_REFUSED: "PEP-69", Should, Server,
        "A start with fields about the connection is refused.",
        "PEP 3333 \"The start_response() Callable\"";

    FIELD_NAME: "PEP-64", Must, Application,
        "A field name is a token that ends with a letter or a digit.",
        "PEP 3333 \"The start_response() Callable\"; RFC 9110 §5.1";
    FIELD_VALUE: "PEP-65", Must, Application,
        "A field value has no control character, not even a tab.",
        "PEP 3333 \"The start_response() Callable\"";
    HOP_BY_HOP: "PEP-68", Must, Application,
        "Fields about the connection are the server's.",
        "PEP 3333 \"Other HTTP Features\"; RFC 9110 §7.6.1";
    STARTED: "PEP-76", Must, Application,
        "The response is started before body data comes, and before the body ends.",
        "PEP 3333 \"Specification Details\"";
    STARTED_FIRST: "PEP-77", Should, Application,
        "The response is started in the first iteration at the latest, even if that gives an empty piece.",
        "PEP 3333 \"Specification Details\", \"The start_response() Callable\"";
    STOP_WHEN_TOLD: "PEP-85", Must, Application,
        "When start_response gives the error back that was passed to it, that error goes on to the server and nothing \
         else.",
        "PEP 3333 \"The start_response() Callable\", \"Error Handling\"";
    ONE_START: "PEP-87", Must, Application,
        "A response is started once; starting again takes an error as the reason.",
        "PEP 3333 \"The start_response() Callable\"";
    REFUSED_IS_STARTED: "PEP-88", Must, Application,
        "A start that was refused counts as the first; starting again takes an error as the reason.",
        "PEP 3333 \"The start_response() Callable\"";
    TRANSFER_ENCODING: "PEP-97", Must, Application,
        "Transfer codings are the server's.",
        "PEP 3333 \"Handling the Content-Length Header\"";
    LENGTH_HINT: "PEP-103", Must, Application,
        "A body that tells its length gives exactly as many bytes.",
        "PEP 3333 \"Specification Details\"";
    WRITE_IS_LEGACY: "PEP-120", Should, Application,
        "Body data is returned, not written.",
        "PEP 3333 \"The write() Callable\"";
    WRITE_AFTER_RETURN: "PEP-124", Must, Application,
        "Nothing is written after the body was returned.",
        "PEP 3333 \"The write() Callable\"";
    LATIN_1: "PEP-132", Should, Application,
        "A field value is Latin-1 or encoded text, not raw text of other characters.",
        "PEP 3333 \"Unicode Issues\"";
    STATUS_FIELD: "CGI-120", Must, Application,
        "The status is an argument; there is no field named Status.",
        "RFC 3875 §6.3.3";
    LOCATION: "CGI-126", Should, Application,
        "Location is an absolute URI or an absolute path, so that every gateway understands it alike.",
        "RFC 3875 §6.3.2";
    LENGTH_SYNTAX: "HTTP-84", Must, Application,
        "Content-Length comes once and is a decimal number.",
        "RFC 9110 §8.6";
    STATUS: "HTTP-141", Must, Application,
        "The status is within 200 to 599.",
        "RFC 9110 §15; PEP 3333 \"HTTP 1.1 Expect/Continue\"";
    NO_BODY: "HTTP-142", Should, Application,
        "A response with status 204, 205 or 304 has no body data.",
        "RFC 9110 §6.4.1, §15.3.6";
    NO_LENGTH: "HTTP-145", Should, Application,
        "A response with status 204 has no Content-Length.",
        "RFC 9110 §8.6";
    LENGTH: "HTTP-150", Must, Application,
        "The body has exactly as many bytes as Content-Length says.",
        "RFC 9110 §8.6; PEP 3333 \"Handling the Content-Length Header\"";
    CONTENT_TYPE: "HTTP-152", Should, Application,
        "Content-Type is there when there is content, and not with status 204.",
        "RFC 9110 §8.3";
    NO_METADATA: "HTTP-200", Should, Application,
        "A response with status 304 does not describe the content it leaves out.",
        "RFC 9110 §15.4.5";
}
