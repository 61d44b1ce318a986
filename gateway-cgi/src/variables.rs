//! The meta-variables that a gateway hands to a program (RFC 3875 §4.1).
//!
//! Holds the choice of variables for a request: the environ's own entries, less what no program may see, plus what only
//! the gateway's configuration knows. A CGI host turns them into a process environment, a FastCGI client into a
//! parameter stream, so both tell a program the same. Does not hold how a request becomes an [`Environ`].
//!
//! | variable | from |
//! | --- | --- |
//! | REQUEST_METHOD, SCRIPT_NAME, PATH_INFO, QUERY_STRING, REQUEST_URI, SERVER_NAME, SERVER_PORT, SERVER_PROTOCOL, SERVER_ADDR, REMOTE_ADDR, REMOTE_PORT, AUTH_TYPE, REMOTE_USER, CONTENT_TYPE, `HTTP_…` and every other upper-case name | the environ, as they are; QUERY_STRING and SCRIPT_NAME also if empty |
//! | CONTENT_LENGTH | the length of the body that will come, if there is one |
//! | GATEWAY_INTERFACE, REDIRECT_STATUS | `CGI/1.1`, `200` |
//! | SERVER_SOFTWARE | the environ, else the name of this workspace |
//! | REQUEST_SCHEME, HTTPS | the environ's scheme; HTTPS is `on` or not there |
//! | SCRIPT_FILENAME, DOCUMENT_ROOT, PATH_TRANSLATED | the configuration |
//! | REMOTE_IDENT, REMOTE_HOST | nobody: not set (CGI-33, CGI-34) |

mod fate;

use gateway_spec::{Environ, Scheme};

use fate::{Defaulted, Fate, Fates, Seen};

/// What the gateway's configuration says about the variables of its requests.
///
/// # Examples
/// ```
/// use gateway_cgi::variables::MetaVariables;
/// use gateway_spec::Environ;
///
/// let variables = MetaVariables::new().document_root("/srv/www").script_filename("/srv/cgi/hello");
/// let mut seen = Vec::new();
/// variables.for_each(&Environ::example("GET", "/x"), None, |name, value| {
///     seen.push(format!("{}={}", name.escape_ascii(), value.escape_ascii()));
/// });
/// assert!(seen.contains(&"REQUEST_METHOD=GET".to_owned()));
/// assert!(seen.contains(&"SCRIPT_FILENAME=/srv/cgi/hello".to_owned()));
/// assert!(seen.contains(&"PATH_TRANSLATED=/srv/www/x".to_owned()));
/// ```
#[derive(Debug, Clone)]
pub struct MetaVariables {
    document_root: Option<Vec<u8>>,
    script_filename: Option<Vec<u8>>,
    credentials: Credentials,
    extra: Vec<(Vec<u8>, Vec<u8>)>,
    fates: Fates,
}

impl Default for MetaVariables {
    fn default() -> Self {
        let credentials = Credentials::default();
        Self {
            document_root: None,
            script_filename: None,
            credentials,
            extra: Vec::new(),
            fates: Fates::new(credentials, |_| false),
        }
    }
}

/// Which script answers one request, where that is another one in each; it comes before what [`MetaVariables`] say.
///
/// # Examples
/// ```
/// use gateway_cgi::variables::{MetaVariables, Script};
/// use gateway_spec::Environ;
///
/// let script = Script { filename: Some(b"/srv/www/x.php"), document_root: None };
/// let mut seen = Vec::new();
/// MetaVariables::new().for_each_of(script, &Environ::example("GET", "/x.php"), None, |name, value| {
///     seen.push(format!("{}={}", name.escape_ascii(), value.escape_ascii()));
/// });
/// assert!(seen.contains(&"SCRIPT_FILENAME=/srv/www/x.php".to_owned()));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Script<'a> {
    /// As [`MetaVariables::script_filename`].
    pub filename: Option<&'a [u8]>,
    /// As [`MetaVariables::document_root`].
    pub document_root: Option<&'a [u8]>,
}

/// Whether a program may see the client's `Authorization` field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Credentials {
    /// It is left out (CGI-56): the environment of a process can be read by every process of the same user (CGI-187).
    #[default]
    Hidden,
    /// It is handed over as HTTP_AUTHORIZATION, for programs that check credentials themselves.
    Shown,
}

impl MetaVariables {
    /// Nothing configured: the environ's variables only.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets DOCUMENT_ROOT, and the tree that PATH_TRANSLATED points into (CGI-29). By default neither is set.
    #[must_use]
    pub fn document_root(mut self, path: impl Into<Vec<u8>>) -> Self {
        self.document_root = Some(path.into());
        self
    }

    /// Sets SCRIPT_FILENAME, which PHP and many frameworks start from (CGI-42). By default it is not set.
    #[must_use]
    pub fn script_filename(mut self, path: impl Into<Vec<u8>>) -> Self {
        self.script_filename = Some(path.into());
        self
    }

    /// Whether HTTP_AUTHORIZATION is handed over. By default it is not (CGI-56).
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self.decided_anew()
    }

    /// Sets a variable of the operator's own; it replaces one of the request's with the same name. By default none.
    #[must_use]
    pub fn variable(mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.extra.push((name.into(), value.into()));
        self.decided_anew()
    }

    /// Sets SERVER_NAME, whatever host the request was directed to: by default that is what the client says in its Host
    /// field, and a program that makes links with it leads where the client wants (CGI-38). HTTP_HOST stays the client's
    /// word.
    #[must_use]
    pub fn server_name(self, name: impl Into<Vec<u8>>) -> Self {
        self.variable("SERVER_NAME", name)
    }

    /// Sets SERVER_PORT, for a gateway behind another or behind a UNIX socket, which has none (CGI-39). By default it is the
    /// environ's.
    #[must_use]
    pub fn server_port(self, port: impl Into<Vec<u8>>) -> Self {
        self.variable("SERVER_PORT", port)
    }

    /// Calls `each` with the name and value of every variable for this request; no name comes twice.
    ///
    /// `body` is the number of bytes that the program will be able to read, `None` if no body accompanies the request:
    /// CONTENT_LENGTH is set from it and never from what the client declared (CGI-21, CGI-65).
    pub fn for_each(&self, environ: &Environ, body: Option<u64>, each: impl FnMut(&[u8], &[u8])) {
        self.for_each_of(Script::default(), environ, body, each);
    }

    /// [`MetaVariables::for_each`] for a script that is another one in each request.
    pub fn for_each_of(
        &self,
        script: Script<'_>,
        environ: &Environ,
        body: Option<u64>,
        mut each: impl FnMut(&[u8], &[u8]),
    ) {
        let script_filename = script.filename.or(self.script_filename.as_deref());
        let document_root = script.document_root.or(self.document_root.as_deref());
        let mut seen = Seen::default();
        for (place, name, value) in environ.iter_placed() {
            let (name, value) = (name.as_bytes(), value.as_bytes());
            let is_kept = match self.fates.of(place, name, |name| self.is_configured(name)) {
                Fate::Kept => true,
                Fate::KeptOrDefault(variable) => {
                    seen.note(variable);
                    true
                }
                Fate::KeptWithoutScript => script_filename.is_none(),
                Fate::KeptWithoutRoot => document_root.is_none(),
                Fate::LeftOut => false,
            };
            if is_kept {
                each(name, value);
            }
        }
        let mut set = |name: &[u8], value: &[u8]| {
            if !self.is_configured(name) {
                each(name, value);
            }
        };
        set(b"GATEWAY_INTERFACE", b"CGI/1.1"); // CGI-25
        // php-cgi refuses a request without it when built to be called by a server only (CGI-175).
        set(b"REDIRECT_STATUS", b"200");
        // CGI-31, CGI-37, CGI-41: set even if empty.
        for (variable, name, default) in [
            (Defaulted::QueryString, "QUERY_STRING", ""),
            (Defaulted::ScriptName, "SCRIPT_NAME", ""),
            (Defaulted::ServerSoftware, "SERVER_SOFTWARE", SOFTWARE),
        ] {
            if !seen.has(variable) {
                set(name.as_bytes(), default.as_bytes());
            }
        }
        if environ.url_scheme == Scheme::Https {
            set(b"HTTPS", b"on"); // CGI-51
        }
        set(b"REQUEST_SCHEME", environ.url_scheme.as_str().as_bytes());
        if let Some(length) = body {
            set(b"CONTENT_LENGTH", length.to_string().as_bytes());
        }
        if let Some(path) = script_filename {
            set(b"SCRIPT_FILENAME", path);
        }
        if let Some(root) = document_root {
            set(b"DOCUMENT_ROOT", root);
            if let Some(translated) = path_translated(root, environ.path_info().as_bytes()) {
                set(b"PATH_TRANSLATED", &translated);
            }
        }
        for (at, (name, value)) in self.extra.iter().enumerate() {
            let is_last = !self.extra.iter().skip(at + 1).any(|(later, _)| later == name);
            if is_last {
                each(name, value);
            }
        }
    }

    fn is_configured(&self, name: &[u8]) -> bool {
        self.extra.iter().any(|(own, _)| own == name)
    }

    /// The same, after what decides about names has changed.
    fn decided_anew(self) -> Self {
        let fates = Fates::new(self.credentials, |name| self.is_configured(name));
        Self { fates, ..self }
    }
}

/// What SERVER_SOFTWARE says where the server did not name itself (CGI-41).
const SOFTWARE: &str = concat!("gateway/", env!("CARGO_PKG_VERSION"));

/// Whether a variable of an environ may reach a program.
///
/// Names are upper-case letters, digits and `_`: others are keys that middleware keeps in the environ for itself, and two
/// names that differ only in case must not meet (CGI-10). Some `HTTP_` names are never handed over, whoever set them.
#[must_use]
pub fn is_for_programs(name: &[u8], credentials: Credentials) -> bool {
    let is_upper = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    if !name.first().is_some_and(u8::is_ascii_uppercase) || !name.iter().all(is_upper) {
        return false;
    }
    match name {
        // CGI-170 ("httpoxy").
        b"HTTP_PROXY" => false,
        // CGI-56: carried by variables of their own.
        b"HTTP_CONTENT_LENGTH" | b"HTTP_CONTENT_TYPE" => false,
        b"HTTP_AUTHORIZATION" => credentials == Credentials::Shown,
        b"HTTP_PROXY_AUTHORIZATION" => false,
        // CGI-57, CGI-58: about the connection, which ends at the gateway.
        b"HTTP_CONNECTION"
        | b"HTTP_KEEP_ALIVE"
        | b"HTTP_PROXY_CONNECTION"
        | b"HTTP_TE"
        | b"HTTP_TRAILER"
        | b"HTTP_TRANSFER_ENCODING"
        | b"HTTP_UPGRADE" => false,
        _ => true,
    }
}

/// PATH_INFO as a place in the document tree (CGI-29); none if there is no path-info (CGI-30) or it would leave the tree
/// (CGI-157).
fn path_translated(root: &[u8], path_info: &[u8]) -> Option<Vec<u8>> {
    if path_info.is_empty() || path_info.split(|byte| *byte == b'/').any(|segment| segment == b"..") {
        return None;
    }
    Some([root.strip_suffix(b"/").unwrap_or(root), path_info].concat())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    type Seen = BTreeMap<String, String>;

    #[track_caller]
    fn seen(variables: &MetaVariables, environ: &Environ, body: Option<u64>) -> Seen {
        let mut seen = Seen::new();
        variables.for_each(environ, body, |name, value| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            assert_eq!(seen.insert(text(name), text(value)), None, "a name came twice");
        });
        seen
    }

    fn environ(variables: &[(&str, &str)]) -> Environ {
        let mut environ = Environ::example("POST", "/a/b?q=1");
        for (name, value) in variables {
            environ.set(name, value).unwrap();
        }
        environ
    }

    #[test]
    fn cgi_21_content_length_is_the_length_of_the_body_and_not_the_clients_word() {
        let environ = environ(&[("CONTENT_LENGTH", "99")]);
        assert_eq!(seen(&MetaVariables::new(), &environ, Some(5))["CONTENT_LENGTH"], "5");
        assert_eq!(seen(&MetaVariables::new(), &environ, Some(0))["CONTENT_LENGTH"], "0");
        assert!(!seen(&MetaVariables::new(), &environ, None).contains_key("CONTENT_LENGTH"));
    }

    #[test]
    fn cgi_10_names_that_are_not_upper_case_are_kept_from_programs() {
        let environ =
            environ(&[("path_info", "/evil"), ("app.user", "x"), ("X-Y", "1"), ("1A", "1"), ("X_OK2", "yes")]);
        let seen = seen(&MetaVariables::new(), &environ, None);
        assert_eq!(seen["X_OK2"], "yes");
        for name in ["path_info", "app.user", "X-Y", "1A"] {
            assert!(!seen.contains_key(name), "{name}");
        }
    }

    #[test]
    fn cgi_57_58_170_some_fields_never_reach_a_program() {
        let names = [
            "HTTP_PROXY",
            "HTTP_CONTENT_LENGTH",
            "HTTP_CONTENT_TYPE",
            "HTTP_TRANSFER_ENCODING",
            "HTTP_CONNECTION",
            "HTTP_KEEP_ALIVE",
            "HTTP_TE",
            "HTTP_TRAILER",
            "HTTP_UPGRADE",
            "HTTP_PROXY_AUTHORIZATION",
        ];
        let environ = environ(&names.map(|name| (name, "x")));
        let seen = seen(&MetaVariables::new().credentials(Credentials::Shown), &environ, None);
        assert!(names.iter().all(|name| !seen.contains_key(*name)));
    }

    #[test]
    fn cgi_56_187_credentials_are_hidden_unless_configured() {
        let environ = environ(&[("HTTP_AUTHORIZATION", "Basic eA==")]);
        assert!(!seen(&MetaVariables::new(), &environ, None).contains_key("HTTP_AUTHORIZATION"));
        let shown = MetaVariables::new().credentials(Credentials::Shown);
        assert_eq!(seen(&shown, &environ, None)["HTTP_AUTHORIZATION"], "Basic eA==");
    }

    #[test]
    fn cgi_25_31_37_41_175_what_must_be_set_is_set() {
        let mut environ = environ(&[("GATEWAY_INTERFACE", "CGI/9.9")]);
        for name in ["QUERY_STRING", "SCRIPT_NAME", "SERVER_SOFTWARE"] {
            environ.remove(name);
        }
        let seen = seen(&MetaVariables::new(), &environ, None);
        assert_eq!(seen["GATEWAY_INTERFACE"], "CGI/1.1");
        assert_eq!((seen["QUERY_STRING"].as_str(), seen["SCRIPT_NAME"].as_str()), ("", ""));
        assert!(seen["SERVER_SOFTWARE"].starts_with("gateway/"));
        assert_eq!(seen["REDIRECT_STATUS"], "200");
    }

    #[test]
    fn cgi_51_https_is_set_for_https_only_and_follows_the_scheme() {
        let mut environ = environ(&[("HTTPS", "on")]);
        let plain = seen(&MetaVariables::new(), &environ, None);
        assert_eq!((plain.get("HTTPS"), plain["REQUEST_SCHEME"].as_str()), (None, "http"));
        environ.url_scheme = Scheme::Https;
        let secure = seen(&MetaVariables::new(), &environ, None);
        assert_eq!((secure["HTTPS"].as_str(), secure["REQUEST_SCHEME"].as_str()), ("on", "https"));
    }

    #[test]
    fn cgi_29_30_157_path_translated_is_in_the_document_tree() {
        let variables = MetaVariables::new().document_root("/srv/www/");
        let translated =
            |path: &str| seen(&variables, &environ(&[("PATH_INFO", path)]), None).get("PATH_TRANSLATED").cloned();
        assert_eq!(translated("/this.is.path;info").as_deref(), Some("/srv/www/this.is.path;info"));
        assert_eq!(translated(""), None);
        assert_eq!(translated("/a/../../etc/passwd"), None);
        assert_eq!(translated("/a..b/c").as_deref(), Some("/srv/www/a..b/c"));
    }

    #[test]
    fn cgi_185_document_root_and_script_filename_come_from_the_configuration() {
        let variables = MetaVariables::new().document_root("/srv/www").script_filename("/srv/cgi/x");
        let environ =
            environ(&[("DOCUMENT_ROOT", "/"), ("SCRIPT_FILENAME", "/etc/passwd"), ("PATH_TRANSLATED", "/etc")]);
        let seen = seen(&variables, &environ, None);
        assert_eq!((seen["DOCUMENT_ROOT"].as_str(), seen["SCRIPT_FILENAME"].as_str()), ("/srv/www", "/srv/cgi/x"));
        assert_eq!(seen["PATH_TRANSLATED"], "/srv/www/a/b");
    }

    #[test]
    fn cgi_38_39_a_canonical_name_and_port_win_over_what_the_client_says() {
        let asked =
            environ(&[("SERVER_NAME", "evil.example"), ("SERVER_PORT", "81"), ("HTTP_HOST", "evil.example:81")]);
        let seen = seen(&MetaVariables::new().server_name("example.org").server_port("443"), &asked, None);
        assert_eq!((seen["SERVER_NAME"].as_str(), seen["SERVER_PORT"].as_str()), ("example.org", "443"));
        assert_eq!(seen["HTTP_HOST"], "evil.example:81");
    }

    #[test]
    fn cgi_20_33_34_35_who_the_client_is_comes_from_the_server_alone() {
        let names = ["AUTH_TYPE", "REMOTE_USER", "REMOTE_HOST", "REMOTE_IDENT"];
        let unknown = seen(&MetaVariables::new(), &environ(&[("HTTP_REMOTE_USER", "root")]), None);
        assert!(names.iter().all(|name| !unknown.contains_key(*name)));
        // A layer that has checked the credentials says so in the environ.
        let known = seen(&MetaVariables::new(), &environ(&[("AUTH_TYPE", "Basic"), ("REMOTE_USER", "ada")]), None);
        assert_eq!((known["AUTH_TYPE"].as_str(), known["REMOTE_USER"].as_str()), ("Basic", "ada"));
    }

    #[test]
    fn cgi_11_the_operators_own_variables_replace_the_requests() {
        let variables = MetaVariables::new().variable("X_A", "1").variable("X_A", "2").variable("SERVER_NAME", "canon");
        let seen = seen(&variables, &environ(&[("X_A", "0")]), None);
        assert_eq!((seen["X_A"].as_str(), seen["SERVER_NAME"].as_str()), ("2", "canon"));
    }
}
