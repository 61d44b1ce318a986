//! Interim responses (1xx) of applications that send them, such as 103 Early Hints (RFC 9110 §15.2).
//!
//! Holds the way to the client while the application is still at work. 100 is the listener's own affair (HTTP-120).

use super::wire::Wire;
use gateway_spec::{Headers, StatusCode};
use std::fmt;
use std::sync::Weak;

/// Sends interim responses for one request.
///
/// The listener puts it among the [`extensions`](gateway_spec::Environ::extensions) of requests for applications whose
/// [`sends_interim`](gateway_spec::AsyncApplication::sends_interim) is true.
///
/// # Examples
/// ```
/// use gateway_server::serve::Interim;
/// use gateway_spec::{AppError, AsyncApplication, AsyncResponse, Environ, InputStream, StatusCode, headers};
///
/// struct Page;
///
/// impl AsyncApplication for Page {
///     async fn call(&self, environ: Environ, _: InputStream) -> Result<AsyncResponse, AppError> {
///         if let Some(interim) = environ.extensions.get::<Interim>() {
///             interim.send(StatusCode::EARLY_HINTS, &headers!["link" => "</style.css>; rel=preload"]);
///         }
///         Ok(AsyncResponse::new(StatusCode::OK, headers!["content-type" => "text/plain"], "done"))
///     }
///
///     fn sends_interim(&self) -> bool {
///         true
///     }
/// }
/// # let _ = gateway_server::serve::Handler::asynchronous(Page);
/// ```
#[derive(Clone)]
pub struct Interim {
    way: Weak<dyn SendsInterim>,
    request: u64,
}

/// What carries them to the client.
pub(super) trait SendsInterim: Send + Sync {
    /// Sends one, if `request` is still waiting for its response; false if nothing was sent.
    fn send_interim(&self, request: u64, status: StatusCode, headers: &Headers) -> bool;
}

impl Interim {
    pub(super) fn new(way: Weak<dyn SendsInterim>, request: u64) -> Self {
        Self { way, request }
    }

    /// Sends `status` with `headers`, of which those about the connection are left out. Nothing is sent, and the answer is false, to a
    /// client that speaks HTTP/1.0 (HTTP-127), once the response has begun, or if the status is no interim one.
    pub fn send(&self, status: StatusCode, headers: &Headers) -> bool {
        let way = self.way.upgrade().filter(|_| headers.check().is_ok());
        way.is_some_and(|way| way.send_interim(self.request, status, headers))
    }
}

impl SendsInterim for Wire {
    fn send_interim(&self, request: u64, status: StatusCode, headers: &Headers) -> bool {
        let state = &mut *self.lock();
        // A peer that takes nothing is not given more and more to hold.
        let may = state.request == request && !state.out.is_full();
        let sent = may && state.machine.send_interim(status, headers, &mut state.out.bytes);
        if sent {
            // What does not go out now goes out with the response, whose sender hears of a lost connection too.
            let _ = state.out.try_flush(&self.stream);
        }
        sent
    }
}

impl fmt::Debug for Interim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interim").field("request", &self.request).finish_non_exhaustive()
    }
}
