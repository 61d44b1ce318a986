//! What this process was given and programs must not have: descriptors open from before its start (CGI-177).
//!
//! Holds the one use of `unsafe` in this crate: a descriptor known by its number alone.

use std::fs;
use std::os::fd::{BorrowedFd, RawFd};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

/// Marks every open descriptor past the first three as one that ends at exec.
///
/// What this process opens itself is marked already; what it inherited is not: a listening socket from systemd, a lock of
/// a supervisor, a pipe of a shell. Whoever starts programs calls this before the first one; a descriptor that is meant for
/// a program is handed over by [`std::process::Command`], which takes no notice of the mark. Where there is no list of
/// descriptors nothing is done.
///
/// # Examples
/// ```
/// gateway_cgi::descriptors::keep_private();
/// let listed = std::process::Command::new("ls").arg("/dev/fd").output()?;
/// // Input, output, errors, and the listing itself.
/// assert_eq!(listed.stdout, b"0\n1\n2\n3\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn keep_private() {
    let Ok(entries) = fs::read_dir("/dev/fd") else { return };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<RawFd>().ok());
    // All at first, since the listing itself is one of them and is closed after.
    let numbers: Vec<RawFd> = numbers.filter(|number| *number > 2).collect();
    for number in numbers {
        // SAFETY: the number is not negative, and only used for two calls of fcntl, which look at nothing but the
        // descriptor's own flag. If another thread closes it meanwhile they fail; if the number is open again by then,
        // the mark is right for the new one too.
        #[allow(unsafe_code)]
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        if let Ok(flags) = fcntl_getfd(descriptor) {
            let _ = fcntl_setfd(descriptor, flags | FdFlags::CLOEXEC);
        }
    }
}
