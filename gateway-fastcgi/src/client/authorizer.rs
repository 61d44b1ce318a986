//! The gateway's side of an Authorizer: asked before an application answers (FastCGI 1.0 §6.3).
//!
//! Holds the question, the verdict, and an application behind it. Does not hold connections, which are the client's.
//!
//! | matter | here |
//! | --- | --- |
//! | what it is told | the variables of the request, HTTP_AUTHORIZATION among them, without CONTENT_LENGTH, PATH_INFO, PATH_TRANSLATED and SCRIPT_NAME (FCGI-95) |
//! | the request body | stays for the application; the Authorizer gets an empty STDIN (FCGI-99) |
//! | status 200 | the application answers; every `Variable-NAME` becomes a variable of its request, all else is dropped (FCGI-96, FCGI-97) |
//! | any other status | the client gets the Authorizer's status, fields and content (FCGI-98) |
//! | NAME | in upper case, `-` as `_`: names of fields have no case, and programs see no other names |
//! | a NAME that is the request's own (PATH_INFO, HTTP_ and the like) | left out, with a line in the log (FCGI-100) |
//! | no answer, or none that makes sense | 502, 503 or 504: nobody is let in because nobody was asked |
//!
//! What a client sends becomes `HTTP_` variables only, so it cannot stand where a verdict's variables do (FCGI-100).

use std::fmt;
use std::sync::Arc;

use gateway_cgi::variables::Credentials;
use gateway_spec::{AppError, AsyncApplication, AsyncResponse, DynAsyncApplication, Environ, Headers, InputStream};
use http::StatusCode;

use super::pool::Look;
use super::response::{BodyWanted, ResponseBody};
use super::variables::Variables;
use super::{Client, ClientError, Config, Request, RequestBody};
use crate::net::Address;
use crate::protocol::Role;

/// FastCGI workers that say who may have an answer.
///
/// # Examples
/// ```no_run
/// use gateway_fastcgi::client::{Authorizer, Client, Config};
/// use std::sync::Arc;
///
/// let php = Client::new("unix:/run/php/php-fpm.sock".parse()?, Config::default().root("/srv/www"));
/// let authorizer = Authorizer::new("unix:/run/login.sock".parse()?, Config::default());
/// let app = authorizer.protect(Arc::new(php));
/// # let _ = app;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: FastCGI 1.0 §6.3; requirements FCGI-95 to FCGI-100.
#[derive(Debug, Clone)]
pub struct Authorizer {
    client: Client,
}

/// What a verdict makes of a request.
enum Verdict {
    /// It may be answered, with these variables.
    Allowed(Vec<(String, Vec<u8>)>),
    /// This is the answer.
    Denied(AsyncResponse),
}

/// FCGI-95.
const NOT_FOR_AUTHORIZERS: [&[u8]; 4] = [b"CONTENT_LENGTH", b"PATH_INFO", b"PATH_TRANSLATED", b"SCRIPT_NAME"];

/// What describes the request itself is not for a verdict to change (FCGI-100, CGI-10).
const OF_THE_REQUEST: [&str; 10] = [
    "CONTENT_LENGTH",
    "CONTENT_TYPE",
    "GATEWAY_INTERFACE",
    "PATH_INFO",
    "PATH_TRANSLATED",
    "QUERY_STRING",
    "REQUEST_METHOD",
    "REQUEST_URI",
    "SCRIPT_NAME",
    "SERVER_PROTOCOL",
];

impl Authorizer {
    /// An authorizer at `address`. Of the configuration everything counts that is about connections, times and variables; what
    /// it says about scripts means nothing here, and credentials are always shown: to check them is what it is for.
    pub fn new(address: Address, mut config: Config) -> Self {
        config.variables = config.variables.credentials(Credentials::Shown);
        Self { client: Client::new(address, config) }
    }

    /// Puts an application behind it.
    pub fn protect(self, app: Arc<dyn DynAsyncApplication>) -> Protected {
        Protected { authorizer: self, app }
    }

    fn question(&self, environ: &Environ) -> Request {
        let variables = Variables::choose_without(&NOT_FOR_AUTHORIZERS, &self.client.config, None, environ, None);
        // Whatever the method: to ask twice whether a request is allowed does no more than to ask once.
        Request {
            role: Role::AUTHORIZER,
            variables,
            errors: environ.errors.clone(),
            // It is not the one who answers in the end.
            hops: None,
            is_idempotent: true,
            look: Look::Quick,
            deadline: self.client.deadline(),
        }
    }

    async fn ask(&self, question: Request, wanted: BodyWanted) -> Result<Verdict, ClientError> {
        let body = RequestBody::empty();
        let (conversation, mut head, start) = self.client.upstreams.ask(&question, body).await?;
        if head.status == StatusCode::OK {
            let variables = variables_of(&head.headers);
            // FCGI-96: its content is not for anybody, so only its end is waited for.
            drop(ResponseBody::new(conversation, start, &head, BodyWanted::No));
            return Ok(Verdict::Allowed(variables));
        }
        head.redirect_the_client();
        tracing::debug!(status = head.status.as_u16(), "the authorizer refused the request");
        let body = ResponseBody::new(conversation, start, &head, wanted).into_stream();
        Ok(Verdict::Denied(AsyncResponse::new(head.status, head.headers, body)))
    }
}

/// The variables of a verdict; where a name comes twice, the last counts.
fn variables_of(fields: &Headers) -> Vec<(String, Vec<u8>)> {
    let mut variables = Vec::new();
    for (field, value) in fields {
        let Some(name) = field.as_str().strip_prefix("variable-") else { continue };
        let name = name.to_ascii_uppercase().replace('-', "_");
        if is_free(&name) {
            variables.push((name, value.as_bytes().to_vec()));
        } else {
            tracing::warn!(name, "the authorizer set a variable that is not its to set; it is left out");
        }
    }
    variables
}

/// Whether a verdict may set it: a name that programs see, and that is neither the request's own nor one of its fields.
fn is_free(name: &str) -> bool {
    gateway_cgi::variables::is_for_programs(name.as_bytes(), Credentials::Hidden)
        && !name.starts_with("HTTP_")
        && !OF_THE_REQUEST.contains(&name)
}

/// An application behind an [`Authorizer`].
///
/// # Errors
/// Those of the application; and if the authorizer gives no verdict, a [`GatewayError`](gateway_spec::GatewayError) with the
/// status of a [`ClientError`]. The application is not called then.
#[derive(Clone)]
pub struct Protected {
    authorizer: Authorizer,
    app: Arc<dyn DynAsyncApplication>,
}

impl AsyncApplication for Protected {
    async fn call(&self, mut environ: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
        let wanted = if environ.request_method() == "HEAD" { BodyWanted::No } else { BodyWanted::Yes };
        let question = self.authorizer.question(&environ);
        match self.authorizer.ask(question, wanted).await.map_err(ClientError::into_app_error)? {
            Verdict::Denied(response) => Ok(response),
            Verdict::Allowed(variables) => {
                for (name, value) in variables {
                    environ.set(&name, value)?;
                }
                self.app.call_boxed(environ, input).await
            }
        }
    }

    fn sends_interim(&self) -> bool {
        self.app.has_interim()
    }
}

impl fmt::Debug for Protected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protected").field("authorizer", &self.authorizer).finish_non_exhaustive()
    }
}
