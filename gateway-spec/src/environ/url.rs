//! URL reconstruction and moving a path segment from PATH_INFO to SCRIPT_NAME (PEP 3333 "URL Reconstruction").

use std::fmt::Write as _;

use super::{Environ, Scheme, Value, name};

impl Environ {
    /// The URL of the application: scheme, authority and SCRIPT_NAME (PEP-180).
    ///
    /// # Examples
    /// ```
    /// use gateway_spec::Environ;
    /// let mut environ = Environ::example("GET", "/a b?q=1");
    /// environ.set("SCRIPT_NAME", "/app")?;
    /// environ.set("SERVER_PORT", "8080")?;
    /// assert_eq!(environ.application_url(), "http://localhost:8080/app");
    /// assert_eq!(environ.request_url(), "http://localhost:8080/app/a%20b?q=1");
    /// # Ok::<(), gateway_spec::EnvironError>(())
    /// ```
    pub fn application_url(&self) -> String {
        let mut url = format!("{}://", self.url_scheme);
        match self.known(name::HTTP_HOST).filter(|host| !host.is_empty()) {
            Some(host) => url.push_str(&host.to_latin1()),
            None => self.push_server(&mut url),
        }
        push_quoted(&mut url, self.script_name());
        if self.script_name().is_empty() && self.path_info().is_empty() {
            url.push('/');
        }
        url
    }

    /// The URL of the request: the application's, then PATH_INFO and the query (PEP-180).
    ///
    /// It need not be byte for byte what the client sent (PEP-181): decoding the path loses how it was written.
    pub fn request_url(&self) -> String {
        let mut url = self.application_url();
        push_quoted(&mut url, self.path_info());
        let query = self.query_string();
        if !query.is_empty() {
            let _ = write!(url, "?{}", query.to_latin1());
        }
        url
    }

    /// Moves the first segment of PATH_INFO to the end of SCRIPT_NAME and returns it; `None`, and no change, when no
    /// segment is left. Empty segments before it are passed over.
    ///
    /// # Examples
    /// ```
    /// use gateway_spec::Environ;
    /// let mut environ = Environ::example("GET", "/wiki/Home/edit");
    /// assert_eq!(environ.shift_path_info().as_deref(), Some(&b"wiki"[..]));
    /// assert_eq!(environ.script_name(), "/wiki");
    /// assert_eq!(environ.path_info(), "/Home/edit");
    /// ```
    pub fn shift_path_info(&mut self) -> Option<Vec<u8>> {
        let path = self.path_info().as_bytes();
        let start = path.iter().position(|byte| *byte != b'/')?;
        let rest = path.get(start..)?;
        let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
        let (segment, rest) = (rest.get(..end)?.to_vec(), rest.get(end..)?.to_vec());
        let script = [self.script_name().as_bytes(), b"/", &segment].concat();
        self.variables.set(name::SCRIPT_NAME, &script);
        self.variables.set(name::PATH_INFO, &rest);
        Some(segment)
    }

    fn push_server(&self, url: &mut String) {
        url.push_str(&self.server_name().to_latin1());
        let port = self.known(name::SERVER_PORT).unwrap_or_default();
        let default = if self.url_scheme == Scheme::Https { "443" } else { "80" };
        if !port.is_empty() && port != default {
            let _ = write!(url, ":{port}");
        }
    }
}

/// Percent-encodes everything but unreserved characters and `/`: what PEP 3333's own example does with `quote`, and it
/// covers the `;`, `=` and `?` that RFC 3875 §3.3 asks for (CGI-6).
fn push_quoted(url: &mut String, path: Value<'_>) {
    for byte in path.iter().copied() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
}
