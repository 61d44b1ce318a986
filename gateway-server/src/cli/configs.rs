//! From the options of a target to the configuration of what answers there.
//!
//! Does not hold the options (`options`), or what is made with a configuration (`build`).

use gateway_cgi::host::{self, Confinement, Interpreter};
use gateway_cgi::spool;
use gateway_cgi::variables::{Credentials, MetaVariables};
use gateway_fastcgi::client;

use super::options::{CgiOptions, FastCgiOptions, ProxyOptions};
use crate::mount::{Links, ProxyConfig};

/// All that the options of CGI programs say, confinement included: whoever runs programs with them starts here.
pub(super) fn cgi_config(options: &CgiOptions) -> std::io::Result<host::Config> {
    Ok(answering(options).confinement(confinement(options)?))
}

fn answering(options: &CgiOptions) -> host::Config {
    let mut variables = variables(&options.env, options.authorization);
    variables = with(variables, options.root.as_ref().map(|root| path_bytes(root)), MetaVariables::document_root);
    variables = with(variables, options.server_name.as_deref(), MetaVariables::server_name);
    variables = with(variables, options.server_port.as_deref(), MetaVariables::server_port);
    let links = match options.links {
        Links::Inside => host::Links::Inside,
        Links::Anywhere => host::Links::Anywhere,
    };
    let mut config = host::Config::new().variables(variables).links(links).nph(options.nph);
    for (extension, words) in &options.interpreters {
        if let Some((program, arguments)) = words.split_first() {
            let interpreter = arguments.iter().fold(Interpreter::new(program), Interpreter::argument);
            config = config.interpreter(extension, interpreter);
        }
    }
    if !options.index.is_empty() {
        config = config.index_names(&options.index);
    }
    for argument in &options.arguments {
        config = config.argument(argument);
    }
    for name in &options.inherit {
        config = config.inherit(name);
    }
    config = with(config, options.timeout, host::Config::total_timeout);
    config = with(config, options.header_timeout, host::Config::head_timeout);
    config = with(config, options.idle_timeout, host::Config::idle_timeout);
    config = with(config, options.queue_timeout, host::Config::queue_timeout);
    config = with(config, options.max_children, host::Config::max_children);
    config = with(config, options.max_children_per_program, host::Config::max_children_per_program);
    config = config.unknown_length(options.unknown_length);
    with(config, options.max_spool.map(spool_of), host::Config::spool)
}

fn confinement(options: &CgiOptions) -> std::io::Result<Confinement> {
    let mut confinement = Confinement::new();
    if let Some(user) = &options.user {
        confinement = confinement.user(user)?;
    }
    // After the user, whose groups it replaces.
    if let Some(group) = &options.group {
        confinement = confinement.group(group)?;
    }
    confinement = with(confinement, options.directory.as_ref(), Confinement::directory);
    confinement = with(confinement, options.umask, Confinement::umask);
    for (resource, value) in &options.resources {
        confinement = confinement.limit(*resource, *value);
    }
    if options.no_new_privileges {
        confinement = confinement.no_new_privileges();
    }
    if options.read_only { confinement.read_only(&options.writable) } else { Ok(confinement) }
}

/// Workers that the gateway starts itself mostly serve many connections each, so all connections are kept. For those that
/// serve one at a time the operator says otherwise: a kept connection holds such a worker (FCGI-118).
pub(super) fn keeping_all(options: &FastCgiOptions) -> FastCgiOptions {
    FastCgiOptions { max_kept: options.max_kept.or(Some(usize::MAX)), ..options.clone() }
}

pub(super) fn client_config(options: &FastCgiOptions) -> client::Config {
    let mut config = client::Config::default().variables(variables(&options.params, options.authorization));
    config = with(config, options.timeout.map(Some), client::Config::total_timeout);
    config = with(config, options.connect_timeout, client::Config::connect_timeout);
    config = with(config, options.header_timeout, client::Config::head_timeout);
    config = with(config, options.read_timeout, client::Config::read_timeout);
    config = with(config, options.queue_timeout, client::Config::queue_timeout);
    config = with(config, options.idle_timeout, client::Config::idle_timeout);
    config = with(config, options.max_connections, client::Config::max_connections);
    config = with(config, options.max_kept, client::Config::max_kept);
    config = with(config, options.multiplex, client::Config::multiplex);
    config = with(config, options.max_multiplexed, client::Config::max_multiplexed);
    config = with(config, options.max_window, client::Config::max_window_bytes);
    config = with(config, options.max_queue, client::Config::max_queue);
    config = with(config, options.max_tries, client::Config::max_tries);
    config = with(config, options.max_failures, client::Config::max_failures);
    config = with(config, options.max_backoff, client::Config::max_backoff);
    config = with(config, options.max_connection_age, client::Config::max_connection_age);
    config = with(config, options.max_spool.map(spool_of), client::Config::spool);
    // `root` comes before what refines it.
    config = with(config, options.root.as_ref(), client::Config::root);
    config = with(config, options.index.as_ref(), client::Config::index);
    if !options.suffixes.is_empty() {
        config = config.suffixes(&options.suffixes);
    }
    config = with(config, options.worker_root.as_ref(), client::Config::worker_root).params(options.set);
    with(config, options.script.as_ref(), client::Config::script)
}

pub(super) fn proxy_config(options: &ProxyOptions) -> ProxyConfig {
    let mut config = with(ProxyConfig::default(), options.paths, ProxyConfig::paths);
    config = with(config, options.host.clone(), ProxyConfig::host);
    config = with(config, options.upgrade, ProxyConfig::upgrade);
    config = with(config, options.timeout.map(Some), ProxyConfig::total_timeout);
    config = with(config, options.connect_timeout, ProxyConfig::connect_timeout);
    config = with(config, options.header_timeout, ProxyConfig::header_timeout);
    config = with(config, options.read_timeout, ProxyConfig::read_timeout);
    config = with(config, options.queue_timeout, ProxyConfig::queue_timeout);
    config = with(config, options.idle_timeout, ProxyConfig::idle_timeout);
    config = with(config, options.tunnel_timeout, ProxyConfig::tunnel_timeout);
    config = with(config, options.max_connections, ProxyConfig::max_connections);
    config = with(config, options.max_kept, ProxyConfig::max_kept);
    config = with(config, options.max_queue, ProxyConfig::max_queue);
    config = with(config, options.max_head_bytes, ProxyConfig::max_head_bytes);
    with(config, options.max_fields, ProxyConfig::max_fields)
}

fn variables(extra: &[(String, String)], authorization: bool) -> MetaVariables {
    let credentials = if authorization { Credentials::Shown } else { Credentials::Hidden };
    let none = MetaVariables::new().credentials(credentials);
    extra.iter().fold(none, |variables, (name, value)| variables.variable(name.as_bytes(), value.as_bytes()))
}

fn spool_of(max_bytes: u64) -> spool::Config {
    spool::Config::default().max_bytes(max_bytes)
}

fn path_bytes(path: &std::path::Path) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec()
}

/// Applies a setter if there is a value; else the default stays.
pub(super) fn with<C, V>(config: C, value: Option<V>, set: impl FnOnce(C, V) -> C) -> C {
    match value {
        Some(value) => set(config, value),
        None => config,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fcgi_118_all_connections_to_our_own_workers_are_kept_unless_the_operator_says_otherwise() {
        let options = |max_kept| FastCgiOptions { max_kept, max_connections: Some(9), ..FastCgiOptions::default() };
        assert_eq!(keeping_all(&options(None)), options(Some(usize::MAX)));
        assert_eq!(keeping_all(&options(Some(2))), options(Some(2)));
    }
}
