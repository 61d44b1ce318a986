//! The models that are compared: who listens, and how the application is reached.
//!
//! Holds one line for each model; a further server or a further way to run workers is a further line.

use serde::{Deserialize, Serialize};

/// Who listens for HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Front {
    /// The application itself: there is no other process.
    Application,
    /// `gateway serve`.
    Gateway,
    /// nginx.
    Nginx,
    /// Apache httpd.
    Apache,
    /// lighttpd.
    Lighttpd,
}

/// How the listener reaches the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Way {
    /// By a function call.
    InProcess,
    /// As a FastCGI worker on a unix socket.
    FastCgiUnix,
    /// As a FastCGI worker on a TCP port.
    FastCgiTcp,
    /// As a CGI program.
    Cgi,
}

impl Way {
    /// Whether workers stay between requests, beside the listener.
    pub(crate) fn is_fastcgi(self) -> bool {
        matches!(self, Way::FastCgiUnix | Way::FastCgiTcp)
    }
}

/// One model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Model {
    /// A short name without spaces, for files and tables, such as `fastcgi-unix-2`.
    pub(crate) key: String,
    /// The name for people, such as `FastCGI, unix socket, 2 workers`.
    pub(crate) title: String,
    /// Who listens.
    pub(crate) front: Front,
    /// How the application is reached.
    pub(crate) way: Way,
    /// Worker processes; 0 where there are none.
    pub(crate) workers: usize,
}

impl Model {
    fn new(key: &str, title: &str, front: Front, way: Way, workers: usize) -> Self {
        Model { key: key.to_owned(), title: title.to_owned(), front, way, workers }
    }
}

/// The models of this project's own gateways, with `many` workers where there are several.
pub(crate) fn ours(many: usize) -> Vec<Model> {
    let several = |way: &str| (format!("fastcgi-{way}-{many}"), many);
    let (unix, tcp) = (several("unix"), several("tcp"));
    vec![
        Model::new("in-process", "In-process", Front::Application, Way::InProcess, 0),
        Model::new("fastcgi-unix-1", "FastCGI, unix, 1 worker", Front::Gateway, Way::FastCgiUnix, 1),
        Model::new(&unix.0, &format!("FastCGI, unix, {many} workers"), Front::Gateway, Way::FastCgiUnix, unix.1),
        Model::new("fastcgi-tcp-1", "FastCGI, TCP, 1 worker", Front::Gateway, Way::FastCgiTcp, 1),
        Model::new(&tcp.0, &format!("FastCGI, TCP, {many} workers"), Front::Gateway, Way::FastCgiTcp, tcp.1),
        Model::new("cgi", "CGI", Front::Gateway, Way::Cgi, 0),
    ]
}

/// The same application behind other servers.
pub(crate) fn peers(many: usize) -> Vec<Model> {
    vec![
        Model::new("nginx-fastcgi", "nginx, FastCGI", Front::Nginx, Way::FastCgiUnix, many),
        Model::new("apache-fastcgi", "Apache, FastCGI", Front::Apache, Way::FastCgiUnix, many),
        Model::new("lighttpd-fastcgi", "lighttpd, FastCGI", Front::Lighttpd, Way::FastCgiUnix, many),
        Model::new("apache-cgi", "Apache, CGI", Front::Apache, Way::Cgi, 0),
        Model::new("lighttpd-cgi", "lighttpd, CGI", Front::Lighttpd, Way::Cgi, 0),
    ]
}
