//! FastCGI 1.0, both sides.
//!
//! | module | feature | is |
//! | --- | --- | --- |
//! | [`protocol`] | | the bytes: records, bodies, name-value pairs |
//! | [`connection`] | | the order of records: one machine for each side, without I/O |
//! | `net` | `net` | addresses, sockets and listeners shared by everything that does I/O |
//! | `client` | `client` | asks workers, as an asynchronous application of the outer gateway |
//! | `manager` | `manager` | starts workers and replaces those that die |
//! | `worker` | `worker` | serves an application over FastCGI |
#![forbid(unsafe_code)]

#[cfg(feature = "client")]
pub mod client;
pub mod connection;
#[cfg(any(feature = "client", feature = "manager"))]
mod lines;
#[cfg(feature = "manager")]
pub mod manager;
#[cfg(feature = "net")]
pub mod net;
pub mod protocol;
#[cfg(feature = "worker")]
pub mod worker;
