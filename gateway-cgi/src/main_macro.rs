//! [`main!`](crate::main!): a program whose `main` is C's. Does not hold what that does: `program::start`.

/// Writes the `main` of a CGI program, one that starts quicker than Rust's; the file begins with `#![no_main]`.
///
/// Takes an application: a function, a closure or a value, evaluated once. A CGI program is started for each request,
/// and most of what a small one costs is its start. The standard library's own part of that (it looks for the end of the
/// stack in /proc, sets up a second stack and two signal handlers) is left out here. What else makes a start quick is the
/// build: `docs/cgi-start.md` has the profile and the figures.
///
/// Output, exit codes, messages and panics of the application are those of [`serve`](crate::serve). Different are:
/// a stack overflow ends the process by SIGSEGV, without the standard library's message; a panic's message calls the
/// thread `<unnamed>`, not `main`; with musl `std::env::args` is empty (a program that reads its command line, CGI-82, has a
/// `main` of its own).
///
/// C's `main` is a symbol without Rust's mangling: a crate that says `#![forbid(unsafe_code)]` cannot have it, one that
/// says `deny` can. Built as a test the program has no such symbol: write `#![cfg_attr(not(test), no_main)]` if it has
/// unit tests.
///
/// # Examples
/// ```no_run,standalone_crate
/// #![no_main]
/// use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};
///
/// fn hello(_environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
///     start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
///     Ok("Hello, World!\n".into())
/// }
///
/// gateway_cgi::main!(hello);
/// # fn main() {}
/// ```
///
/// Source: RFC 3875 §7.2; requirements CGI-9, CGI-140, CGI-154.
#[macro_export]
macro_rules! main {
    ($application:expr $(,)?) => {
        // Named so that a file without `#![no_main]` is told that it lacks a `main`, and not that this one looks wrong.
        #[cfg(not(test))]
        #[allow(unsafe_code)]
        #[unsafe(export_name = "main")]
        extern "C" fn gateway_cgi_main() -> ::core::ffi::c_int {
            $crate::program::start(|| $application)
        }
    };
}
