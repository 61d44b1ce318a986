//! Authorizers: asked before a request is served whether it may be (FastCGI 1.0 §6.3).
//!
//! Holds the trait and the application that it becomes. Does not hold what the answer is made of ([`Verdict`]).

use super::Verdict;
use gateway_spec::{AppError, Application, Body, Environ, StartResponse};

/// Says whether a request is allowed. Functions and closures are authorizers by themselves.
///
/// A gateway asks before it serves the page, and passes the variables of a [`Verdict::allow`] to whoever serves it. It sends
/// neither the request body nor SCRIPT_NAME, PATH_INFO or CONTENT_LENGTH (FCGI-95): the path is in REQUEST_URI, as the client
/// wrote it, so decide by rules that another spelling of the same path cannot get around.
///
/// # Errors
/// Any error means "I cannot tell": it is logged, and the request is denied with 500.
///
/// # Examples
/// ```
/// use gateway_fastcgi::worker::{Authorizer, Verdict};
/// use gateway_spec::{AppError, Environ, StatusCode, headers};
///
/// fn staff_only(environ: Environ) -> Result<Verdict, AppError> {
///     match environ.header("authorization") {
///         Some(token) if token == "Bearer 42" => Ok(Verdict::allow().variable("REMOTE_USER", "ada")),
///         _ => Ok(Verdict::deny(StatusCode::UNAUTHORIZED, headers!["www-authenticate" => "Bearer"], "Who are you?\n")),
///     }
/// }
///
/// let mut environ = Environ::example("GET", "/accounts");
/// assert!(!staff_only.authorize(environ)?.is_allowed());
/// environ = Environ::example("GET", "/accounts");
/// environ.set("HTTP_AUTHORIZATION", "Bearer 42")?;
/// assert!(staff_only.authorize(environ)?.is_allowed());
/// # Ok::<(), AppError>(())
/// ```
///
/// Source: FastCGI 1.0 §6.3; requirements FCGI-95 to FCGI-99.
pub trait Authorizer: Send + Sync + 'static {
    /// Decides about one request.
    fn authorize(&self, environ: Environ) -> Result<Verdict, AppError>;

    /// An application that answers as the role asks: 200 with a `Variable-` field for each variable, or the denial.
    ///
    /// It needs no FastCGI: a server that only knows Responders can ask it all the same, as nginx does with `auth_request`.
    fn into_application(self) -> AuthorizerApplication<Self>
    where
        Self: Sized,
    {
        AuthorizerApplication(self)
    }
}

impl<F> Authorizer for F
where
    F: Fn(Environ) -> Result<Verdict, AppError> + Send + Sync + 'static,
{
    fn authorize(&self, environ: Environ) -> Result<Verdict, AppError> {
        self(environ)
    }
}

/// An [`Authorizer`] as an application; made by [`Authorizer::into_application`].
#[derive(Debug, Clone)]
pub struct AuthorizerApplication<A>(A);

impl<A: Authorizer> Application for AuthorizerApplication<A> {
    fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        let (status, headers, body) = self.0.authorize(environ)?.into_response()?;
        start_response(status, headers)?;
        Ok(body)
    }
}
