//! What the application is told about the request, on every gateway.
//!
//! The values differ between gateways as far as CGI allows (addresses, software); the cases look at what must not.

use serde_json::Value;

use super::cases::{Case, Judge};
use super::{Deviation, Gateway};
use crate::client::{Request, Response};

const LONG: &str = "v0123456789abcdefghijklmnopqrstuvwxyz-v0123456789abcdefghijklmnopqrstuvwxyz-\
                    v0123456789abcdefghijklmnopqrstuvwxyz-v0123456789abcdefghijklmnopqrstuvwxyz-end";

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("environ_required", Request::get("/environ"), |gateway, v| {
            let script_and_path = format!("{}{}", v.text("SCRIPT_NAME"), v.text("PATH_INFO"));
            let mut found = v.expect("REQUEST_METHOD", Some("GET"));
            found.extend(v.expect("SERVER_PROTOCOL", Some("HTTP/1.1")));
            found.extend(v.expect("SCRIPT_NAME", Some(gateway.prefix())));
            found.extend(differs("path", &script_and_path, &format!("{}/environ", gateway.prefix())));
            for name in ["SERVER_NAME", "SERVER_PORT"] {
                if v.text(name).is_empty() {
                    found.push(Deviation::new(name, "missing"));
                }
            }
            found
        }),
        case("environ_gateway", Request::get("/environ"), |_, v| v.expect("GATEWAY_INTERFACE", Some("CGI/1.1"))),
        case("environ_remote", Request::get("/environ"), |_, v| v.expect("REMOTE_ADDR", Some("127.0.0.1"))),
        case("environ_query_raw", Request::get("/environ?a=1&b=%20%2541+c&&d=;,"), |_, v| {
            v.expect("QUERY_STRING", Some("a=1&b=%20%2541+c&&d=;,"))
        }),
        case("environ_no_query", Request::get("/environ"), |_, v| differs("QUERY_STRING", v.text("QUERY_STRING"), "")),
        case("environ_uri_raw", Request::get("/%65nviron?q=%20"), |gateway, v| {
            v.expect("REQUEST_URI", Some(&format!("{}/%65nviron?q=%20", gateway.prefix())))
        }),
        case("environ_decoded_once", Request::get("/environ/a%2520b%2Cc"), |_, v| {
            v.expect("PATH_INFO", Some("/environ/a%20b,c"))
        }),
        case("environ_not_utf8", Request::get("/environ/%FF%C3"), |_, v| match v.bytes("PATH_INFO").as_deref() {
            Some(b"/environ/\xff\xc3") => Vec::new(),
            other => vec![Deviation::new("PATH_INFO", format!("{other:?}"))],
        }),
        case("environ_slashes_kept", Request::get("/environ//x/"), |_, v| v.expect("PATH_INFO", Some("/environ//x/"))),
        case("environ_content", Request::post("/environ", "12345").field("Content-Type", "text/x-five"), |_, v| {
            let mut found = v.expect("CONTENT_LENGTH", Some("5"));
            found.extend(v.expect("CONTENT_TYPE", Some("text/x-five")));
            found
        }),
        case("environ_no_content", Request::get("/environ"), |_, v| {
            let mut found = differs("CONTENT_TYPE", v.text("CONTENT_TYPE"), "");
            if !matches!(v.text("CONTENT_LENGTH"), "" | "0") {
                found.push(Deviation::new("CONTENT_LENGTH", v.text("CONTENT_LENGTH")));
            }
            found
        }),
        // RFC 3875 §4.1.18: the content fields have variables of their own.
        case("environ_no_http_content", Request::post("/environ", "x").field("Content-Type", "text/plain"), |_, v| {
            let mut found = v.expect("HTTP_CONTENT_LENGTH", None);
            found.extend(v.expect("HTTP_CONTENT_TYPE", None));
            found
        }),
        // FastCGI 1.0 §3.4: values above 127 bytes have a longer length prefix.
        case("environ_long_value", Request::get("/environ").field("X-Long", LONG), |_, v| {
            v.expect("HTTP_X_LONG", Some(LONG))
        }),
        case("environ_cookie", Request::get("/environ").field("Cookie", "a=1; b=2"), |_, v| {
            v.expect("HTTP_COOKIE", Some("a=1; b=2"))
        }),
        case("environ_joined", Request::get("/environ").field("X-Twice", "one").field("X-Twice", "two"), |_, v| {
            v.expect("HTTP_X_TWICE", Some("one, two"))
        }),
        case("environ_authorization", Request::get("/environ").field("Authorization", "Basic dTpw"), |_, v| {
            v.expect("HTTP_AUTHORIZATION", Some("Basic dTpw"))
        }),
        case("environ_no_proxy", Request::get("/environ").field("Proxy", "http://evil.example"), |_, v| {
            v.expect("HTTP_PROXY", None)
        }),
        case("environ_underscore", Request::get("/environ").field("X_Under", "shadow"), |_, v| {
            v.expect("HTTP_X_UNDER", None)
        }),
    ]
}

/// A case that looks at the variables of its only answer.
fn case(name: &'static str, request: Request, judge: fn(&dyn Gateway, &Variables) -> Vec<Deviation>) -> Case {
    Case { name, requests: vec![request], same_as_direct: false, judge: Judge::Variables(judge) }
}

/// The variables that a response of `/environ` shows.
pub struct Variables(serde_json::Map<String, Value>);

impl Variables {
    pub(super) fn of(response: &Response) -> Result<Self, Deviation> {
        let bad = |what: String| Deviation::new("answer", what);
        if response.status != 200 {
            return Err(bad(format!("{} instead of 200", response.status)));
        }
        let value: Value = serde_json::from_slice(&response.content.start).map_err(|e| bad(format!("no JSON: {e}")))?;
        match value.get("variables") {
            Some(Value::Object(variables)) => Ok(Self(variables.clone())),
            _ => Err(bad("no variables in the JSON".to_owned())),
        }
    }

    /// A variable's value; empty when it is not there, which CGI does not tell apart.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A variable's value as bytes: `testbed` writes a byte that is no UTF-8 as `\xHH`, and a backslash as two.
    pub(super) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let mut rest = self.0.get(name)?.as_str()?.as_bytes();
        let mut bytes = Vec::new();
        while let [first, more @ ..] = rest {
            match (first, more) {
                (b'\\', [b'x', high, low, more @ ..]) => {
                    let digits = [*high, *low];
                    bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
                    rest = more;
                }
                (b'\\', [b'\\', more @ ..]) => {
                    bytes.push(b'\\');
                    rest = more;
                }
                _ => {
                    bytes.push(*first);
                    rest = more;
                }
            }
        }
        Some(bytes)
    }

    /// A deviation unless the variable has this value; `None`: unless it is not there at all.
    pub(super) fn expect(&self, name: &str, value: Option<&str>) -> Vec<Deviation> {
        match (self.0.get(name).and_then(Value::as_str), value) {
            (got, want) if got == want => Vec::new(),
            (Some(got), _) => vec![Deviation::new(name, got)],
            (None, _) => vec![Deviation::new(name, "missing")],
        }
    }
}

fn differs(what: &str, got: &str, want: &str) -> Vec<Deviation> {
    if got == want { Vec::new() } else { vec![Deviation::new(what, format!("{got:?} instead of {want:?}"))] }
}
