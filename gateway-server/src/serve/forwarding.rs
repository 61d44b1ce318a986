//! What trusted proxies say about the client, and what becomes of the word of all others (HTTP-52).
//!
//! Holds the reading of X-Forwarded-* and Forwarded (RFC 7239) and the variables that follow from them. Does not hold who is trusted
//! (`trusted`). Nothing of this runs where no proxy is trusted.

use super::trusted::{ForwardedFields, TrustedProxies};
use gateway_fastcgi::net::Peer;
use gateway_spec::{Environ, EnvironError, Scheme};
use std::net::{IpAddr, SocketAddr};

/// Among the extensions of a request that came from a trusted proxy: what it said is true, and this is the proxy's own address.
#[derive(Debug, Clone)]
pub(crate) struct TrustedPeer(
    #[cfg_attr(not(feature = "proxy"), allow(dead_code, reason = "proxy mounts ask for it"))] pub(crate) String,
);

/// What one proxy, or a row of them, says.
#[derive(Debug, Default)]
struct Word {
    /// The client and the proxies before the last, in the order they were passed.
    hops: Vec<String>,
    scheme: Option<String>,
    port: Option<u16>,
}

/// Takes the word of a trusted peer about the client, or drops that of any other.
pub(super) fn apply(
    environ: &mut Environ,
    peer: Peer,
    trusted: &TrustedProxies,
    fields: ForwardedFields,
) -> Result<(), EnvironError> {
    if !trusted.include(peer) {
        drop_fields(environ, |_| true);
        return Ok(());
    }
    let word = match fields {
        ForwardedFields::XForwarded => {
            drop_fields(environ, |name| name == b"HTTP_FORWARDED");
            x_forwarded(environ)
        }
        ForwardedFields::Forwarded => {
            drop_fields(environ, |name| name != b"HTTP_FORWARDED");
            forwarded(environ)
        }
    };
    let peer = environ.remote_addr().map(|address| address.to_string()).unwrap_or_default();
    environ.extensions.insert(TrustedPeer(peer));
    if let Some(client) = client(&word.hops, trusted) {
        environ.set("REMOTE_ADDR", client.to_canonical().to_string())?;
        environ.remove("REMOTE_PORT");
    }
    if let Some(scheme) = word.scheme.as_deref().and_then(scheme) {
        let port = word.port.or_else(|| port_of_host(environ));
        set_scheme(environ, scheme, port)?;
    }
    Ok(())
}

/// Removes those fields about the client that `which` chooses.
fn drop_fields(environ: &mut Environ, which: impl Fn(&[u8]) -> bool) {
    let is_about_client =
        |name: &[u8]| name == b"HTTP_FORWARDED" || name == b"HTTP_X_REAL_IP" || name.starts_with(b"HTTP_X_FORWARDED_");
    let chosen = environ.iter().map(|(name, _)| name).filter(|name| is_about_client(name) && which(name));
    let chosen: Vec<String> = chosen.map(|name| name.to_string()).collect();
    for name in chosen {
        environ.remove(&name);
    }
}

fn x_forwarded(environ: &Environ) -> Word {
    let text = |name| environ.header(name).map(|value| value.to_string()).unwrap_or_default();
    let list = text("x-forwarded-for");
    let hops = list.split(',').map(|hop| hop.trim().to_owned()).filter(|hop| !hop.is_empty()).collect();
    // Of a list, the last was said by the peer itself.
    let last =
        |list: String| list.rsplit(',').next().map(|word| word.trim().to_owned()).filter(|word| !word.is_empty());
    let port = last(text("x-forwarded-port")).and_then(|port| port.parse().ok());
    Word { hops, scheme: last(text("x-forwarded-proto")), port }
}

fn forwarded(environ: &Environ) -> Word {
    let field = environ.header("forwarded").map(|value| value.to_string()).unwrap_or_default();
    let mut word = Word::default();
    for element in outside_quotes(&field, ',') {
        for pair in outside_quotes(element, ';') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "for" => word.hops.push(value.to_owned()),
                "proto" => word.scheme = Some(value.to_owned()),
                _ => {}
            }
        }
    }
    word
}

/// The parts of a text between separators that do not stand in quotation marks.
fn outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |c| {
        is_quoted ^= c == '"';
        c == separator && !is_quoted
    })
}

/// The last hop that is not one of our own proxies: whatever stands before it, anybody may have written. A hop without an address
/// ends the search: the one behind it is the last that is known.
fn client(hops: &[String], trusted: &TrustedProxies) -> Option<IpAddr> {
    let mut known = None;
    for hop in hops.iter().rev() {
        let Some(address) = address(hop) else { break };
        known = Some(address);
        if !trusted.contain(address) {
            break;
        }
    }
    known
}

/// An address, perhaps with a port, IPv6 perhaps in brackets.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

/// Some proxies call WebSocket by its own scheme.
fn scheme(text: &str) -> Option<Scheme> {
    let is = |known: &str| text.eq_ignore_ascii_case(known);
    if is("https") || is("wss") {
        Some(Scheme::Https)
    } else if is("http") || is("ws") {
        Some(Scheme::Http)
    } else {
        None
    }
}

fn set_scheme(environ: &mut Environ, scheme: Scheme, port: Option<u16>) -> Result<(), EnvironError> {
    let is_https = scheme == Scheme::Https;
    environ.set("REQUEST_SCHEME", scheme.as_str())?;
    environ.set("SERVER_PORT", port.unwrap_or(if is_https { 443 } else { 80 }).to_string())?;
    if is_https {
        environ.set("HTTPS", "on")?;
    } else {
        environ.remove("HTTPS");
    }
    environ.url_scheme = scheme;
    Ok(())
}

/// The port that the client asked for: Host is what proxies pass on as it was, if they do.
fn port_of_host(environ: &Environ) -> Option<u16> {
    let host = environ.header("host")?.to_string();
    let (_, port) = host.rsplit_once(':')?;
    port.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REMOTE_ADDR, scheme, port, and the fields that are left, after `fields` came from `peer`.
    #[track_caller]
    fn check(peer: &str, fields: &[(&str, &str)], kind: ForwardedFields, wanted: (&str, &str, &str), left: &[&str]) {
        let trusted: TrustedProxies = "10.0.0.0/8, 127.0.0.1".parse().unwrap();
        let mut environ = Environ::example("GET", "/");
        environ.set("REMOTE_ADDR", peer).unwrap();
        environ.set("REMOTE_PORT", "999").unwrap();
        for (name, value) in fields {
            environ.set(&format!("HTTP_{}", name.to_ascii_uppercase().replace('-', "_")), value).unwrap();
        }
        let peer = Peer::Tcp(SocketAddr::new(peer.parse().unwrap(), 999));
        apply(&mut environ, peer, &trusted, kind).unwrap();
        let text = |name| environ.get(name).map(|value| value.to_string()).unwrap_or_default();
        let got = (text("REMOTE_ADDR"), environ.url_scheme.to_string(), text("SERVER_PORT"));
        assert_eq!((got.0.as_str(), got.1.as_str(), got.2.as_str()), wanted, "{fields:?}");
        assert_eq!(text("HTTPS"), if wanted.1 == "https" { "on" } else { "" });
        let names = environ.request_headers().map(|(name, _)| name).filter(|name| name != "host");
        assert_eq!(names.collect::<Vec<_>>(), left, "{fields:?}");
    }

    #[test]
    fn http_52_the_word_of_strangers_is_dropped() {
        let spoofed = [
            ("X-Forwarded-For", "1.1.1.1"),
            ("X-Forwarded-Proto", "https"),
            ("Forwarded", "for=1.1.1.1"),
            ("X-Real-IP", "1"),
        ];
        for kind in [ForwardedFields::XForwarded, ForwardedFields::Forwarded] {
            check("192.0.2.9", &spoofed, kind, ("192.0.2.9", "http", "80"), &[]);
        }
    }

    #[test]
    fn http_52_the_last_stranger_in_the_row_is_the_client() {
        let rows = [
            ("192.0.2.1", "192.0.2.1"),
            ("1.1.1.1, 192.0.2.1", "192.0.2.1"),
            ("1.1.1.1, 192.0.2.1, 10.0.0.7", "192.0.2.1"),
            ("10.0.0.8, 10.0.0.7", "10.0.0.8"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("1.1.1.1, unknown, 10.0.0.7", "10.0.0.7"),
            ("nonsense", "10.0.0.1"),
            ("", "10.0.0.1"),
        ];
        for (list, client) in rows {
            let fields = [("X-Forwarded-For", list)];
            check("10.0.0.1", &fields, ForwardedFields::XForwarded, (client, "http", "80"), &["x-forwarded-for"]);
        }
    }

    #[test]
    fn the_scheme_of_a_trusted_proxy_counts() {
        let rows = [
            ("https", "", "", "https", "443"),
            ("HTTPS", "8443", "", "https", "8443"),
            ("wss", "", "a:444", "https", "444"),
            ("http, https", "", "", "https", "443"),
            ("http", "", "a:81", "http", "81"),
            ("gopher", "99", "", "http", "80"),
        ];
        for (proto, port, host, scheme, wanted) in rows {
            let fields = [("X-Forwarded-Proto", proto), ("X-Forwarded-Port", port), ("Host", host)];
            let left = ["x-forwarded-proto", "x-forwarded-port"];
            check("127.0.0.1", &fields, ForwardedFields::XForwarded, ("127.0.0.1", scheme, wanted), &left);
        }
    }

    #[test]
    fn http_52_fields_of_the_other_kind_are_the_clients_own() {
        let both = [
            ("X-Forwarded-For", "192.0.2.1"),
            ("Forwarded", "for=\"[2001:db8::2]:5\";host=\"a,b;c\";Proto=https, for=10.0.0.3"),
        ];
        check("10.0.0.1", &both, ForwardedFields::XForwarded, ("192.0.2.1", "http", "80"), &["x-forwarded-for"]);
        check("10.0.0.1", &both, ForwardedFields::Forwarded, ("2001:db8::2", "https", "443"), &["forwarded"]);
    }
}
