//! The front page: what one sees here, and the way to the three.

use std::fmt::Write as _;

use gateway_spec::{AppError, Application, Body, Environ, StartResponse, StatusCode, headers};

use crate::mount::encode_path;

use super::picture::svg;
use super::text::nonce;
use super::{Way, html_fields, page, plain_fields, redirect, refuse, wants_html};

/// The page at `/` when `gateway serve` is started without mounts.
#[derive(Debug, Clone, Copy, Default)]
pub struct FrontPage;

impl Application for FrontPage {
    fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        match (environ.path_info().as_bytes(), environ.request_method().as_bytes()) {
            (b"", b"GET" | b"HEAD") => redirect(&environ, &start_response),
            (b"/", b"GET" | b"HEAD") if wants_html(&environ) => {
                let nonce = nonce();
                start_response(StatusCode::OK, html_fields(&nonce))?;
                Ok(html(&encode_path(&environ.script_name()), &nonce).into())
            }
            (b"/", b"GET" | b"HEAD") => {
                start_response(StatusCode::OK, plain_fields())?;
                Ok(plain(&encode_path(&environ.script_name())).into())
            }
            (b"" | b"/", _) => {
                refuse(StatusCode::METHOD_NOT_ALLOWED, headers!["allow" => "GET, HEAD"], &start_response)
            }
            _ => refuse(StatusCode::NOT_FOUND, headers![], &start_response),
        }
    }
}

/// One line for each way.
fn about(way: Way) -> &'static str {
    match way {
        Way::InProcess => "called as a function, inside the process that listens",
        Way::Cgi => "a new process for each request",
        Way::FastCgi => "a worker process that stays",
    }
}

const INTRODUCTION: &str = "One application, written once against one contract, answers behind three gateways at the same \
     time. Its code is the same each time; only the way to it differs.";

/// In quotation marks, because `?` and `&` mean something to a shell.
const SERVE: &str = "gateway serve --mount /=static:. --mount /cgi-bin=cgi:./cgi-bin \\\n    --mount \
     '/app=fastcgi:unix:/run/app.sock?read_timeout=5s'";

fn html(own: &str, nonce: &str) -> String {
    let mut html = page::head("Start", nonce);
    let _ = write!(html, "<h1>One application, three gateways</h1><p>{INTRODUCTION}</p><div class=\"ways\">");
    for way in Way::ALL {
        let _ = write!(
            html,
            "<section><h2><a href=\"{own}/{}/\">{}</a></h2><p>{}</p>{}</section>",
            way.segment(),
            way.title(),
            about(way),
            svg(way),
        );
    }
    let _ = write!(
        html,
        "</div><h2>Serve your own</h2><pre>{SERVE}</pre><p><code>gateway serve --help</code> lists what can be \
         mounted.</p></main></html>"
    );
    html
}

fn plain(own: &str) -> String {
    let mut page = format!("One application, three gateways\n\n{INTRODUCTION}\n\n");
    for way in Way::ALL {
        let _ = writeln!(page, "{:12}{own}/{}/   {}", way.title(), way.segment(), about(way));
    }
    let _ = write!(page, "\nServe your own:\n{SERVE}\n");
    page
}
