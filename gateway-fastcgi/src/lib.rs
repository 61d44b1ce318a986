//! FastCGI 1.0, both sides.
//!
//! | module | feature | is |
//! | --- | --- | --- |
//! | [`protocol`] | | the bytes: records, bodies, name-value pairs |
//! | [`connection`] | | the order of records: one machine for each side, without I/O |
//! | `net` | `net` | addresses, sockets and listeners shared by everything that does I/O |
#![forbid(unsafe_code)]

pub mod connection;
#[cfg(feature = "net")]
pub mod net;
pub mod protocol;
