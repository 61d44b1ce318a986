//! The parameters of one request: the variables of gateway-cgi, which CGI programs get as well (FCGI-90).
//!
//! Holds them as they are sent, so that a request can be sent twice, and what other servers' habits add or leave out
//! ([`ParamSet`]). Does not hold which variables there are by RFC 3875.

use std::os::unix::ffi::OsStrExt;

use gateway_spec::Environ;

use super::Config;
use super::script::Place;
use crate::connection::Parameters;

/// After whose habits the variables of a request are chosen: programs may count on what one server sends.
///
/// | | [`Cgi`](Self::Cgi) | [`Nginx`](Self::Nginx) | [`Apache`](Self::Apache) |
/// | --- | --- | --- | --- |
/// | CONTENT_LENGTH without a body | absent | empty | absent |
/// | CONTENT_TYPE, REMOTE_USER that are not known | absent | empty | absent |
/// | PATH_INFO of a path that ends with the script | empty | empty | absent |
/// | PATH_TRANSLATED | with PATH_INFO and a root | absent | with PATH_INFO and a root |
/// | DOCUMENT_URI | absent | SCRIPT_NAME and PATH_INFO | absent |
/// | CONTEXT_PREFIX, CONTEXT_DOCUMENT_ROOT | absent | absent | the mount, and its root |
/// | SERVER_SIGNATURE | absent | absent | empty |
///
/// nginx's are those of its file `fastcgi.conf`, with PATH_INFO as the manual shows it; Apache's are mod_proxy_fcgi's. In every set
/// REDIRECT_STATUS is `200`, which only nginx sends of itself and php-cgi may insist on. SCRIPT_FILENAME is a plain path,
/// as Apache sends it with `ProxyFCGIBackendType GENERIC` (FCGI-114). REDIRECT_URL of a local redirect is kept from scripts that
/// were found below a root, because php-fpm reads it as a word about another script. What no program should see is in none of them:
/// HTTP_PROXY, HTTP_CONTENT_LENGTH and the like (FCGI-138), and the server's own PATH.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParamSet {
    /// RFC 3875: what is not known is not there.
    #[default]
    Cgi,
    /// As nginx does it: what is not known is empty.
    Nginx,
    /// As Apache does it.
    Apache,
}

impl ParamSet {
    /// Whether the set leaves a variable of RFC 3875 out.
    fn lacks(self, name: &[u8], value: &[u8]) -> bool {
        match self {
            Self::Cgi => false,
            Self::Nginx => name == b"PATH_TRANSLATED",
            Self::Apache => name == b"PATH_INFO" && value.is_empty(),
        }
    }
}

/// Names and values, in order, as they are sent.
#[derive(Debug, Default)]
pub(super) struct Variables {
    parameters: Parameters,
    /// Names that are left out.
    unwanted: &'static [&'static [u8]],
}

/// Room for the variables of a usual request, and as much as an allocator gives out in a hurry.
const ROOM: usize = 1024;

impl Variables {
    /// The variables for this request and script; `length` is that of the body, if there is one.
    pub(super) fn choose(config: &Config, script: Option<&Place>, environ: &Environ, length: Option<u64>) -> Self {
        Self::choose_without(&[], config, script, environ, length)
    }

    /// The same without those of these names.
    pub(super) fn choose_without(
        unwanted: &'static [&'static [u8]],
        config: &Config,
        script: Option<&Place>,
        environ: &Environ,
        length: Option<u64>,
    ) -> Self {
        let mut parameters = Parameters::with_capacity(ROOM);
        let set = config.params;
        let place = script.map(Place::of_variables).unwrap_or_default();
        config.variables.for_each_of(place, environ, length, |name, value| {
            if !set.lacks(name, value) && !is_misread(script, name) && !unwanted.contains(&name) {
                parameters.push(name, value);
            }
        });
        let mut variables = Self { parameters, unwanted };
        variables.complete(set, script, environ);
        variables
    }

    /// In the form in which they are sent.
    pub(super) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Adds what the set has beside the variables of RFC 3875.
    fn complete(&mut self, set: ParamSet, script: Option<&Place>, environ: &Environ) {
        match set {
            ParamSet::Cgi => {}
            ParamSet::Nginx => {
                for name in ["CONTENT_LENGTH", "CONTENT_TYPE", "PATH_INFO", "REMOTE_USER"] {
                    self.add_missing(name, b"");
                }
                let uri = [environ.script_name().as_bytes(), environ.path_info().as_bytes()].concat();
                self.add_missing("DOCUMENT_URI", &uri);
            }
            ParamSet::Apache => {
                self.add_missing("SERVER_SIGNATURE", b"");
                if let Some(Place { prefix, root: Some(root), .. }) = script {
                    self.add_missing("CONTEXT_PREFIX", prefix);
                    self.add_missing("CONTEXT_DOCUMENT_ROOT", root.as_os_str().as_bytes());
                }
            }
        }
    }

    fn add_missing(&mut self, name: &str, value: &[u8]) {
        let name = name.as_bytes();
        if !self.unwanted.contains(&name) && !self.parameters.iter().any(|pair| pair.name() == name) {
            self.parameters.push(name, value);
        }
    }
}

/// With REDIRECT_URL php-fpm takes SCRIPT_FILENAME for itself, as an old way of Apache had it: it runs what PATH_TRANSLATED
/// names, a file that nobody has looked at (FCGI-134), and takes PATH_INFO away.
fn is_misread(script: Option<&Place>, name: &[u8]) -> bool {
    script.is_some() && name == b"REDIRECT_URL"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Pair;

    fn chosen(set: ParamSet, path_info: &str, length: Option<u64>) -> Vec<String> {
        let mut environ = Environ::example("GET", path_info);
        environ.set("SCRIPT_NAME", "/app/x.php").unwrap();
        let place = Place { file: "/srv/x.php".into(), root: Some("/srv".into()), prefix: b"/app".to_vec() };
        let operator = gateway_cgi::variables::MetaVariables::new().variable("SERVER_SIGNATURE", "ours");
        let config = Config::default().params(set).variables(operator);
        let variables = Variables::choose(&config, Some(&place), &environ, length);
        let text = |pair: Pair<'_>| format!("{}={}", pair.name().escape_ascii(), pair.value().escape_ascii());
        variables.parameters().iter().map(text).collect()
    }

    #[track_caller]
    fn check(found: &[String], wanted: &[&str], absent: &[&str]) {
        for pair in wanted {
            assert!(found.iter().any(|found| found == pair), "{pair} is not in {found:?}");
        }
        for name in absent {
            let is = |pair: &String| pair.split('=').next() == Some(name);
            assert!(!found.iter().any(is), "{name} is in {found:?}");
        }
    }

    #[test]
    fn fcgi_113_what_is_not_known_is_absent_empty_or_absent() {
        let names = ["CONTENT_LENGTH", "CONTENT_TYPE", "REMOTE_USER"];
        check(&chosen(ParamSet::Cgi, "", None), &["PATH_INFO=", "SCRIPT_FILENAME=/srv/x.php"], &names);
        check(
            &chosen(ParamSet::Nginx, "", None),
            &["CONTENT_LENGTH=", "CONTENT_TYPE=", "REMOTE_USER=", "PATH_INFO="],
            &[],
        );
        check(&chosen(ParamSet::Apache, "", None), &["CONTEXT_PREFIX=/app", "CONTEXT_DOCUMENT_ROOT=/srv"], &names);
        check(&chosen(ParamSet::Apache, "", None), &[], &["PATH_INFO", "PATH_TRANSLATED", "DOCUMENT_URI"]);
    }

    #[test]
    fn fcgi_134_php_is_given_no_second_script_by_a_redirect() {
        let mut environ = Environ::example("GET", "/photo.jpg");
        environ.set("REDIRECT_URL", "/first.php").unwrap();
        let told = |place: Option<&Place>| {
            let variables = Variables::choose(&Config::default(), place, &environ, None);
            variables.parameters().iter().any(|pair| pair.name() == b"REDIRECT_URL")
        };
        let place = Place { file: "/srv/x.php".into(), root: Some("/srv".into()), prefix: Vec::new() };
        assert!(!told(Some(&place)));
        assert!(told(None));
    }

    #[test]
    fn fcgi_112_every_set_has_what_php_needs_and_no_name_twice() {
        for set in [ParamSet::Cgi, ParamSet::Nginx, ParamSet::Apache] {
            let found = chosen(set, "/a", Some(3));
            let wanted = ["SCRIPT_FILENAME=/srv/x.php", "DOCUMENT_ROOT=/srv", "PATH_INFO=/a", "REDIRECT_STATUS=200"];
            check(&found, &[&wanted[..], &["CONTENT_LENGTH=3", "SERVER_SIGNATURE=ours"]].concat(), &[]);
            let mut names: Vec<_> = found.iter().filter_map(|pair| pair.split('=').next()).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        }
        let nginx = chosen(ParamSet::Nginx, "/a", None);
        check(&nginx, &["DOCUMENT_URI=/app/x.php/a"], &["PATH_TRANSLATED", "CONTEXT_PREFIX"]);
    }
}
