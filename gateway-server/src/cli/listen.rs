//! Where to listen, and how: `ADDR?key=value&key=value`, with TLS or without.
//!
//! Holds the text of one address with its keys, and what is wrong between addresses and certificate. Does not hold the opening of
//! sockets (`run`) or what TLS is.

use std::path::{Path, PathBuf};

use gateway_fastcgi::net::{Address, Listener, SocketSource};

use super::mistake::{Mistake, Place};
use super::rules::{Problem, Rule, add, apply, put};
use super::settings::Settings;
use super::target::{decoded, resolved_socket};
use super::value::{self, SWITCH};
use crate::serve::{Endpoint, Tls, TrustedProxies};

/// One address, how its connections begin, and where it was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Listen {
    pub(super) socket: SocketSource,
    pub(super) tls: bool,
    pub(super) options: Options,
    pub(super) place: Place,
}

/// What stands behind an address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Options {
    proxies: Option<TrustedProxies>,
    http2: Option<bool>,
}

/// The certificates for all addresses with TLS: each key stands at the place of its certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) certs: Vec<PathBuf>,
    pub(super) keys: Vec<PathBuf>,
    /// Where they were given.
    pub(super) place: Option<Place>,
}

/// What may stand where an address is asked for.
pub(super) const FORMS: &str =
    "HOST:PORT, unix:PATH, systemd or systemd:NAME, each with ?key=value&key=value, or a list of them";

/// Keys of one address.
pub(super) const LISTEN: &[Rule<Options>] = &[
    Rule::new(
        "proxy_protocol",
        "addresses or networks (up to /32, or /128 for IPv6) with commas between them, such as 10.0.0.0/8,::1; unix stands for all peers of a socket file",
        "the proxies whose connections begin with a header of the PROXY protocol, 1 or 2, that says who the client is; all others are refused; without it there is no such header",
        |o, _, v| put(&mut o.proxies, proxies(v)),
    ),
    Rule::new(
        "http2",
        SWITCH,
        "whether HTTP/2 is spoken with clients that want it; true by default with TLS, where it is agreed on; false without, where a client just begins with it",
        |o, _, v| put(&mut o.http2, value::switch(v)),
    ),
];

/// Keys of `[tls]` beside `listen`.
pub(super) const TLS: &[Rule<Settings>] = &[
    Rule::new(
        "cert",
        PATHS,
        "the certificate, and behind it those that lead to its issuer, in PEM form; read again at SIGHUP. Of several, the one for the name that a client asks for, or else the first",
        |s, _, v| add(&mut s.certificate.certs, value::path(v)),
    ),
    Rule::new(
        "key",
        PATHS,
        "its key, in PEM form and without a passphrase; may be the same file. Of several certificates, all keys in the same order",
        |s, _, v| add(&mut s.certificate.keys, value::path(v)),
    ),
];

/// What may stand where certificates or keys are asked for.
const PATHS: &str = "a path, or a list of them";

fn proxies(text: &str) -> Option<TrustedProxies> {
    text.parse().ok().filter(|proxies: &TrustedProxies| !proxies.are_none())
}

impl Listen {
    /// Reads an address with its keys. Relative paths start from `base`. A mistake is told with the key it is about, if there is one.
    pub(super) fn parse(
        text: &str,
        tls: bool,
        base: &Path,
        place: Place,
    ) -> Result<Self, Vec<(Option<String>, Problem)>> {
        let (socket, keys) = text.split_once('?').unwrap_or((text, ""));
        let socket = socket.parse().map_err(|error| vec![(None, Problem::refused(socket, error))])?;
        let mut listen = Self { socket: resolved_socket(socket, base), tls, options: Options::default(), place };
        let mut seen: Vec<&str> = Vec::new();
        let mut problems = Vec::new();
        for pair in keys.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let done = match seen.contains(&key) {
                true => Err(Problem::Twice { first: "behind the same address".to_owned() }),
                false => decoded(value).and_then(|value| apply(LISTEN, &mut listen.options, key, &value)),
            };
            seen.push(key);
            problems.extend(done.err().map(|problem| (Some(key.to_owned()), problem)));
        }
        if problems.is_empty() { Ok(listen) } else { Err(problems) }
    }

    /// Where to listen if nobody says: with TLS if there is a certificate.
    pub(super) fn by_default(certificate: &Certificate) -> Self {
        let tls = !certificate.certs.is_empty();
        let (flag, port) = if tls { ("--tls-listen (default)", 8443) } else { ("--listen (default)", 8080) };
        Self {
            socket: Address::tcp("127.0.0.1", port).into(),
            tls,
            options: Options::default(),
            place: Place::Flag(flag.to_owned()),
        }
    }

    /// An opened socket with everything that was said about it.
    pub(super) fn endpoint(&self, listener: Listener, tls: Option<&Tls>) -> Endpoint {
        let mut endpoint = Endpoint::new(listener);
        if let (true, Some(tls)) = (self.tls, tls) {
            endpoint = endpoint.tls(tls.clone());
        }
        if let Some(proxies) = &self.options.proxies {
            endpoint = endpoint.proxies(proxies.clone());
        }
        match self.options.http2 {
            Some(yes) => endpoint.http2(yes),
            None => endpoint,
        }
    }
}

impl Certificate {
    /// Reads the files; nothing if there are none.
    pub(super) fn open(&self) -> Result<Option<Tls>, Mistake> {
        let read = self.certs.iter().zip(&self.keys).try_fold(None, |tls: Option<Tls>, (cert, key)| match tls {
            None => Tls::from_files(cert, key).map(Some),
            Some(tls) => tls.and_files(cert, key).map(Some),
        });
        read.map_err(|error| Mistake { place: self.place(), problem: Problem::Certificate { why: error.to_string() } })
    }

    /// Takes relative paths as such from `base`.
    pub(super) fn resolve(&mut self, base: &Path) {
        for path in self.certs.iter_mut().chain(&mut self.keys) {
            *path = base.join(&path);
        }
    }

    fn place(&self) -> Place {
        self.place.clone().unwrap_or_else(|| Place::Flag("--tls-cert".to_owned()))
    }
}

/// What is wrong between addresses, between them and the certificate, and with the certificate itself.
pub(super) fn look(settings: &Settings) -> Vec<Mistake> {
    let mut mistakes: Vec<_> = twice(settings).collect();
    mistakes.extend(beyond_the_model(settings));
    mistakes.extend(between_certificates_and_addresses(settings));
    mistakes
}

/// Addresses that are there twice: the second could not be had, and whoever has it would be looked for in vain.
fn twice(settings: &Settings) -> impl Iterator<Item = Mistake> {
    let mut seen: Vec<(&SocketSource, &Place)> = Vec::new();
    settings.listen.iter().filter_map(move |listen| {
        let first = seen.iter().find(|(socket, _)| *socket == &listen.socket).map(|(_, place)| place.to_string());
        // Of free ports there is another each time.
        if !matches!(listen.socket, SocketSource::Address(Address::Tcp { port: 0, .. })) {
            seen.push((&listen.socket, &listen.place));
        }
        Some(Mistake { place: listen.place.clone(), problem: Problem::Twice { first: first? } })
    })
}

/// What comes before the first request, where the model has threads that wait: they speak plain HTTP/1.1.
fn beyond_the_model(settings: &Settings) -> Vec<Mistake> {
    if !settings.model.is_blocking() {
        return Vec::new();
    }
    let why = |what: &str| {
        let given = format!("--model {}", settings.model);
        Problem::refused(given, format!("this model speaks plain HTTP/1.1 only; {what} needs --model event-loops"))
    };
    let by_default = Listen::by_default(&settings.certificate);
    let listens = if settings.listen.is_empty() { std::slice::from_ref(&by_default) } else { &settings.listen };
    let mut mistakes = Vec::new();
    for listen in listens {
        let place = &listen.place;
        if listen.tls {
            mistakes.push(Mistake { place: place.clone(), problem: why("TLS") });
        }
        if listen.options.http2 == Some(true) {
            mistakes.push(Mistake { place: place.inside("http2"), problem: why("HTTP/2") });
        }
        if listen.options.proxies.is_some() {
            mistakes.push(Mistake { place: place.inside("proxy_protocol"), problem: why("the PROXY protocol") });
        }
    }
    mistakes
}

fn between_certificates_and_addresses(settings: &Settings) -> Option<Mistake> {
    let certificate = &settings.certificate;
    let given = |what: &str| settings.given.get(&format!("tls.{what}"));
    // Where one of a pair is a flag, its other half is missed among the flags.
    let missing = |what: &str, other: &str, allowed| {
        let place = match given(other) {
            Some(Place::Flag(_)) => Place::Flag(format!("--tls-{what}")),
            _ => certificate.place().inside(what),
        };
        Some(Mistake { place, problem: Problem::Missing { allowed } })
    };
    match (certificate.certs.len(), certificate.keys.len(), settings.listen.iter().find(|listen| listen.tls)) {
        (0, 1.., _) => missing(
            "cert",
            "key",
            "the file of the certificate that the key belongs to: --tls-cert FILE, or cert in [tls]",
        ),
        (1.., 0, _) => missing("key", "cert", "the file of the certificate's key: --tls-key FILE, or key in [tls]"),
        (certs, keys, _) if certs != keys => {
            let place = given(if certs < keys { "cert" } else { "key" }).cloned();
            Some(Mistake {
                place: place.unwrap_or_else(|| certificate.place()),
                problem: Problem::Pairs { certs, keys },
            })
        }
        (0, _, Some(listen)) => Some(Mistake {
            place: listen.place.clone(),
            problem: Problem::Missing {
                allowed: "a certificate: --tls-cert FILE --tls-key FILE, or cert and key in [tls]",
            },
        }),
        // --listen stays without TLS, so that nobody has to guess which address has it.
        (1.., _, None) if !settings.listen.is_empty() => missing(
            "listen",
            "cert",
            "an address for TLS: --tls-listen ADDR, or listen in [tls]; the others are without",
        ),
        (1.., _, _) => certificate.open().err(),
        (0, _, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Listen, Vec<(Option<String>, Problem)>> {
        Listen::parse(text, false, Path::new("/base"), Place::Flag(String::new()))
    }

    #[test]
    fn an_address_has_its_keys_behind_it() {
        let listen = parse("unix:run/x?proxy_protocol=10.0.0.0/8,unix&http2=true").unwrap();
        assert_eq!(listen.socket.to_string(), "unix:/base/run/x");
        let proxies = "10.0.0.0/8,unix".parse().unwrap();
        assert_eq!(listen.options, Options { proxies: Some(proxies), http2: Some(true) });
        assert_eq!(parse("[::1]:80").unwrap().options, Options::default());
    }

    #[test]
    fn mistakes_behind_an_address_are_told_with_their_key() {
        for (text, key, wanted) in [
            ("127.0.0.1", None, "expected"),
            ("127.0.0.1:1?proxy_protocol=", Some("proxy_protocol"), "networks"),
            ("127.0.0.1:1?proxy_protocol=10.0.0.0/8,anybody", Some("proxy_protocol"), "networks"),
            ("127.0.0.1:1?http2=on", Some("http2"), "true or false"),
            ("127.0.0.1:1?http2=true&http2=true", Some("http2"), "twice"),
            ("127.0.0.1:1?tls=true", Some("tls"), "allowed are proxy_protocol, http2"),
        ] {
            let problems = parse(text).unwrap_err();
            let [(found, problem)] = &problems[..] else { panic!("{problems:?}") };
            assert_eq!(found.as_deref(), key, "{text}");
            assert!(problem.to_string().contains(wanted), "{problem}");
        }
    }
}
