//! How many connections each peer has, so that none takes all places (HTTP-181).
//!
//! Holds the counts, and what becomes of a connection too many. Does not hold who is not counted ([`TrustedProxies`] has the form of
//! that list).

use super::config::Config;
use super::shared::Shared;
use super::transport::reset_at_close;
use super::trusted::TrustedProxies;
use crate::telemetry::Shed;
use gateway_fastcgi::net::Peer;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counts of those who are there.
#[derive(Debug)]
pub(super) struct Peers {
    /// 0 means that nobody is counted.
    limit: usize,
    uncounted: [TrustedProxies; 2],
    counts: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection of a peer; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Present {
    counted: Option<(Arc<Peers>, IpAddr)>,
}

impl Peers {
    pub(super) fn of(config: &Config) -> Arc<Self> {
        Arc::new(Self {
            limit: config.max_connections_per_peer,
            uncounted: [config.uncounted_peers.clone(), config.trusted_proxies.clone()],
            counts: Mutex::default(),
        })
    }

    /// Counts one more connection of a peer. `None` if it has as many as it may.
    pub(super) fn enter(self: &Arc<Self>, peer: Peer) -> Option<Present> {
        let address = peer.ip().map(customer);
        let is_counted = self.limit > 0 && !self.uncounted.iter().any(|list| list.include(peer));
        let Some(address) = address.filter(|_| is_counted) else { return Some(Present { counted: None }) };
        let mut counts = self.counts();
        let count = counts.entry(address).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Present { counted: Some((Arc::clone(self), address)) })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Present {
    /// Somebody who is not counted, or is by another name later.
    pub(super) fn uncounted() -> Self {
        Self { counted: None }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let Some((peers, address)) = &self.counted else { return };
        let mut counts = peers.counts();
        if let Some(count) = counts.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(address);
            }
        }
    }
}

impl Shared {
    /// Counts one more connection of a peer. `None` if it has as many as it may: then the connection is to be dropped. A reset keeps
    /// nothing of it here.
    pub(super) fn let_in(&self, stream: &impl AsFd, peer: Peer) -> Option<Present> {
        let present = self.peers.enter(peer);
        if present.is_none() {
            if let Some(metrics) = self.metrics() {
                metrics.connection_shed(Shed::Peer);
            }
            if self.crowded.is_due() {
                tracing::warn!(%peer, "connection closed: its peer has max_connections_per_peer; a proxy belongs in trusted_proxies or uncounted_peers");
            }
            reset_at_close(stream);
        }
        present
    }
}

/// What stands for a customer: an IPv4 address, or the network of 64 bits that one gets with IPv6.
fn customer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_fastcgi::net::PeerCredentials;

    fn peer(address: &str) -> Peer {
        Peer::Tcp((address.parse::<IpAddr>().unwrap(), 1).into())
    }

    #[test]
    fn http_181_each_peer_has_its_own_count_and_gets_it_back() {
        let peers = Peers::of(&Config::default().max_connections_per_peer(2));
        let first = peers.enter(peer("192.0.2.1"));
        let second = peers.enter(peer("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(peers.enter(peer("192.0.2.1")).is_none(), "a third");
        assert!(peers.enter(peer("192.0.2.2")).is_some(), "somebody else");
        drop(first);
        assert!(peers.enter(peer("192.0.2.1")).is_some(), "a place is free again");
        drop(second);
        assert!(peers.counts().is_empty(), "nobody who has gone is remembered");
    }

    #[test]
    fn http_181_with_ipv6_a_network_is_one_peer() {
        let peers = Peers::of(&Config::default().max_connections_per_peer(1));
        let _held = peers.enter(peer("2001:db8::1"));
        assert!(peers.enter(peer("2001:db8::ffff:2")).is_none());
        assert!(peers.enter(peer("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn http_181_this_machine_and_trusted_proxies_are_not_counted() {
        let trusted = "198.51.100.7".parse().unwrap();
        let peers = Peers::of(&Config::default().max_connections_per_peer(1).trusted_proxies(trusted));
        let unix = Peer::Unix(PeerCredentials { uid: 0, gid: 0, pid: None });
        for peer in [peer("127.0.0.1"), peer("127.9.9.9"), peer("::1"), peer("198.51.100.7"), unix] {
            let held = [peers.enter(peer), peers.enter(peer)];
            assert!(held.iter().all(Option::is_some), "{peer:?}");
        }
        let off = Peers::of(&Config::default().max_connections_per_peer(0));
        let held = [off.enter(peer("192.0.2.1")), off.enter(peer("192.0.2.1"))];
        assert!(held.iter().all(Option::is_some), "0 means no limit");
    }
}
