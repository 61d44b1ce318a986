//! CGI/1.1 (RFC 3875), both sides: run an application as a CGI program, or run CGI programs.
//!
//! The smallest program (`cargo build`, put it where a web server looks for CGI programs):
//! ```no_run
//! use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};
//!
//! fn hello(_environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
//!     start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
//!     Ok("Hello, World!\n".into())
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     gateway_cgi::serve(&hello)
//! }
//! ```
//!
//! | for | look at |
//! | --- | --- |
//! | being a CGI program | [`serve`], [`program`] |
//! | reading and writing header blocks of programs | [`head`] |
//! | the variables a gateway hands to a program | [`variables`] |
//! | request bodies of unknown length (feature `spool`) | `spool` |
//!
//! Left to others: HTTP, and everything about an application that [`gateway_spec`] holds.
//!
//! The rules come from RFC 3875, read through RFC 9110; the ids `CGI-n` in the code are rows of the requirement table in
//! `docs/requirements/`.
#![forbid(unsafe_code)]

pub mod head;
pub mod program;
#[cfg(feature = "spool")]
pub mod spool;
pub mod variables;

pub use program::serve;
