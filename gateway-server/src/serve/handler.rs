//! Who answers a request: the seam between the listener and mounts.

use gateway_spec::{Application, AsyncApplication, DynAsyncApplication};
use std::fmt;
use std::sync::Arc;

/// An application in one of the two forms.
#[derive(Clone)]
pub enum Handler {
    /// It may block; it is called on a thread where that does no harm.
    Sync(Arc<dyn Application>),
    /// It waits without blocking.
    Async(Arc<dyn DynAsyncApplication>),
}

impl Handler {
    /// A synchronous application.
    pub fn new(app: impl Application) -> Self {
        Self::Sync(Arc::new(app))
    }

    /// An asynchronous application.
    pub fn asynchronous(app: impl AsyncApplication) -> Self {
        Self::Async(Arc::new(app))
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sync(_) => "Handler::Sync",
            Self::Async(_) => "Handler::Async",
        })
    }
}

/// A handler, and how much of the path leads to it.
#[derive(Debug, Clone, Copy)]
pub struct Route<'a> {
    /// This many bytes of the decoded path become SCRIPT_NAME; the rest becomes PATH_INFO.
    pub script_name_bytes: usize,
    /// Who answers.
    pub handler: &'a Handler,
}

/// Chooses the handler of a request. `None` is answered with 404.
///
/// # Examples
/// ```
/// use gateway_server::serve::{Handler, Route, Router};
///
/// struct Two { admin: Handler, rest: Handler }
/// impl Router for Two {
///     fn route<'a>(&'a self, path: &[u8]) -> Option<Route<'a>> {
///         Some(match path.strip_prefix(b"/admin") {
///             Some([] | [b'/', ..]) => Route { script_name_bytes: 6, handler: &self.admin },
///             _ => Route { script_name_bytes: 0, handler: &self.rest },
///         })
///     }
/// }
/// ```
pub trait Router: Send + Sync + 'static {
    /// Whether a path may be routed at all, as it was sent; one that may not is answered with 400. What decoding would
    /// hide, such as an encoded slash, shows only here. By default every path may.
    fn accepts(&self, raw_path: &[u8]) -> bool {
        let _ = raw_path;
        true
    }

    /// The route for a path, which begins with `/` and is decoded once.
    fn route<'a>(&'a self, path: &[u8]) -> Option<Route<'a>>;
}

/// One application for everything.
impl Router for Handler {
    fn route<'a>(&'a self, _path: &[u8]) -> Option<Route<'a>> {
        Some(Route { script_name_bytes: 0, handler: self })
    }
}
