//! What can be mounted: the grammar of targets.
//!
//! Holds the forms of a target and its text, `KIND:WHERE?key=value&key=value`. Does not hold the keys (`options`), the
//! file system (`check`) or what is made of a target (`build`).

use std::path::{Path, PathBuf};

use gateway_fastcgi::client::MAX_UPSTREAMS;
use gateway_fastcgi::net::{Address, SocketSource};

use super::options::{CgiOptions, FastCgiOptions, GuardOptions, PhpOptions, ProxyOptions, SpawnOptions, StaticOptions};
use super::rules::Problem;
use super::words;
use super::workers::PoolOptions;
use crate::mount::{Upstream, UpstreamError};

/// One thing that answers requests.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Target {
    /// An application inside this process.
    App(App, GuardOptions),
    /// A CGI program, or a folder of them.
    Cgi(PathBuf, CgiOptions),
    /// FastCGI workers that run already, behind one address or several.
    FastCgi(Vec<Address>, FastCgiOptions),
    /// FastCGI workers that are started and looked after by this process: the command's words.
    Spawn(Vec<String>, SpawnOptions),
    /// A PHP site: scripts for workers that run already, and files.
    Php(Vec<Address>, PhpOptions),
    /// Another HTTP server.
    Http(Upstream, ProxyOptions),
    /// Files.
    Static(PathBuf, StaticOptions),
}

/// The applications that are inside this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum App {
    /// The demonstration, alone.
    Demo,
    /// The demonstration as one of three: only the [tour](super::tour) mounts it.
    TourDemo,
    /// The page that leads to the three.
    FrontPage,
}

/// What a target may look like, for messages.
pub(super) const FORMS: &str = "app:demo, cgi:FILE_OR_DIR, fastcgi:unix:PATH, fastcgi:tcp:HOST:PORT, \
     fastcgi:ADDRESS,ADDRESS… for several, fastcgi:spawn:COMMAND ARGS…, php:unix:PATH, php:tcp:HOST:PORT, http://HOST:PORT, http:unix:PATH, static:DIR, each with ?key=value&key=value";

/// A mistake in a target, and the option it is about if it is about one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TargetMistake {
    /// The option's key as it was written.
    pub(super) option: Option<String>,
    /// What is wrong.
    pub(super) problem: Problem,
}

impl TargetMistake {
    fn whole(problem: Problem) -> Self {
        TargetMistake { option: None, problem }
    }
}

impl Target {
    /// Reads a target with its options. Relative paths start from `base`.
    ///
    /// All its mistakes come back at once.
    pub(super) fn parse(text: &str, base: &Path) -> Result<Self, Vec<TargetMistake>> {
        let (place, options) = text.split_once('?').map_or((text, None), |(place, options)| (place, Some(options)));
        let mut target = Self::parse_place(place, base).map_err(|problem| vec![TargetMistake::whole(problem)])?;
        let mut mistakes = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for pair in options.into_iter().flat_map(|options| options.split('&')).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let problem = if seen.contains(&key) && !target.repeats(key) {
                Some(Problem::Twice { first: "in the same target".to_owned() })
            } else {
                decoded(value).and_then(|value| target.set(key, &value, base)).err()
            };
            seen.push(key);
            mistakes.extend(problem.map(|problem| TargetMistake { option: Some(key.to_owned()), problem }));
        }
        if mistakes.is_empty() { Ok(target) } else { Err(mistakes) }
    }

    fn parse_place(text: &str, base: &Path) -> Result<Self, Problem> {
        let (kind, place) = text.split_once(':').unwrap_or((text, ""));
        let form = || Problem::value(text, FORMS);
        match (kind, place) {
            ("app", "demo") => Ok(Target::App(App::Demo, GuardOptions::default())),
            ("app", _) => Err(Problem::value(text, "app:demo")),
            ("cgi" | "static", "") => Err(form()),
            ("cgi", path) => Ok(Target::Cgi(base.join(path), CgiOptions::default())),
            ("static", path) => Ok(Target::Static(base.join(path), StaticOptions::default())),
            ("http", upstream) => Ok(Target::Http(http_upstream(text, upstream, base)?, ProxyOptions::default())),
            ("https", _) => Err(Problem::refused(text, UpstreamError::Tls)),
            ("php", upstream) => Ok(Target::Php(upstreams(upstream, base)?, PhpOptions::default())),
            ("fastcgi", upstream) => Self::parse_fastcgi(upstream, base),
            _ => Err(form()),
        }
    }

    fn parse_fastcgi(upstream: &str, base: &Path) -> Result<Self, Problem> {
        let (how, rest) = upstream.split_once(':').unwrap_or((upstream, ""));
        match how {
            "spawn" => match words::split(rest) {
                Some(words) if !words.is_empty() => Ok(Target::Spawn(words, SpawnOptions::default())),
                Some(_) => Err(Problem::value(upstream, "spawn:COMMAND ARGS…")),
                None => Err(Problem::refused(rest, "a quotation mark is not closed")),
            },
            "unix" | "tcp" => Ok(Target::FastCgi(upstreams(upstream, base)?, FastCgiOptions::default())),
            _ => Err(Problem::value(&format!("fastcgi:{upstream}"), FORMS)),
        }
    }

    /// Sets an option. Relative paths start from `base`.
    pub(super) fn set(&mut self, key: &str, value: &str, base: &Path) -> Result<(), Problem> {
        match self.set_own(key, value, base) {
            Err(Problem::Unknown { allowed: own }) => {
                self.guard_mut().set(key, value, base).map_err(|problem| match problem {
                    Problem::Unknown { allowed } => Problem::Unknown { allowed: [own, allowed].concat() },
                    other => other,
                })
            }
            done => done,
        }
    }

    /// Sets an option that not every kind has.
    fn set_own(&mut self, key: &str, value: &str, base: &Path) -> Result<(), Problem> {
        match self {
            Target::App(..) => Err(Problem::Unknown { allowed: Vec::new() }),
            Target::Cgi(_, options) => options.set(key, value, base),
            Target::FastCgi(_, options) => options.set(key, value, base),
            Target::Spawn(_, options) => options.set(key, value, base),
            Target::Php(_, options) => options.set(key, value, base),
            Target::Http(_, options) => options.set(key, value, base),
            Target::Static(_, options) => options.set(key, value),
        }
    }

    /// What every kind has.
    pub(super) fn guard(&self) -> &GuardOptions {
        match self {
            Target::App(_, guard) => guard,
            Target::Cgi(_, options) => &options.guard,
            Target::FastCgi(_, options) => &options.guard,
            Target::Spawn(_, options) => &options.client.guard,
            Target::Php(_, options) => &options.client.guard,
            Target::Http(_, options) => &options.guard,
            Target::Static(_, options) => &options.guard,
        }
    }

    fn guard_mut(&mut self) -> &mut GuardOptions {
        match self {
            Target::App(_, guard) => guard,
            Target::Cgi(_, options) => &mut options.guard,
            Target::FastCgi(_, options) => &mut options.guard,
            Target::Spawn(_, options) => &mut options.client.guard,
            Target::Php(_, options) => &mut options.client.guard,
            Target::Http(_, options) => &mut options.guard,
            Target::Static(_, options) => &mut options.guard,
        }
    }

    /// Whether a key may come more than once, each adding a value.
    pub(super) fn repeats(&self, key: &str) -> bool {
        match self {
            Target::Cgi(..) => matches!(key, "accel" | "argument" | "index" | "inherit" | "writable"),
            Target::FastCgi(..) => matches!(key, "accel" | "split"),
            Target::Spawn(..) => matches!(key, "accel" | "split") || PoolOptions::repeats(key),
            Target::Php(..) => matches!(key, "accel" | "split" | "deny" | "no_scripts"),
            Target::Http(..) => key == "accel",
            Target::App(..) | Target::Static(..) => false,
        }
    }

    /// The kind, as it starts the text.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Target::App(..) => "app",
            Target::Cgi(..) => "cgi",
            Target::FastCgi(..) => "fastcgi",
            Target::Spawn(..) => "fastcgi:spawn",
            Target::Php(..) => "php",
            Target::Http(..) => "http",
            Target::Static(..) => "static",
        }
    }
}

/// The target without its options, as it would be written.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::App(App::Demo | App::TourDemo, _) => f.write_str("app:demo"),
            Target::App(App::FrontPage, _) => f.write_str("front page"),
            Target::Cgi(path, _) => write!(f, "cgi:{}", path.display()),
            Target::FastCgi(addresses, _) => write!(f, "fastcgi:{}", joined(addresses)),
            Target::Spawn(words, _) => write!(f, "fastcgi:spawn:{}", words.join(" ")),
            Target::Php(addresses, _) => write!(f, "php:{}", joined(addresses)),
            Target::Http(upstream, _) => write!(f, "{upstream}"),
            Target::Static(path, _) => write!(f, "static:{}", path.display()),
        }
    }
}

/// Another HTTP server: a plain URL, or `http:` and a socket's address.
fn http_upstream(text: &str, place: &str, base: &Path) -> Result<Upstream, Problem> {
    let spelt = if place.starts_with("unix:") || place.starts_with("tcp:") { place } else { text };
    let upstream: Upstream = spelt.parse().map_err(|error| match format!("http://{place}").parse::<Upstream>() {
        Ok(meant) if matches!(error, UpstreamError::Form) && !place.is_empty() => {
            Problem::refused(text, format!("{error}; perhaps {meant} is meant"))
        }
        _ => Problem::refused(text, error),
    })?;
    let address = resolved(upstream.address().clone(), base);
    Ok(upstream.at(address))
}

/// The addresses of one or several upstreams. A comma separates them where `unix:` or `tcp:` follows; elsewhere it belongs to
/// a path.
fn upstreams(text: &str, base: &Path) -> Result<Vec<Address>, Problem> {
    let mut addresses = Vec::new();
    let mut rest = Some(text);
    while let Some(text) = rest {
        let comma = text.match_indices(',').find(|(at, _)| {
            let after = text.get(at + 1..).unwrap_or_default();
            after.is_empty() || after.starts_with("unix:") || after.starts_with("tcp:")
        });
        let (first, others) = comma.and_then(|(at, _)| text.split_at_checked(at)).unwrap_or((text, ""));
        rest = others.strip_prefix(',');
        let address = first.parse().map_err(|error| Problem::refused(first, error))?;
        let address = resolved(address, base);
        if addresses.contains(&address) {
            return Err(Problem::refused(first, "the address is there twice"));
        }
        addresses.push(address);
    }
    match addresses.len() {
        ..=MAX_UPSTREAMS => Ok(addresses),
        many => Err(Problem::refused(text, format!("{many} addresses, at most {MAX_UPSTREAMS} are possible"))),
    }
}

fn joined(addresses: &[Address]) -> String {
    let addresses: Vec<String> = addresses.iter().map(Address::to_string).collect();
    addresses.join(",")
}

/// An address whose socket path, if it has one, starts from `base`.
pub(super) fn resolved(address: Address, base: &Path) -> Address {
    match address {
        Address::Unix(path) => Address::Unix(base.join(path)),
        tcp => tcp,
    }
}

/// [`resolved`], where a socket is to listen.
pub(super) fn resolved_socket(socket: SocketSource, base: &Path) -> SocketSource {
    match socket {
        SocketSource::Address(address) => resolved(address, base).into(),
        passed => passed,
    }
}

/// An option's value: percent-decoded, so that `&` and any byte can be in it.
pub(super) fn decoded(value: &str) -> Result<String, Problem> {
    let text = percent_encoding::percent_decode_str(value).decode_utf8();
    text.map(Into::into).map_err(|_| Problem::refused(value, "not UTF-8 after percent-decoding"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::mount::Links;

    fn parse(text: &str) -> Result<Target, Vec<TargetMistake>> {
        Target::parse(text, Path::new("/base"))
    }

    #[test]
    fn each_form_is_understood() {
        let fastcgi = |addresses: &[Address]| Target::FastCgi(addresses.to_vec(), FastCgiOptions::default());
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let rows = [
            ("app:demo", Target::App(App::Demo, GuardOptions::default())),
            ("cgi:x", Target::Cgi("/base/x".into(), CgiOptions::default())),
            ("cgi:/abs/dir/", Target::Cgi("/abs/dir/".into(), CgiOptions::default())),
            ("cgi:with:colon", Target::Cgi("/base/with:colon".into(), CgiOptions::default())),
            ("static:.", Target::Static("/base/.".into(), StaticOptions::default())),
            ("fastcgi:unix:s.sock", fastcgi(&[Address::unix("/base/s.sock")])),
            ("fastcgi:unix:/run/s", fastcgi(&[Address::unix("/run/s")])),
            ("fastcgi:tcp:h:9000", fastcgi(&[Address::tcp("h", 9000)])),
            ("fastcgi:tcp:[::1]:9", fastcgi(&[Address::tcp("::1", 9)])),
            (
                "fastcgi:unix:a,unix:/b,tcp:h:9",
                fastcgi(&[Address::unix("/base/a"), Address::unix("/b"), Address::tcp("h", 9)]),
            ),
            ("fastcgi:unix:/a,b,c", fastcgi(&[Address::unix("/a,b,c")])),
            ("php:unix:s", Target::Php(vec![Address::unix("/base/s")], PhpOptions::default())),
            (
                "php:tcp:h:9000,unix:/s",
                Target::Php(vec![Address::tcp("h", 9000), Address::unix("/s")], PhpOptions::default()),
            ),
            ("http://h:80/x", Target::Http("http://h:80/x".parse().unwrap(), ProxyOptions::default())),
            ("http:tcp:h:80", Target::Http("tcp:h:80".parse().unwrap(), ProxyOptions::default())),
            ("http:unix:s", Target::Http("unix:/base/s".parse().unwrap(), ProxyOptions::default())),
            ("fastcgi:spawn:php-cgi", Target::Spawn(words(&["php-cgi"]), SpawnOptions::default())),
            ("fastcgi:spawn:a 'b c' d=e:f", Target::Spawn(words(&["a", "b c", "d=e:f"]), SpawnOptions::default())),
            ("cgi:x?", Target::Cgi("/base/x".into(), CgiOptions::default())),
            ("cgi:x?&&", Target::Cgi("/base/x".into(), CgiOptions::default())),
        ];
        for (text, wanted) in rows {
            assert_eq!(parse(text), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_no_target_is_refused_whole() {
        let texts = [
            "",
            "demo",
            "app",
            "app:",
            "app:Demo",
            "app:demo:x",
            "cgi",
            "cgi:",
            "CGI:x",
            "static:",
            "fastcgi:",
            "fastcgi:x",
            "fastcgi:unix:",
            "fastcgi:unix",
            "fastcgi:tcp:",
            "fastcgi:tcp:host",
            "fastcgi:tcp:host:x",
            "fastcgi:tcp:host:99999",
            "fastcgi:tcp::9000",
            "fastcgi:unix:a,unix:a",
            "fastcgi:unix:a,unix:",
            "fastcgi:tcp:h:9,",
            "fastcgi:tcp:h:9,h:10",
            "fastcgi:spawn:",
            "php:",
            "php:unix",
            "php:tcp:h",
            "php:spawn:php-cgi",
            "fastcgi:spawn: ",
            "fastcgi:spawn:'a",
            "http:",
            "http:host",
            "http:unix:",
            "http://user@host",
            "https://host",
            "?x=y",
        ];
        for text in texts {
            let mistakes = parse(text).expect_err(text);
            assert!(matches!(mistakes.as_slice(), [TargetMistake { option: None, .. }]), "{text}: {mistakes:?}");
        }
    }

    #[test]
    fn options_fill_their_fields() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let Ok(Target::Cgi(_, cgi)) = parse(
            "cgi:x?timeout=5s&max_children=3&argument=-a&argument=b%20c&env.A=1%262&env.B=&root=www&authorization=true",
        ) else {
            panic!("no CGI target")
        };
        assert_eq!((cgi.timeout, cgi.max_children, cgi.authorization), (seconds(5), Some(3), true));
        assert_eq!((cgi.arguments, cgi.root), (vec!["-a".to_owned(), "b c".to_owned()], Some("/base/www".into())));
        assert_eq!(cgi.env, [("A".to_owned(), "1&2".to_owned()), ("B".to_owned(), String::new())]);

        let Ok(Target::Spawn(_, spawn)) =
            parse("fastcgi:spawn:w?workers=2&read_timeout=4s&env.lower_ok=1&param.X=y&directory=d&split=.php&split=.x")
        else {
            panic!("no spawn target")
        };
        assert_eq!((spawn.pool.workers, spawn.client.read_timeout), (Some(2), seconds(4)));
        assert_eq!(spawn.pool.env, [("lower_ok".to_owned(), "1".to_owned())]);
        assert_eq!(spawn.client.params, [("X".to_owned(), "y".to_owned())]);
        assert_eq!(
            (spawn.pool.directory, spawn.client.suffixes),
            (Some("/base/d".into()), vec![".php".into(), ".x".into()])
        );

        let Ok(Target::Static(_, files)) = parse("static:x?index=false&links=anywhere") else {
            panic!("no static target")
        };
        assert_eq!((files.index, files.links), (Some(false), Links::Anywhere));
    }

    #[test]
    fn every_kind_can_have_an_authorizer() {
        let guard = GuardOptions {
            authorizer: Some(Address::unix("/base/a.sock")),
            authorizer_timeout: Some(Duration::from_secs(2)),
        };
        for place in
            ["app:demo", "cgi:x", "static:x", "php:unix:x", "fastcgi:unix:x", "fastcgi:tcp:h:1", "fastcgi:spawn:x"]
        {
            let target = parse(&format!("{place}?authorizer=unix:a.sock&authorizer_timeout=2s")).unwrap();
            assert_eq!(target.guard(), &guard, "{place}");
            assert!(parse(&format!("{place}?authorizer=a.sock")).is_err(), "{place}");
            assert!(parse(&format!("{place}?authorizers=unix:a")).is_err(), "{place}");
        }
    }

    #[test]
    fn cgi_10_11_the_requests_own_variables_are_not_the_operators() {
        for name in ["PATH_INFO", "REQUEST_METHOD", "HTTP_PROXY", "HTTP_COOKIE", "path_info", "A-B", "1A", "A.B", "Ä"]
        {
            for (target, key) in [("cgi:x", "env"), ("fastcgi:tcp:h:1", "param"), ("fastcgi:spawn:x", "param")] {
                assert!(parse(&format!("{target}?{key}.{name}=1")).is_err(), "{target} {name}");
            }
        }
    }

    #[test]
    fn every_mistake_in_the_options_is_found() {
        let mistakes =
            parse("fastcgi:unix:x?workers=2&read_timeout=soon&read_timeout=1s&env.A=1&index=a/b&x&param.A=%ff")
                .unwrap_err();
        let keys: Vec<&str> = mistakes.iter().filter_map(|mistake| mistake.option.as_deref()).collect();
        assert_eq!(keys, ["workers", "read_timeout", "read_timeout", "env.A", "index", "x", "param.A"]);
    }
}
