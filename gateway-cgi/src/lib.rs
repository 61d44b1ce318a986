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
//! | being one that starts quicker (feature `start`) | `main!` |
//! | reading and writing header blocks of programs | [`head`] |
//! | the variables a gateway hands to a program | [`variables`] |
//! | following local redirects | [`redirect`] |
//! | request bodies of unknown length (feature `spool`) | `spool` |
//! | starting programs that inherit nothing (feature `descriptors`) | `descriptors` |
//! | running CGI programs | `host` (feature `host`) |
//!
//! Left to others: HTTP, and everything about an application that [`gateway_spec`] holds.
//!
//! Features: none by default, which leaves the program side on the standard library alone: a CGI program is started for
//! every request, and its start-up is what costs. `start` makes that cheaper still (`main!`, `docs/cgi-start.md`). `host`
//! adds the host side, with tokio; `spool` and `descriptors` are parts of it for other gateways: keeping request bodies,
//! and keeping descriptors from programs.
//!
//! The rules come from RFC 3875, read through RFC 9110; the ids `CGI-n` in the code are rows of the requirement table in
//! `docs/requirements/`.
// Small files lift this: `descriptors.rs` for hosts, `program/start.rs` for programs (docs/decisions/0013, 0017).
#![deny(unsafe_code)]

#[cfg(feature = "descriptors")]
pub mod descriptors;
pub mod head;
#[cfg(feature = "host")]
pub mod host;
#[cfg(feature = "start")]
mod main_macro;
pub mod program;
pub mod redirect;
#[cfg(feature = "spool")]
pub mod spool;
pub mod variables;

pub use program::serve;
