//! Mounts: which application answers which part of the URL space, and how a path is split for it.
//!
//! Holds the decoding of a request path ([`RequestPath`]), prefixes ([`Prefix`]) and the table of them ([`MountTable`]).
//! These are pure: no file is looked at, no application is called, and what stands behind a prefix is the table's type
//! parameter. Beside them are a table of applications as a whole ([`Site`]) and, with feature `cli`, what can be mounted
//! that is neither a function nor a program: a folder (`StaticFiles`), a PHP site (`PhpSite`), another HTTP server (`Proxy`),
//! any tower service (`TowerService`), and programs that name files instead of sending them (`NamedFiles`).
//!
//! A path is decoded once and then taken apart by whole segments, so `/app` is a prefix of `/app` and `/app/x` and not
//! of `/apple`. What two readers could understand in two ways is refused and not repaired:
//!
//! | in the path | answer | why |
//! | --- | --- | --- |
//! | `..` or `.` as a segment, written in any way | 400 | it would name something else for whoever resolves it later (CGI-157) |
//! | `%2F` | 400 | decoded it would become a separator that was not one (CGI-28) |
//! | `%00`, `%0A`, `%0D` | 400 | they cut or split what programs read (FCGI-132) |
//! | `%` without two hex digits | 400 | there is no agreed meaning |
//! | repeated slashes | kept | they are empty segments, and data for the application |
//!
//! The target as it came stays in REQUEST_URI for applications that need the difference.

#[cfg(feature = "cli")]
mod files;
#[cfg(feature = "cli")]
mod named_file;
mod path;
#[cfg(feature = "cli")]
mod php;
mod prefix;
#[cfg(feature = "proxy")]
mod proxy;
mod site;
mod table;
#[cfg(feature = "cli")]
mod tower;

#[cfg(feature = "cli")]
pub use files::{Links, StaticFiles};
#[cfg(feature = "cli")]
pub use named_file::NamedFiles;
#[cfg(feature = "proxy")]
pub(crate) use path::encode_path;
pub use path::{PathError, RequestPath};
#[cfg(feature = "cli")]
pub use php::PhpSite;
pub use prefix::{Prefix, PrefixError};
#[cfg(feature = "proxy")]
pub use proxy::{Paths, Proxy, ProxyConfig, ProxyError, ProxyHost, Upstream, UpstreamError};
pub use site::Site;
pub use table::{AlreadyMounted, MountTable, Mounted};
#[cfg(feature = "cli")]
pub use tower::{RequestBody, TowerService};
