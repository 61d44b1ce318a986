//! The program's start without the standard library's: what stands behind [`main!`](crate::main!).
//!
//! Holds what the standard library does before and after `main` that an answer depends on, and leaves out what it does not:
//! reading /proc/self/maps for the bounds of the stack, a second stack for the message about an overflow, a name for the
//! thread. Does not hold what happens in between: that is [`serve`](super::serve). Figures: `docs/cgi-start.md`.

use std::ffi::c_int;
use std::io::{self, Write};
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use gateway_spec::Application;

/// What the standard library exits with when `main` panicked.
const PANICKED: c_int = 101;

/// Serves the one request of this process with the application that `make` makes, as C's `main`; returns the exit code.
///
/// What [`main!`](crate::main!) calls. Everything is as in a program whose `main` is Rust's and calls
/// [`serve`](super::serve), except for the differences that the macro names.
#[doc(hidden)]
pub fn start<A: Application>(make: impl FnOnce() -> A) -> c_int {
    open_standard_descriptors();
    ignore_sigpipe();
    let served = catch_unwind(AssertUnwindSafe(|| {
        let app = make();
        c_int::from(super::answer(&app, standard(0), standard(1)))
    }));
    let code = served.unwrap_or(PANICKED);
    // What an application printed without a line end, as after a `main` of Rust's. Nobody is left to tell of an error.
    let _ = io::stdout().flush();
    code
}

/// A copy of a standard descriptor, without the buffer that the standard library's handle for it allocates.
fn standard(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: it was open or has been opened at the start, and nothing but the application could close it: then the copy
    // fails.
    #[allow(unsafe_code)]
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    descriptor.try_clone_to_owned()
}

/// Nobody reads any more: that is an error of `write`, after which the body is closed (CGI-9), and not the end at once.
fn ignore_sigpipe() {
    // SAFETY: SIGPIPE is a signal that may be ignored, and no handler of ours is named.
    #[allow(unsafe_code)]
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
}

/// Opens those of the first three descriptors that are closed: the next file that is opened would become one of them, and
/// an answer would be written into it.
fn open_standard_descriptors() {
    let mut three = [0, 1, 2].map(|fd| libc::pollfd { fd, events: 0, revents: 0 });
    // SAFETY: the pointer and the length are those of the array, which lives until after the call.
    #[allow(unsafe_code)]
    let ready = unsafe { libc::poll(three.as_mut_ptr(), 3, 0) };
    if ready < 1 {
        return;
    }
    for _ in three.iter().filter(|descriptor| descriptor.revents & libc::POLLNVAL != 0) {
        // SAFETY: the name is a C string. The lowest number that is free is given, which is the one that is missing; it
        // stays open to the end of the process, as standard descriptors do.
        #[allow(unsafe_code)]
        unsafe {
            libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        }
    }
}

// The unwinder of a Rust program for glibc is the shared library libgcc_s; looking for it, mapping it and binding it costs
// a tenth of a small program's start. The same code is there as an archive: once it is in, nothing asks for the library.
// A linker that reads its input strictly from left to right may still keep the library; the program is the same then.
#[cfg(all(target_os = "linux", target_env = "gnu", not(target_feature = "crt-static")))]
#[link(name = "gcc_eh", kind = "dylib")]
#[allow(unsafe_code)]
unsafe extern "C" {}
