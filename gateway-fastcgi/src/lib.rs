//! FastCGI 1.0, both sides: serve an application to a web server, or ask programs that speak FastCGI.
//!
//! The smallest worker, for a web server that starts it with the listening socket as its standard input:
//! ```no_run
//! # #[cfg(feature = "worker")]
//! # async fn run() -> std::io::Result<()> {
//! use gateway_fastcgi::net::{Listener, inherited_stdin};
//! use gateway_fastcgi::worker::Worker;
//! use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};
//!
//! fn hello(_environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
//!     start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
//!     Ok("Hello, World!\n".into())
//! }
//!
//! let Some(socket) = inherited_stdin()? else { return Err(std::io::Error::other("not started by a gateway")) };
//! Worker::new(hello).serve(Listener::from_fd(socket)?).await
//! # }
//! ```
//!
//! | module | feature | is |
//! | --- | --- | --- |
//! | [`protocol`] | | the bytes: records, bodies, name-value pairs |
//! | [`connection`] | | the order of records: one machine for each side, without I/O |
//! | [`dump`] | | records for people: taken apart, named, with the clauses that say what they are |
//! | `calls` | `calls` | where synchronous applications are called, for gateways on tokio |
//! | `net` | `net` | addresses, sockets and listeners shared by everything that does I/O |
//! | `worker` | `worker` | serves an application over FastCGI |
//! | `client` | `client` | asks workers, as an asynchronous application of the outer gateway |
//! | `manager` | `manager` | starts workers and replaces those that die |
//! | `control` | `worker`, `manager` | what a manager and its workers say to each other |
//!
//! Left to others: the CGI variables and header block, which are gateway-cgi's, and signals, which are the program's.
//!
//! The rules come from the FastCGI Specification 1.0; the ids `FCGI-n` in the code are rows of the requirement table in
//! `docs/requirements/`.
#![forbid(unsafe_code)]

#[cfg(feature = "calls")]
pub mod calls;
#[cfg(feature = "client")]
pub mod client;
pub mod connection;
#[cfg(any(feature = "worker", feature = "manager"))]
pub mod control;
pub mod dump;
#[cfg(any(feature = "client", feature = "manager"))]
mod lines;
#[cfg(feature = "manager")]
pub mod manager;
#[cfg(feature = "net")]
pub mod net;
pub mod protocol;
#[cfg(feature = "worker")]
pub mod worker;
