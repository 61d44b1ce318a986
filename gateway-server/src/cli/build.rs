//! From settings to what answers: each mount becomes a handler.
//!
//! Holds the construction, within a runtime, because workers are started here. Does not hold listening or stopping.

use std::sync::Arc;
use std::time::Duration;

use gateway_cgi::host::{self, Cgi, Confinement, Interpreter, SharedPlaces};
use gateway_cgi::spool;
use gateway_cgi::variables::{Credentials, MetaVariables};
use gateway_fastcgi::client::{self, Client, Tree};
use gateway_fastcgi::manager::{Workers, WorkersHandle};
use gateway_fastcgi::net::Address;
use gateway_spec::{
    AppError, Application, AsyncApplication, AsyncResponse, Body, Environ, InlineApplication, InputStream,
    StartResponse, StatusCode, headers,
};

use super::admin::Sources;
use super::logging::error_stream_of;
use super::mistake::Place;
use super::options::{CgiOptions, FastCgiOptions, FileOptions, PhpOptions, ProxyOptions, SpawnOptions};
use super::settings::Mount;
use super::target::{App, Target};
use crate::demo::{Demo, FrontPage, Way};
use crate::mount::{Links, MountTable, NamedFiles, PhpSite, Prefix, Proxy, ProxyConfig, Site, StaticFiles};
use crate::serve::Handler;

/// What answers, and the workers behind it, which live as long as this does.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) site: Site,
    pub(super) workers: Vec<Group>,
    /// What the admin listener tells of.
    pub(super) sources: Sources,
    /// The places of CGI programs in all mounts, if there is a limit to them.
    places: Option<SharedPlaces>,
}

/// The workers of one mount, and who asks them.
#[derive(Debug)]
pub(super) struct Group {
    name: String,
    workers: Workers,
    client: Client,
}

impl Group {
    /// What its workers can be asked by.
    pub(super) fn handle(&self) -> WorkersHandle {
        self.workers.handle()
    }

    /// Where its workers answer is private, so it is called by what was mounted.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Stops the workers. Their kept connections go first: some programs, php-cgi among them, do not end while they have one.
    pub(super) async fn stop(self) {
        self.client.close_kept();
        self.workers.stop().await;
    }
}

/// A mount that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {source}")]
pub(super) struct BuildError {
    place: Place,
    source: AppError,
}

/// Makes every mount; if one cannot be made, those before it are undone.
pub(super) fn build(mounts: &[Mount], max_children: Option<usize>) -> Result<Built, BuildError> {
    let places = max_children.map(SharedPlaces::new);
    let mut built = Built { site: Site::new(), workers: Vec::new(), sources: Sources::default(), places };
    let mut table = MountTable::new();
    for mount in mounts {
        let failed = |source| BuildError { place: mount.target_place.clone(), source };
        let known = (built.sources.clients.len(), built.sources.hosts.len());
        let handler = built.handler(&mount.target).map_err(failed)?;
        built.sources.name_since(known, &mount.prefix.to_string());
        table.mount(mount.prefix.clone(), handler).map_err(|error| failed(error.into()))?;
        tracing::info!(prefix = %mount.prefix, handler = %mount.target, "mounted");
    }
    // So that a request for nothing is in the access log, like any other; where `/` is mounted, that stays.
    let _ = table.mount(Prefix::root(), Handler::new(Nothing));
    built.site.complete(table);
    Ok(built)
}

/// How long an authorizer may take: a check of a password or of a session, not a page.
const AUTHORIZER_TIMEOUT: Duration = Duration::from_secs(10);

/// What is mounted where nothing is.
struct Nothing;

impl Application for Nothing {
    fn call(&self, _: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        start_response(StatusCode::NOT_FOUND, headers!["content-type" => "text/plain"])?;
        Ok("404 Not Found\n".into())
    }
}

/// CGI programs whose standard error is in the log with the path of the request.
struct Told(Cgi);

impl AsyncApplication for Told {
    async fn call(&self, mut environ: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
        environ.errors = error_stream_of(&environ);
        self.0.call(environ, input).await
    }
}

impl Built {
    /// What answers, behind its authorizer if it has one.
    fn handler(&mut self, target: &Target) -> Result<Handler, AppError> {
        let handler = self.unguarded(target)?;
        let guard = target.guard();
        Ok(match &guard.authorizer {
            None => handler,
            Some(address) => {
                let config =
                    client::Config::default().head_timeout(guard.authorizer_timeout.unwrap_or(AUTHORIZER_TIMEOUT));
                let authorizer = client::Authorizer::new(address.clone(), config);
                let app = match handler {
                    Handler::Sync(app) => Arc::new(InlineApplication::new(app)),
                    Handler::Async(app) => app,
                };
                Handler::asynchronous(authorizer.protect(app))
            }
        })
    }

    fn unguarded(&mut self, target: &Target) -> Result<Handler, AppError> {
        Ok(match target {
            Target::App(App::Demo, _) => Handler::new(Demo::new(Way::InProcess)),
            Target::App(App::TourDemo, _) => Handler::new(Demo::new(Way::InProcess).with_neighbours()),
            Target::App(App::FrontPage, _) => Handler::new(FrontPage),
            Target::Cgi(path, options) => {
                let config = cgi_config(options)?;
                if options.user.is_none() && rustix::process::geteuid().is_root() {
                    tracing::warn!(target = %target, "its programs run as root; user=NAME changes that");
                }
                let config = with(config, self.places.clone(), host::Config::shared_places);
                let cgi = if path.is_dir() { Cgi::directory(path, config)? } else { Cgi::file(path, config)? };
                self.sources.hosts.push((String::new(), cgi.clone()));
                named_files(Told(cgi.local_redirects_to(Arc::new(self.site.clone()))), &options.files)?
            }
            Target::FastCgi(addresses, options) => named_files(self.client(addresses, options)?, &options.files)?,
            Target::Spawn(words, options) => named_files(self.spawn(words, options)?, &options.client.files)?,
            Target::Php(addresses, options) => named_files(self.php(addresses, options)?, &options.client.files)?,
            Target::Http(upstream, options) => {
                let proxy = Proxy::new(upstream.clone(), proxy_config(options));
                named_files(proxy, &options.files)?
            }
            Target::Static(path, options) => {
                let files = StaticFiles::new(path)?.links(options.links).precompressed(options.precompressed);
                Handler::asynchronous(options.index.into_iter().fold(files, StaticFiles::index))
            }
        })
    }

    fn spawn(&mut self, words: &[String], options: &SpawnOptions) -> Result<Client, AppError> {
        let (program, arguments) = words.split_first().ok_or("no command")?;
        let mode = options.pool.mode();
        tracing::info!(program, mode = mode.name(), count = mode.max_children(), "starting workers");
        let workers = Workers::spawn(program, arguments, mode, options.pool.config()?)?;
        let client = self.client(std::slice::from_ref(workers.address()), &keeping_all(&options.client))?;
        self.workers.push(Group { name: words.join(" "), workers, client: client.clone() });
        Ok(client)
    }

    /// A PHP site: its tree has what the client's options say about scripts.
    fn php(&mut self, addresses: &[Address], options: &PhpOptions) -> Result<PhpSite, AppError> {
        let client = &options.client;
        let root = client.root.as_ref().ok_or("root is missing")?;
        let names = [client.index.as_deref().unwrap_or("index.php"), "index.html"];
        let mut tree = Tree::new(root).index(names).links_lead_anywhere(options.links == Links::Anywhere);
        if !client.suffixes.is_empty() {
            tree = tree.suffixes(&client.suffixes);
        }
        tree = with(tree, client.worker_root.as_ref(), Tree::worker_root);
        let mut site = PhpSite::of(tree, self.client(addresses, client)?);
        site = options.denied.iter().fold(site, PhpSite::deny);
        site = options.without_scripts.iter().fold(site, PhpSite::no_scripts);
        Ok(with(site, options.fallback.as_ref(), PhpSite::fallback))
    }

    fn client(&mut self, addresses: &[Address], options: &FastCgiOptions) -> Result<Client, AppError> {
        let (first, others) = addresses.split_first().ok_or("no address")?;
        let client = Client::new(first.clone(), client_config(options));
        let client = others.iter().cloned().fold(client, Client::and_upstream);
        self.sources.clients.push((String::new(), client.clone()));
        Ok(client.local_redirects_to(Arc::new(self.site.clone())))
    }
}

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

/// Programs that may name files, within the folders of their mount.
fn named_files(app: impl AsyncApplication, files: &FileOptions) -> std::io::Result<Handler> {
    let mut app = NamedFiles::new(app);
    if let Some(root) = &files.sendfile {
        app = app.sendfile(root)?;
    }
    for (prefix, root) in &files.accel {
        app = app.accel(prefix.clone(), root)?;
    }
    Ok(Handler::asynchronous(app))
}

/// Workers that the gateway starts itself mostly serve many connections each, so all connections are kept. For those that
/// serve one at a time the operator says otherwise: a kept connection holds such a worker (FCGI-118).
fn keeping_all(options: &FastCgiOptions) -> FastCgiOptions {
    FastCgiOptions { max_kept: options.max_kept.or(Some(usize::MAX)), ..options.clone() }
}

fn client_config(options: &FastCgiOptions) -> client::Config {
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

fn proxy_config(options: &ProxyOptions) -> ProxyConfig {
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
