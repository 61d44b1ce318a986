//! The Rust gateway interface: one application contract in the spirit of PEP 3333, its driver and its lint.
//!
//! A web application is a function of an [`Environ`] and a [`StartResponse`]. Whoever can call that function is a
//! gateway; a gateway never looks inside the application and the application never sees the gateway:
//!
//! ```
//! use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};
//!
//! fn hello(_environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
//!     start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
//!     Ok("Hello, World!\n".into())
//! }
//!
//! // What a gateway does, in miniature:
//! use gateway_spec::{Event, Exchange};
//! let mut exchange = Exchange::call(&hello, Environ::example("GET", "/"));
//! assert!(matches!(exchange.next(), Event::Head(head) if head.status == StatusCode::OK));
//! assert!(matches!(exchange.next(), Event::Chunk(chunk) if chunk == "Hello, World!\n"));
//! assert!(matches!(exchange.next(), Event::End));
//! ```
//!
//! | for | look at |
//! | --- | --- |
//! | writing an application | [`Application`], [`Environ`], [`StartResponse`], [`Body`], [`headers!`] |
//! | writing middleware | [`Middleware`], [`StartResponse::new`], [`Body::wrap`](body::Body::wrap), [`lint()`] |
//! | writing a gateway | [`Exchange`], [`EnvironBuilder`], [`Input`], [`Dispatch`] |
//! | asynchronous work | [`AsyncApplication`], [`AsyncExchange`] |
//!
//! Left to others: sockets, processes, clocks, logs, routing, templates. Nothing here does I/O, so nothing here
//! chooses a runtime. One feature, off by default: `tower`, an application as a service for axum and the like (`tower`).
//!
//! The rules come from PEP 3333 (the `PEP-n` ids), RFC 3875 (`CGI-n`) and RFC 9110/9112 (`HTTP-n`); the table
//! `docs/pep3333.md` of the repository says for each where it is kept.
#![forbid(unsafe_code)]

mod application;
pub mod asynchronous;
pub mod body;
mod cancellation;
mod dispatch;
pub mod environ;
mod error_stream;
pub mod exchange;
mod headers;
mod hops;
mod input;
pub mod lint;
mod middleware;
mod start_response;
#[cfg(feature = "tower")]
pub mod tower;

pub use application::{AppError, Application, Disconnected, GatewayError};
pub use asynchronous::{
    AsyncApplication, AsyncExchange, AsyncResponse, BodyStream, BoxFuture, DynAsyncApplication, InlineApplication,
    InputStream,
};
pub use body::{Body, FilePart, FileWrapper, Iterable};
pub use cancellation::Cancellation;
pub use dispatch::{Admission, Dispatch, Permit};
pub use environ::{Environ, EnvironBuilder, EnvironError, EnvironTemplate, Scheme, Value, VariableName, VariableSet};
pub use error_stream::{ErrorSink, ErrorStream};
pub use exchange::{Event, Exchange, Failure, Framing, PushSink, ResponseHead};
pub use headers::{HeaderError, Headers, IntoFieldName, IntoFieldValue};
pub use hops::{Hops, Notes};
pub use input::{Input, InputError, InputSource};
pub use lint::lint;
pub use middleware::{Middleware, Serial, serial};
pub use start_response::{StartError, StartResponse, Write, WriteError};

pub use bytes::Bytes;
pub use http::{Extensions, HeaderName, HeaderValue, Method, StatusCode};

/// The version of the contract, `wsgi.version` in PEP 3333 (PEP-28).
pub const VERSION: (u32, u32) = (1, 0);
