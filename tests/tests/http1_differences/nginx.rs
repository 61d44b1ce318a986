//! nginx in front of our FastCGI worker.

use std::process::Command;

use gateway_tests::corpus::Case;
use gateway_tests::corpus::answers::ask_all;
use gateway_tests::corpus::differences::Column;
use gateway_tests::corpus::seeing::with_our_worker;
use gateway_tests::place::Place;
use gateway_tests::servers::installed;
use gateway_tests::servers::nginx::serving;

pub(crate) fn column(cases: &[Case]) -> Column {
    let said = Command::new(installed(&["nginx"])).arg("-v").output().expect("nginx runs");
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    let version = said.split(['/', ' ', '\n']).find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let outcomes = with_our_worker(|worker| {
        // A client that sends no more still wants its answer; the fields of a request are not asked about here.
        let server = format!(
            "location / {{
   fastcgi_pass {worker}; fastcgi_ignore_client_abort on; fastcgi_pass_request_headers off;
   fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REQUEST_URI $request_uri;
   fastcgi_param SCRIPT_NAME \"\"; fastcgi_param PATH_INFO $document_uri; fastcgi_param QUERY_STRING $query_string;
   fastcgi_param CONTENT_LENGTH $content_length; fastcgi_param SERVER_PROTOCOL $server_protocol;
   fastcgi_param GATEWAY_INTERFACE CGI/1.1; fastcgi_param SERVER_NAME localhost; fastcgi_param SERVER_PORT 80;
  }}"
        );
        let nginx = serving(Place::new(), Vec::new(), "", &server);
        ask_all(nginx.address, cases)
    });
    Column {
        server: "nginx",
        version: version.expect("nginx tells its version").to_owned(),
        outcomes: outcomes.unwrap(),
    }
}
