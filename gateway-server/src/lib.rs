//! One application, three gateways: the HTTP/1.1 listener, mounts, `main!` and the `gateway` command.
//!
//! | module | is |
//! | --- | --- |
//! | [`h1`] | HTTP/1.1 as a machine without I/O |
//! | [`mount`] | which application answers which part of the URL space |
//!
//! The rules come from RFC 9112 and RFC 9110 (the `HTTP-n` ids of the requirement tables).
#![forbid(unsafe_code)]

pub mod h1;
pub mod mount;
