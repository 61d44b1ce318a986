//! A table of mounted applications as a whole: what a listener routes by, and what a local redirect is sent to.
//!
//! Holds the two ways to ask a [`MountTable`] of [`Handler`]s. Does not hold how a handler came to be.

use std::sync::{Arc, OnceLock};

use gateway_spec::{
    AppError, AsyncApplication, AsyncResponse, Environ, GatewayError, InlineApplication, InputStream, StatusCode,
};

use super::{MountTable, PathError, RequestPath};
use crate::serve::{Handler, Route, Router};

impl Router for MountTable<Handler> {
    fn accepts(&self, raw_path: &[u8]) -> bool {
        // An absolute target may lack a path (RFC 9110 §4.2.3); it means `/`.
        raw_path.is_empty() || RequestPath::decode(raw_path).is_ok()
    }

    fn route<'a>(&'a self, path: &[u8]) -> Option<Route<'a>> {
        let path = RequestPath::from_decoded(path).ok()?;
        let mounted = self.find(&path)?;
        Some(Route { script_name_bytes: mounted.script_name.len(), handler: mounted.target })
    }
}

/// All mounts as one asynchronous application, which can be handed to one of them before the table is complete: a CGI
/// program may answer with a local redirect to any path of the server (CGI-108).
///
/// # Examples
/// ```
/// use gateway_server::mount::{MountTable, Site};
/// use gateway_server::serve::Handler;
///
/// let site = Site::new();
/// let mut table = MountTable::new();
/// table.mount("/again".parse()?, Handler::asynchronous(site.clone()))?;
/// site.complete(table);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Site {
    table: Arc<OnceLock<MountTable<Handler>>>,
}

impl Site {
    /// A site without mounts yet: it answers 404.
    pub fn new() -> Self {
        Site::default()
    }

    /// Gives it its mounts; only the first call counts.
    pub fn complete(&self, table: MountTable<Handler>) {
        let _ = self.table.set(table);
    }

    fn route(&self, path: &[u8]) -> Option<Route<'_>> {
        self.table.get()?.route(path)
    }
}

impl Router for Site {
    fn accepts(&self, raw_path: &[u8]) -> bool {
        self.table.get().is_none_or(|table| table.accepts(raw_path))
    }

    fn route<'a>(&'a self, path: &[u8]) -> Option<Route<'a>> {
        Site::route(self, path)
    }
}

/// Splits the path anew, from SCRIPT_NAME and PATH_INFO together. A synchronous application is called where it stands.
impl AsyncApplication for Site {
    async fn call(&self, mut environ: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
        let path = [environ.script_name().as_bytes(), environ.path_info().as_bytes()].concat();
        RequestPath::from_decoded(&path).map_err(refused)?;
        let Some(route) = self.route(&path) else {
            return Err(GatewayError::new(StatusCode::NOT_FOUND, "nothing is mounted there").into());
        };
        let (script_name, path_info) = path.split_at_checked(route.script_name_bytes).unwrap_or((b"", &path));
        environ.set("SCRIPT_NAME", script_name)?;
        environ.set("PATH_INFO", path_info)?;
        match route.handler {
            Handler::Sync(app) => InlineApplication::new(Arc::clone(app)).call(environ, input).await,
            Handler::Async(app) => app.call_boxed(environ, input).await,
        }
    }
}

fn refused(error: PathError) -> AppError {
    GatewayError::new(error.status(), "the path is refused").caused_by(error).into()
}
