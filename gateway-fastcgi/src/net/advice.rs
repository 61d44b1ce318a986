//! What an operator can do when nobody is reached at an address.
//!
//! Holds the words, which a program at a terminal and a log have in common. Looks at the file system, after a failure alone.

use std::io;
use std::os::unix::fs::FileTypeExt;

use super::Address;

/// What can be done about a connection to a worker that failed with this error: words to stand behind it, with `; ` before
/// them; empty if nothing is known.
///
/// # Examples
/// ```
/// use gateway_fastcgi::net::{Address, connect_advice};
///
/// let error = std::io::ErrorKind::NotFound.into();
/// let advice = connect_advice(&Address::unix("/run/none.sock"), &error);
/// assert_eq!(advice, "; there is no such socket: is the worker running, and is this its path?");
/// ```
pub fn connect_advice(address: &Address, error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; there is no such socket: is the worker running, and is this its path?",
        // What the system says of every file that nobody listens on.
        io::ErrorKind::ConnectionRefused if is_no_socket(address) => {
            "; what is there is no socket: is this the path that the worker listens on?"
        }
        io::ErrorKind::ConnectionRefused => "; nobody listens there: is the worker running?",
        io::ErrorKind::PermissionDenied => "; this user may not write to the socket: look at its owner and mode",
        _ => "",
    }
}

fn is_no_socket(address: &Address) -> bool {
    let found = address.unix_path().and_then(|path| path.metadata().ok());
    found.is_some_and(|found| !found.file_type().is_socket())
}
