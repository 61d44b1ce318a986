//! The header block of a CGI program's output, both ways (RFC 3875 §6.2 and §6.3).
//!
//! Holds [`encode`], which a program's side writes with, the incremental [`Decoder`] of a gateway's side, and what a
//! decoded block means ([`ResponseKind`]). A FastCGI Responder answers in the same form (FastCGI 1.0 §6.2), so
//! gateway-fastcgi uses this module too. It does no I/O and holds no body: the decoder says where the body starts.
//!
//! Where RFC 3875 is silent or servers differ, this is what happens here:
//!
//! | a program says | here | who does alike |
//! | --- | --- | --- |
//! | LF, CRLF or both as line ends | accepted (CGI-143) | all |
//! | `Status: 404` without a reason | accepted (CGI-127) | all |
//! | `Status: 101`, or a code outside 200–599 | refused: no final response (CGI-182) | lighttpd refuses < 100 and > 999 |
//! | `HTTP/1.1 200 OK` as the first line | refused: NPH is not guessed (CGI-95), it is a [`Form`] | RFC 3875 §5.1; httpd accepts it |
//! | `Location: /path`, nothing else | local redirect (CGI-108) | httpd, lighttpd |
//! | `Location: /path` with any other field | redirect for the client, 302 by default | nginx, lighttpd |
//! | `Location: //host/x` without `Status` | a local path if it stands alone, else refused (CGI-114) | – |
//! | `Location: foo` without `Status` | refused: neither a path nor a URI (CGI-126) | – |
//! | `Location: foo` with `Status` | passed on: the program speaks HTTP itself (RFC 9110 §10.2.2) | nginx, httpd |
//! | `Connection`, `Keep-Alive` and the like | left out (CGI-130) | httpd |
//! | `Transfer-Encoding` | refused (CGI-130), from an NPH program too: its body ends with its output | httpd |
//! | `X-CGI-…` | left out: an extension nobody here knows (CGI-131) | – |
//! | `Status:`, `Location:`, `Content-Type:` without a value | as if not sent (CGI-123) | RFC 3875 §6.3 |

mod decode;
mod encode;
mod error;
mod fields;
mod kind;
#[cfg(test)]
mod tests;

pub use decode::{Decoded, Decoder, Form, Limits};
pub use encode::encode;
pub use error::HeadError;
pub use kind::{ProgramHead, ResponseKind};
