//! One application, three gateways: the HTTP/1.1 listener, mounts, `main!` and the `gateway` command.
//!
//! | module | is |
//! | --- | --- |
//! | [`h1`] | HTTP/1.1 as a machine without I/O |
//! | [`serve`] | the listener around it |
//! | [`telemetry`] | what is told of requests |
//! | [`mount`] | which application answers which part of the URL space |
//! | [`proxy_protocol`] | who the client of a proxy is |
//! | [`launch`] | what stands behind [`main!`] |
//!
//! The rules come from RFC 9112 and RFC 9110 (the `HTTP-n` ids of the requirement tables).
#![forbid(unsafe_code)]

#[cfg(feature = "bench")]
mod bench;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod demo;
mod environ;
pub mod h1;
pub mod launch;
mod marks;
pub mod mount;
mod notify;
pub mod proxy_protocol;
pub mod serve;
mod signals;
pub mod telemetry;

pub use environ::SOFTWARE;
pub use serve::{Config, Handler, Server};
