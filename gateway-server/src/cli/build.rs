//! From settings to what answers: each mount becomes a handler.
//!
//! Holds the construction, within a runtime, because workers are started here. Does not hold what the options of a target say to it
//! (`configs`), listening or stopping.

use std::sync::Arc;
use std::time::Duration;

use gateway_cgi::host::{self, Cgi, SharedPlaces};
use gateway_fastcgi::client::{self, Client, Tree};
use gateway_fastcgi::manager::{Workers, WorkersHandle};
use gateway_fastcgi::net::Address;
use gateway_spec::{
    AppError, Application, AsyncApplication, AsyncResponse, Body, Environ, InlineApplication, InputStream,
    StartResponse, StatusCode, headers,
};

use super::admin::Sources;
use super::configs::{cgi_config, client_config, keeping_all, proxy_config, with};
use super::logging::error_stream_of;
use super::mistake::Place;
use super::options::{FastCgiOptions, FileOptions, PhpOptions, SpawnOptions};
use super::settings::Mount;
use super::target::{App, Target};
use crate::demo::{Demo, FrontPage, Way};
use crate::mount::{Links, MountTable, NamedFiles, PhpSite, Prefix, Proxy, Site, StaticFiles};
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
