//! Which part of a request's path is SCRIPT_NAME and which PATH_INFO, and the file name behind mod_proxy_fcgi.
//!
//! Gateways agree on the two together and not on the cut between them. A worker is no file; it serves a whole location, and the
//! cut belongs where that location ends (FCGI-114, FCGI-115). Does not decode or change the path otherwise.
//!
//! | gateway | sends for `/app/x`, location `/app` | [`Mount::Guess`] makes of it |
//! | --- | --- | --- |
//! | nginx with its own `fastcgi_params` | SCRIPT_NAME=/app/x, no PATH_INFO | "" + /app/x |
//! | nginx with `fastcgi_split_path_info` and both variables | SCRIPT_NAME=/app, PATH_INFO=/x | as sent |
//! | httpd, `ProxyPass /app fcgi://…` | SCRIPT_NAME=/app/x, no PATH_INFO, SCRIPT_FILENAME=proxy:fcgi://… | "" + /app/x |
//! | httpd, the same with `proxy-fcgi-pathinfo` or `ProxyFCGISetEnvIf` | SCRIPT_NAME=/app, PATH_INFO=/x | as sent |
//! | httpd, `SetHandler "proxy:…"` | cut where the file system ends, such as /app + /x or "/a" + "/b/c" for `/a/b/c` | as sent: say [`Mount::at`] |
//! | httpd with mod_fcgid (`Alias /app`) | SCRIPT_NAME=/app, PATH_INFO=/x, for `/app` none | as sent |
//! | lighttpd, `"/app" => (… "check-local" => "disable")` | SCRIPT_NAME=/app, PATH_INFO=/x, for `/app` none | as sent |
//! | lighttpd, `"/" => (…)` with `fix-root-scriptname` | SCRIPT_NAME="", PATH_INFO=/app/x | as sent |
//! | lighttpd, the same without it | SCRIPT_NAME=/app, PATH_INFO=/x, for `/a` none | as sent: say [`Mount::at`] |
//! | HAProxy without `path-info` | SCRIPT_NAME=/app/x, no PATH_INFO | "" + /app/x |
//! | the client of this crate | both, right | as sent |
//!
//! So a missing PATH_INFO means "the whole path is in SCRIPT_NAME", except from those who leave out an empty one: lighttpd, and httpd
//! where it is no proxy. An empty PATH_INFO is not a missing one. With [`Mount::at`] nothing is guessed.

use std::borrow::Cow;

/// Where the application is mounted, that is, what SCRIPT_NAME is.
///
/// # Examples
/// ```
/// use gateway_fastcgi::worker::Mount;
///
/// assert_eq!(Mount::at("/app/"), Mount::at("/app"));
/// assert_eq!(Mount::at("/"), Mount::at(""));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Mount {
    /// As the gateway says, unless it did not cut at all: then at the root.
    #[default]
    Guess,
    /// As the gateway says, always.
    AsSent,
    /// At this prefix, empty for the root; the gateway's cut is ignored. Paths outside stay as they were sent.
    At(Vec<u8>),
}

impl Mount {
    /// At this prefix; `/` and the empty string are the root.
    pub fn at(prefix: impl Into<Vec<u8>>) -> Self {
        let mut prefix = prefix.into();
        while prefix.last() == Some(&b'/') {
            prefix.pop();
        }
        Self::At(prefix)
    }

    /// Cuts the path of a request.
    pub(super) fn cut<'a>(&self, sent: &Sent<'a>) -> Cut<'a> {
        let as_sent = (Cow::Borrowed(sent.script_name), Cow::Borrowed(sent.path_info.unwrap_or_default()));
        let (script_name, path_info) = match self {
            Self::Guess if sent.path_info.is_none() && !sent.leaves_out_empty() => {
                (Cow::Borrowed(&[][..]), Cow::Borrowed(sent.script_name))
            }
            Self::Guess | Self::AsSent => as_sent,
            Self::At(prefix) => under(prefix, sent.whole()).unwrap_or(as_sent),
        };
        Cut::tidy(script_name, path_info)
    }
}

/// The variables that tell about the path.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent<'a> {
    pub(super) script_name: &'a [u8],
    pub(super) path_info: Option<&'a [u8]>,
    pub(super) script_filename: &'a [u8],
    pub(super) server_software: &'a [u8],
}

impl<'a> Sent<'a> {
    fn leaves_out_empty(&self) -> bool {
        let is = |name: &[u8]| self.server_software.starts_with(name);
        let proxied = self.script_filename.starts_with(PROXY);
        is(b"lighttpd") || is(b"gateway/") || (is(b"Apache") && !proxied)
    }

    fn whole(&self) -> Cow<'a, [u8]> {
        match self.path_info {
            None | Some([]) => Cow::Borrowed(self.script_name),
            Some(path_info) => Cow::Owned([self.script_name, path_info].concat()),
        }
    }
}

type Parts<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// Cuts `path` behind `prefix`, which must end where a segment ends.
fn under<'a>(prefix: &[u8], path: Cow<'a, [u8]>) -> Option<Parts<'a>> {
    let rest = path.strip_prefix(prefix)?;
    if !rest.is_empty() && rest.first() != Some(&b'/') {
        return None;
    }
    let at = prefix.len();
    Some(match path {
        Cow::Borrowed(path) => {
            let (script_name, path_info) = path.split_at_checked(at)?;
            (Cow::Borrowed(script_name), Cow::Borrowed(path_info))
        }
        Cow::Owned(mut path) => {
            let path_info = path.split_off(at);
            (Cow::Owned(path), Cow::Owned(path_info))
        }
    })
}

/// SCRIPT_NAME and PATH_INFO as an application may rely on: SCRIPT_NAME is empty or starts with `/` and does not end with
/// one; one of the two is not empty; PATH_INFO is empty or starts with `/` where there is a cut to put it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut<'a> {
    pub(super) script_name: Cow<'a, [u8]>,
    pub(super) path_info: Cow<'a, [u8]>,
}

impl<'a> Cut<'a> {
    fn tidy(script_name: Cow<'a, [u8]>, path_info: Cow<'a, [u8]>) -> Self {
        if script_name.ends_with(b"/") {
            let mut script_name = script_name.into_owned();
            while script_name.last() == Some(&b'/') {
                script_name.pop();
            }
            let slash: &[u8] = if path_info.starts_with(b"/") { b"" } else { b"/" };
            let path_info = [slash, &path_info].concat();
            return Self { script_name: script_name.into(), path_info: path_info.into() };
        }
        if script_name.is_empty() && path_info.is_empty() {
            return Self { script_name, path_info: Cow::Borrowed(b"/") };
        }
        Self { script_name, path_info }
    }
}

/// What mod_proxy_fcgi puts before its SCRIPT_FILENAME.
const PROXY: &[u8] = b"proxy:";

/// The file behind `proxy:fcgi://host:port/path?query`, `proxy:balancer://name/path` or
/// `proxy:unix:/socket|fcgi://host/path`, percent-decoded; other names unchanged (FCGI-114).
pub(super) fn script_filename(sent: &[u8]) -> Cow<'_, [u8]> {
    let Some(url) = sent.strip_prefix(PROXY) else { return Cow::Borrowed(sent) };
    let url = url.rsplit(|byte| *byte == b'|').next().unwrap_or(url);
    let Some(authority) = url.windows(3).position(|three| three == b"://").and_then(|at| url.get(at + 3..)) else {
        return Cow::Borrowed(sent);
    };
    let path = authority.iter().position(|byte| *byte == b'/').and_then(|at| authority.get(at..)).unwrap_or_default();
    let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
    Cow::Owned(percent_decoded(path))
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        match (byte, after) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0).to_le_bytes()[0];
                decoded.push(digit(*high) << 4 | digit(*low));
                rest = after;
            }
            _ => {
                decoded.push(byte);
                rest = after;
            }
        }
    }
    decoded
}
