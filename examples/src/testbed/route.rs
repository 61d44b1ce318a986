//! Which answer a request asks for.

use gateway_spec::Environ;

/// One path of the table, with its number if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Hello,
    Echo,
    Download,
    Bytes(u64),
    Stream(u64),
    Upload,
    Environ,
    Sleep(u64),
    Status(u64),
    Cookies,
    Closed,
    /// So many bytes on the error stream; by itself one line.
    Stderr(Option<u64>),
    Lazy,
    Write,
    Restart,
    FailBefore,
    FailAfter,
    Panic,
    PanicAfter,
    LengthShort,
    LengthLong,
    /// A path that wants a number and has none.
    Malformed,
    Unknown,
}

impl Route {
    /// The route of a request.
    ///
    /// PATH_INFO decides. Many FastCGI front servers send none and the whole path as SCRIPT_NAME: so if it is empty and
    /// SCRIPT_NAME is a path of ours, that is taken; else the application's root was asked for (PEP-14).
    pub(super) fn of_request(environ: &Environ) -> Route {
        let path = environ.path_info().as_bytes();
        if !path.is_empty() {
            return Route::of(path);
        }
        match Route::of(environ.script_name().as_bytes()) {
            Route::Unknown => Route::Hello,
            route => route,
        }
    }

    fn of(path: &[u8]) -> Route {
        match path {
            // First what is measured most.
            b"/" | b"/hello" => Route::Hello,
            b"/echo" => Route::Echo,
            b"/download" => Route::Download,
            b"/upload" => Route::Upload,
            b"/environ" => Route::Environ,
            b"/cookies" => Route::Cookies,
            b"/closed" => Route::Closed,
            b"/stderr" => Route::Stderr(None),
            b"/lazy" => Route::Lazy,
            b"/write" => Route::Write,
            b"/restart" => Route::Restart,
            b"/fail/before" => Route::FailBefore,
            b"/fail/after" => Route::FailAfter,
            b"/panic" => Route::Panic,
            b"/panic/after" => Route::PanicAfter,
            b"/length/short" => Route::LengthShort,
            b"/length/long" => Route::LengthLong,
            _ => Route::with_tail(path),
        }
    }

    /// The routes that go on after their name: with a number, or, below `/environ`, with anything.
    fn with_tail(path: &[u8]) -> Route {
        if path.starts_with(b"/environ/") {
            return Route::Environ;
        }
        let numbered = |prefix: &[u8]| path.strip_prefix(prefix).map(number);
        let (number, route): (_, fn(u64) -> Route) = if let Some(number) = numbered(b"/bytes/") {
            (number, Route::Bytes)
        } else if let Some(number) = numbered(b"/stream/") {
            (number, Route::Stream)
        } else if let Some(number) = numbered(b"/stderr/") {
            (number, |bytes| Route::Stderr(Some(bytes)))
        } else if let Some(number) = numbered(b"/sleep/") {
            (number, Route::Sleep)
        } else if let Some(number) = numbered(b"/status/") {
            (number, Route::Status)
        } else {
            return Route::Unknown;
        };
        number.map_or(Route::Malformed, route)
    }
}

/// A decimal number without sign or space.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(script_name: &str, path_info: &str, route: Route) {
        let mut environ = Environ::example("GET", path_info);
        environ.set("SCRIPT_NAME", script_name).unwrap();
        assert_eq!(Route::of_request(&environ), route, "{script_name:?} {path_info:?}");
    }

    #[test]
    fn pep_14_path_info_decides_and_where_it_is_empty_script_name_may() {
        check("", "/", Route::Hello);
        check("/app", "/download", Route::Download);
        check("/app", "", Route::Hello);
        check("/app", "/", Route::Hello);
        check("/download", "", Route::Download);
        check("/download", "/upload", Route::Upload);
        check("/cgi-bin/testbed", "", Route::Hello);
        check("/cgi-bin/testbed", "/no/such/path", Route::Unknown);
    }

    #[test]
    fn numbers_are_read_whole_or_refused() {
        check("", "/bytes/0", Route::Bytes(0));
        check("", "/bytes/18446744073709551615", Route::Bytes(u64::MAX));
        for bad in ["/bytes/", "/bytes/x", "/bytes/-1", "/bytes/+1", "/bytes/1/2", "/bytes/18446744073709551616"] {
            check("", bad, Route::Malformed);
        }
        check("", "/bytes", Route::Unknown);
    }

    #[test]
    fn environ_answers_for_everything_below_it() {
        check("", "/environ//a/", Route::Environ);
        check("", "/environs", Route::Unknown);
    }
}
