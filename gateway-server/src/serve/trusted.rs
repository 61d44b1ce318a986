//! Whose word about the client is taken (HTTP-52): a list of proxies in front of this server.
//!
//! Holds the list. Does not hold what those proxies say (`forwarding`).

use gateway_fastcgi::net::Peer;
use ipnet::IpNet;
use std::net::IpAddr;
use std::str::FromStr;

/// Proxies in front of this server, by address. The empty list, which is the default, trusts nobody.
///
/// Written with commas: addresses, networks such as `10.0.0.0/8` or `fd00::/8`, and `unix` for whoever connects to a UNIX socket.
///
/// # Examples
/// ```
/// use gateway_server::serve::TrustedProxies;
///
/// let proxies: TrustedProxies = "127.0.0.1, 10.0.0.0/8, unix".parse()?;
/// assert!(proxies.contain("10.1.2.3".parse()?) && !proxies.contain("192.0.2.1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    unix: bool,
}

/// Which fields a trusted proxy sets, so that the others are the client's own and are dropped: most proxies pass on what they do
/// not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForwardedFields {
    /// X-Forwarded-For, -Proto, -Port and their like: nginx, Apache, HAProxy, Traefik, Caddy and most others.
    #[default]
    XForwarded,
    /// Forwarded (RFC 7239).
    Forwarded,
}

/// A list of proxies that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected addresses, networks such as 10.0.0.0/8, or unix, with commas between them; {item:?} is none")]
pub struct TrustedProxiesError {
    /// The first one that is none.
    item: String,
}

impl TrustedProxies {
    /// Whoever connects from this machine: `127.0.0.0/8, ::1, unix`.
    pub fn this_machine() -> Self {
        let [v4, v6] = [IpAddr::from([127, 0, 0, 0]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
        let networks = [IpNet::new(v4, 8), IpNet::new(v6, 128)].into_iter().flatten().collect();
        Self { networks, unix: true }
    }

    /// Whether nobody is trusted.
    pub fn are_none(&self) -> bool {
        self.networks.is_empty() && !self.unix
    }

    /// Whether a proxy with this address is trusted.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Whether this peer is one of them.
    pub(super) fn include(&self, peer: Peer) -> bool {
        match peer.ip() {
            Some(address) => self.contain(address),
            None => self.unix,
        }
    }
}

impl FromStr for TrustedProxies {
    type Err = TrustedProxiesError;

    fn from_str(text: &str) -> Result<Self, TrustedProxiesError> {
        let mut proxies = Self::default();
        for item in text.split(',').map(str::trim) {
            let network = item.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
            match network.or_else(|_| item.parse::<IpNet>()) {
                Ok(network) => proxies.networks.push(network),
                Err(_) if item == "unix" => proxies.unix = true,
                Err(_) => return Err(TrustedProxiesError { item: item.to_owned() }),
            }
        }
        Ok(proxies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_52_addresses_networks_and_sockets_can_be_trusted() {
        let proxies: TrustedProxies = "127.0.0.1, 10.0.0.0/8,fd00::/8, ::1".parse().unwrap();
        for trusted in ["127.0.0.1", "10.255.0.1", "fd12::3", "::1", "::ffff:10.0.0.1"] {
            assert!(proxies.contain(trusted.parse().unwrap()), "{trusted}");
        }
        for stranger in ["127.0.0.2", "11.0.0.1", "fe80::1", "::ffff:11.0.0.1"] {
            assert!(!proxies.contain(stranger.parse().unwrap()), "{stranger}");
        }
        assert!(TrustedProxies::default().are_none() && !"unix".parse::<TrustedProxies>().unwrap().are_none());
    }

    #[test]
    fn what_names_nobody_is_no_list() {
        for text in ["", "127.0.0.1,", "localhost", "*", "10.0.0.0/33", "10.0.0", "Unix"] {
            assert!(text.parse::<TrustedProxies>().is_err(), "{text}");
        }
    }
}
