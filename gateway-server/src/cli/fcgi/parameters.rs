//! The parameters of a request, as `gateway serve` would send them, with what the user wants otherwise.
//!
//! Holds the way from a URI, fields and flags to the list. The choice of variables is gateway-cgi's.

use gateway_cgi::variables::{Credentials, MetaVariables};
use gateway_fastcgi::protocol::Role;
use gateway_spec::{Environ, EnvironBuilder, Scheme};

use super::flags::Mistakes;
use super::split::Cut;
use crate::SOFTWARE;
use crate::cli::rules::Problem;
use crate::mount::RequestPath;

/// Names and values, in the order in which they are sent.
#[derive(Debug)]
pub(super) struct Parameters(pub(super) Vec<(Vec<u8>, Vec<u8>)>);

/// What the user says about the parameters.
pub(super) struct Given<'a> {
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    pub(super) cut: Cut<'a>,
    pub(super) headers: &'a [String],
    pub(super) set: &'a [String],
    pub(super) without: &'a [String],
    pub(super) role: Role,
    /// CONTENT_LENGTH, if there is one.
    pub(super) length: Option<u64>,
    /// Whether there is a body that needs a type.
    pub(super) has_data: bool,
    /// Length and time of a Filter's file.
    pub(super) file: Option<(u64, Option<u64>)>,
}

/// FCGI-95: what an Authorizer is not told.
const NOT_FOR_AUTHORIZERS: [&[u8]; 4] = [b"CONTENT_LENGTH", b"PATH_INFO", b"PATH_TRANSLATED", b"SCRIPT_NAME"];

/// The type of a body that does not say its own, as HTML forms have it and other clients of this kind assume.
const FORM: &str = "application/x-www-form-urlencoded";

impl Given<'_> {
    /// The list, or nothing if there is a mistake in it.
    pub(super) fn parameters(&self, mistakes: &mut Mistakes) -> Option<Parameters> {
        let uri = match Uri::parse(self.uri) {
            Ok(uri) => uri,
            Err(problem) => {
                mistakes.add("URI", problem);
                return None;
            }
        };
        let headers = self.headers(mistakes);
        let (environ, variables) = self.environ(&uri, &headers, mistakes)?;
        let mut list = Vec::with_capacity(40);
        variables.for_each(&environ, self.length, |name, value| list.push((name.to_vec(), value.to_vec())));
        if self.role == Role::AUTHORIZER {
            list.retain(|(name, _)| !NOT_FOR_AUTHORIZERS.contains(&name.as_slice()));
        }
        let mut parameters = Parameters(list);
        if let Some((length, modified)) = self.file {
            // FCGI-101. What is no regular file has no time; 1970 makes nobody trust a cache.
            parameters.set("FCGI_DATA_LAST_MOD", &modified.unwrap_or_default().to_string());
            parameters.set("FCGI_DATA_LENGTH", &length.to_string());
        }
        for set in self.set {
            match set.split_once('=') {
                Some((name, value)) if !name.is_empty() => parameters.set(name, value),
                _ => mistakes.add("--param", Problem::value(set, "NAME=VALUE")),
            }
        }
        parameters.0.retain(|(name, _)| !self.without.iter().any(|without| without.as_bytes() == name));
        Some(parameters)
    }

    fn headers(&self, mistakes: &mut Mistakes) -> Vec<(&str, &str)> {
        let mut headers = Vec::new();
        for header in self.headers {
            match header.split_once(':') {
                Some((name, value)) if !name.is_empty() && !value.contains(['\r', '\n']) => {
                    headers.push((name, value.trim()));
                }
                _ => mistakes.add("--header", Problem::value(header, "NAME: VALUE")),
            }
        }
        headers
    }

    fn environ(
        &self,
        uri: &Uri<'_>,
        headers: &[(&str, &str)],
        mistakes: &mut Mistakes,
    ) -> Option<(Environ, MetaVariables)> {
        let path = RequestPath::decode(uri.path.as_bytes());
        let path = path.map_err(|error| mistakes.add("URI", Problem::refused(uri.path, error))).ok()?;
        let Some(parts) = self.cut.apply(path.as_bytes()) else {
            let name = self.cut.script_name.unwrap_or_default();
            mistakes.add("--script-name", Problem::refused(name, "the path does not start with it"));
            return None;
        };
        let host = headers.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case("host")).map(|(_, value)| *value);
        let (name, port) = authority(host.unwrap_or(uri.authority), &uri.scheme);
        let mut builder = EnvironBuilder::with_capacity(1024, 40)
            .variable("GATEWAY_INTERFACE", "CGI/1.1")
            .variable("SERVER_SOFTWARE", SOFTWARE)
            .variable("REQUEST_METHOD", self.method)
            .variable("SCRIPT_NAME", parts.script_name)
            .variable("PATH_INFO", parts.path_info)
            .variable("QUERY_STRING", uri.query)
            .variable("REQUEST_URI", uri.target)
            .variable("SERVER_NAME", name)
            .variable("SERVER_PORT", port)
            .variable("SERVER_PROTOCOL", "HTTP/1.1")
            .variable("REMOTE_ADDR", "127.0.0.1")
            .url_scheme(uri.scheme.clone());
        if host.is_none() {
            builder.add_header(b"host", uri.authority.as_bytes());
        }
        if self.has_data && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            builder.add_header(b"content-type", FORM.as_bytes());
        }
        for (name, value) in headers {
            builder.add_header(name.as_bytes(), value.as_bytes());
        }
        let environ =
            builder.build().map_err(|error| mistakes.add("--header", Problem::refused(self.uri, error))).ok()?;
        for (name, _) in headers.iter().filter(|(name, _)| environ.header(name).is_none()) {
            let why = "no gateway of ours passes this field on; --param HTTP_NAME=VALUE sends it all the same";
            mistakes.add("--header", Problem::refused(name, why));
        }
        let mut variables = MetaVariables::new().credentials(Credentials::Shown);
        if let Some(file) = parts.script_filename {
            variables = variables.script_filename(file);
        }
        if let Some(root) = self.cut.root {
            variables = variables.document_root(root);
        }
        Some((environ, variables))
    }
}

impl Parameters {
    /// Replaces what is there, or adds.
    fn set(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == name.as_bytes()) {
            Some((_, known)) => *known = value.into(),
            None => self.0.push((name.into(), value.into())),
        }
    }
}

/// A URI in its parts.
#[derive(Debug, PartialEq, Eq)]
struct Uri<'a> {
    scheme: Scheme,
    authority: &'a str,
    /// What a client would send: path and query.
    target: &'a str,
    path: &'a str,
    query: &'a str,
}

impl<'a> Uri<'a> {
    fn parse(text: &'a str) -> Result<Self, Problem> {
        const ALLOWED: &str = "a path such as /search?q=x, or a whole URL such as http://localhost/search?q=x";
        let refused = || Problem::value(text, ALLOWED);
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, Some(rest)),
            Some(("https", rest)) => (Scheme::Https, Some(rest)),
            _ => (Scheme::Http, None),
        };
        let (authority, target) = match rest {
            None => ("localhost", text),
            Some(rest) => rest.split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len())).ok_or_else(refused)?,
        };
        let target = if rest.is_some() && target.is_empty() { "/" } else { target };
        if !target.starts_with('/') || authority.is_empty() || text.contains('#') {
            return Err(refused());
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Ok(Uri { scheme, authority, target, path, query })
    }
}

/// SERVER_NAME and SERVER_PORT (CGI-38, CGI-39).
fn authority<'t>(text: &'t str, scheme: &Scheme) -> (&'t str, &'t str) {
    let usual = if *scheme == Scheme::Https { "443" } else { "80" };
    match text.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit()) => (name, port),
        _ => (text, usual),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_a_path_or_a_whole_url() {
        let uri = |scheme, authority, target, path, query| Ok(Uri { scheme, authority, target, path, query });
        let rows = [
            ("/a?b=c?d", uri(Scheme::Http, "localhost", "/a?b=c?d", "/a", "b=c?d")),
            ("/?u=http://x/", uri(Scheme::Http, "localhost", "/?u=http://x/", "/", "u=http://x/")),
            ("http://h:81/x", uri(Scheme::Http, "h:81", "/x", "/x", "")),
            ("https://h", uri(Scheme::Https, "h", "/", "/", "")),
            ("http:///x", Err(())),
            ("ftp://h/x", Err(())),
            ("x", Err(())),
            ("", Err(())),
            ("?x", Err(())),
            ("http://h?x", Err(())),
            ("/a#b", Err(())),
        ];
        for (text, wanted) in rows {
            assert_eq!(Uri::parse(text).map_err(drop), wanted, "{text}");
        }
    }

    #[test]
    fn cgi_38_39_name_and_port_come_from_the_host() {
        assert_eq!(authority("h:81", &Scheme::Http), ("h", "81"));
        assert_eq!(authority("[::1]:81", &Scheme::Http), ("[::1]", "81"));
        assert_eq!(authority("[::1]", &Scheme::Http), ("[::1]", "80"));
        assert_eq!(authority("h", &Scheme::Https), ("h", "443"));
    }
}
