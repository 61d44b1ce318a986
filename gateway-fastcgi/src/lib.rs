//! FastCGI 1.0, both sides.
//!
//! | module | feature | is |
//! | --- | --- | --- |
//! | `net` | `net` | addresses, sockets and listeners shared by everything that does I/O |
#![forbid(unsafe_code)]

#[cfg(feature = "net")]
pub mod net;
