//! Middleware: what is an application to the gateway and a gateway to the application (PEP 3333 "Middleware").

use std::sync::Mutex;

use crate::{AppError, Application, Body, Environ, StartResponse};

/// Turns one application into another.
///
/// Any function from an application to an application is middleware; the trait lets a configured value be one too.
///
/// # Examples
/// ```
/// use gateway_spec::{AppError, Application, Body, Environ, Middleware, StartResponse, StatusCode, headers};
///
/// fn powered(app: impl Application) -> impl Application {
///     move |environ: Environ, start_response: StartResponse| {
///         app.call(environ, start_response.map(|status, mut headers| {
///             headers.append("x-powered-by", "crabs");
///             (status, headers)
///         }))
///     }
/// }
/// fn hello(_: Environ, start_response: StartResponse) -> Result<Body, AppError> {
///     start_response(StatusCode::OK, headers![])?;
///     Ok("hi".into())
/// }
/// let app = powered(gateway_spec::lint(hello));
/// let same = Middleware::wrap(&powered, hello);
/// ```
pub trait Middleware<A: Application> {
    /// The application that results.
    type Output: Application;

    /// Wraps `app`.
    fn wrap(&self, app: A) -> Self::Output;
}

impl<A, B, F> Middleware<A> for F
where
    A: Application,
    B: Application,
    F: Fn(A) -> B,
{
    type Output = B;

    fn wrap(&self, app: A) -> B {
        self(app)
    }
}

/// An application that is called by one thread at a time (PEP-159).
///
/// It may hold what is not `Sync`. The bodies it returns are still iterated by whoever answers their requests.
#[derive(Debug)]
pub struct Serial<A> {
    app: Mutex<A>,
}

/// Makes `call` run one at a time, and the environ say so.
///
/// # Examples
/// ```
/// use std::cell::Cell;
/// use gateway_spec::{Body, Environ, StartResponse, StatusCode, headers, serial};
/// let visits = Cell::new(0); // not Sync
/// let app = serial(move |_: Environ, start_response: StartResponse| {
///     visits.set(visits.get() + 1);
///     start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
///     Ok(Body::from(visits.get().to_string()))
/// });
/// # let _: &dyn gateway_spec::Application = &app;
/// ```
pub fn serial<A>(app: A) -> Serial<A>
where
    A: Fn(Environ, StartResponse) -> Result<Body, AppError> + Send + 'static,
{
    Serial { app: Mutex::new(app) }
}

impl<A> Application for Serial<A>
where
    A: Fn(Environ, StartResponse) -> Result<Body, AppError> + Send + 'static,
{
    fn call(&self, mut environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        environ.multithread = false;
        // A call that panicked left the application as it is after any panic: the next request may still work.
        let app = self.app.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        app(environ, start_response)
    }
}
