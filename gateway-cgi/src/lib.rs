//! CGI/1.1 (RFC 3875), both sides.

#![forbid(unsafe_code)]

pub mod head;
pub mod variables;
