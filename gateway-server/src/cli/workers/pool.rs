//! What can be set about workers that this process starts, and what it comes to.

use std::path::PathBuf;
use std::time::Duration;

use gateway_cgi::host::{Confinement, Resource};
use gateway_fastcgi::manager::{Config, FinishSignal, Limits, Mode};

use crate::cli::configs::with;

/// The options of `fastcgi:spawn:…` that are about workers, and of `gateway workers`. What is not set stays with the default of the
/// manager.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::cli) struct PoolOptions {
    pub(in crate::cli) mode: Option<ModeName>,
    pub(in crate::cli) workers: Option<usize>,
    pub(in crate::cli) start: Option<usize>,
    pub(in crate::cli) min_spare: Option<usize>,
    pub(in crate::cli) max_spare: Option<usize>,
    pub(in crate::cli) process_idle_timeout: Option<Duration>,
    pub(in crate::cli) max_spawn_rate: Option<usize>,
    pub(in crate::cli) max_requests: Option<usize>,
    pub(in crate::cli) max_requests_jitter: Option<usize>,
    pub(in crate::cli) lifetime: Option<Duration>,
    pub(in crate::cli) max_resident: Option<u64>,
    pub(in crate::cli) request_timeout: Option<Duration>,
    pub(in crate::cli) slow_after: Option<Duration>,
    pub(in crate::cli) interval: Option<Duration>,
    pub(in crate::cli) ready_after: Option<Duration>,
    pub(in crate::cli) start_timeout: Option<Duration>,
    pub(in crate::cli) finish_timeout: Option<Duration>,
    pub(in crate::cli) stop_timeout: Option<Duration>,
    pub(in crate::cli) finish_signal: Option<FinishSignal>,
    pub(in crate::cli) max_restart_delay: Option<Duration>,
    pub(in crate::cli) emergency_crashes: Option<usize>,
    pub(in crate::cli) emergency_interval: Option<Duration>,
    pub(in crate::cli) directory: Option<PathBuf>,
    pub(in crate::cli) user: Option<String>,
    pub(in crate::cli) group: Option<String>,
    pub(in crate::cli) umask: Option<u32>,
    pub(in crate::cli) resources: Vec<(Resource, u64)>,
    pub(in crate::cli) no_new_privileges: bool,
    pub(in crate::cli) control: Option<bool>,
    pub(in crate::cli) inherit: Vec<String>,
    pub(in crate::cli) env: Vec<(String, String)>,
}

/// The three modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum ModeName {
    Static,
    Dynamic,
    OnDemand,
}

/// Enough for one to answer while the other is replaced.
const WORKERS: usize = 2;

/// As php-fpm's process_idle_timeout.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The list of addresses that the specification names (FastCGI 1.0 §3.2).
const PEERS: &str = "FCGI_WEB_SERVER_ADDRS";

/// Long enough for a pattern, short enough to be one.
const EMERGENCY_INTERVAL: Duration = Duration::from_secs(60);

impl PoolOptions {
    /// Whether a key may come more than once, each adding a value.
    pub(in crate::cli) fn repeats(key: &str) -> bool {
        key == "inherit"
    }

    /// Whether workers are told whom they may serve over TCP (FCGI-5): here, or by this process's own environment.
    pub(in crate::cli) fn has_list_of_peers(&self) -> bool {
        self.env.iter().any(|(name, _)| name == PEERS) || std::env::var_os(PEERS).is_some()
    }

    /// How many workers there are.
    pub(in crate::cli) fn mode(&self) -> Mode {
        let most = self.most();
        match self.mode.unwrap_or(ModeName::Static) {
            ModeName::Static => Mode::from(most),
            ModeName::OnDemand => Mode::on_demand(most, self.process_idle_timeout.unwrap_or(IDLE_TIMEOUT)),
            ModeName::Dynamic => {
                let (min_spare, max_spare) = self.spares();
                // As php-fpm: half way between the spares.
                let start = self.start.unwrap_or(min_spare + max_spare.saturating_sub(min_spare) / 2);
                Mode::dynamic(most, start, min_spare, max_spare)
            }
        }
    }

    /// The most workers there may be.
    pub(super) fn most(&self) -> usize {
        self.workers.unwrap_or(WORKERS)
    }

    /// The fewest and the most that are idle in dynamic mode, as given or by default.
    pub(super) fn spares(&self) -> (usize, usize) {
        let min_spare = self.min_spare.unwrap_or(1);
        (min_spare, self.max_spare.unwrap_or((self.most() / 2).max(min_spare)))
    }

    /// How they are started, restarted and stopped.
    ///
    /// # Errors
    /// There is no such user or group.
    pub(in crate::cli) fn config(&self) -> std::io::Result<Config> {
        let mut config = Config::default().limits(self.limits()).confinement(self.confinement()?);
        for (name, value) in &self.env {
            config = config.variable(name, value);
        }
        for name in &self.inherit {
            config = config.inherit(name);
        }
        config = with(config, self.directory.as_ref(), Config::working_directory);
        config = with(config, self.max_spawn_rate, Config::max_spawn_rate);
        config = with(config, self.interval, Config::interval);
        config = with(config, self.ready_after, Config::stable_after);
        config = with(config, self.start_timeout, Config::start_timeout);
        config = with(config, self.finish_timeout, Config::finish_timeout);
        config = with(config, self.stop_timeout, Config::stop_timeout);
        config = with(config, self.finish_signal, Config::finish_signal);
        config = with(config, self.max_restart_delay, Config::max_restart_delay);
        config = with(config, self.control, Config::control);
        let within = self.emergency_interval.unwrap_or(EMERGENCY_INTERVAL);
        Ok(with(config, self.emergency_crashes, |config, crashes| config.emergency(crashes, within)))
    }

    fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        limits = with(limits, self.max_requests.map(|most| most as u64), Limits::max_requests);
        limits = with(limits, self.max_requests_jitter.map(|most| most as u64), Limits::max_requests_jitter);
        limits = with(limits, self.lifetime, Limits::lifetime);
        limits = with(limits, self.max_resident, Limits::max_memory_bytes);
        limits = with(limits, self.request_timeout, Limits::request_timeout);
        with(limits, self.slow_after, Limits::slow_after)
    }

    fn confinement(&self) -> std::io::Result<Confinement> {
        let mut confinement = Confinement::new();
        if let Some(user) = &self.user {
            confinement = confinement.user(user)?;
        }
        // After the user, whose groups it replaces.
        if let Some(group) = &self.group {
            confinement = confinement.group(group)?;
        }
        confinement = with(confinement, self.umask, Confinement::umask);
        for (resource, value) in &self.resources {
            confinement = confinement.limit(*resource, *value);
        }
        Ok(if self.no_new_privileges { confinement.no_new_privileges() } else { confinement })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_the_meanings_of_php_fpm() {
        let dynamic = PoolOptions { mode: Some(ModeName::Dynamic), workers: Some(20), ..PoolOptions::default() };
        assert_eq!(dynamic.mode(), Mode::dynamic(20, 5, 1, 10));
        let spares = PoolOptions { min_spare: Some(2), max_spare: Some(6), ..dynamic };
        assert_eq!(spares.mode(), Mode::dynamic(20, 4, 2, 6));
        let on_demand = PoolOptions { mode: Some(ModeName::OnDemand), ..spares };
        assert_eq!(on_demand.mode(), Mode::on_demand(20, IDLE_TIMEOUT));
        assert_eq!(PoolOptions::default().mode(), Mode::from(2));
    }
}
