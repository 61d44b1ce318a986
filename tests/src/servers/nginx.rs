//! nginx in front of our FastCGI worker.

use std::path::Path;
use std::process::Command;

use super::installed;
use super::ours::{testbed_worker_tcp, testbed_worker_unix};
use super::page::block;
use crate::place::Place;
use crate::process::{Process, Running};

/// nginx with `testbed` on a Unix socket, connections kept.
pub fn unix() -> Running {
    let place = Place::new();
    let (worker, socket) = testbed_worker_unix(&place);
    application(place, vec![worker], &format!("unix:{}", socket.display()))
}

/// nginx with `testbed` on a TCP port, connections kept.
pub fn tcp() -> Running {
    let place = Place::new();
    let (worker, address) = testbed_worker_tcp(&place);
    application(place, vec![worker], &address.to_string())
}

/// As `docs/deploy/nginx.md` configures it, in front of whatever is at `upstream`, which answers below `/app`.
pub fn application(place: Place, behind: Vec<Process>, upstream: &str) -> Running {
    let block = block("nginx", "The application below a path").with("unix:/run/app/app.sock", upstream);
    http(place, behind, |port| {
        let own = block.clone().with("listen 80;", format!("listen 127.0.0.1:{port};"));
        format!("fastcgi_read_timeout 3s; fastcgi_send_timeout 3s;\n{}", own.text())
    })
}

/// nginx in front of something that speaks FastCGI at `upstream`.
pub(super) fn start(place: Place, behind: Vec<Process>, upstream: &str, parameters: &str) -> Running {
    let server = format!(
        "
  location / {{
   fastcgi_pass application;
   fastcgi_keep_conn on;
   fastcgi_read_timeout 3s; fastcgi_send_timeout 3s;
   fastcgi_max_temp_file_size 0;
   fastcgi_param QUERY_STRING $query_string;
   fastcgi_param REQUEST_METHOD $request_method;
   fastcgi_param CONTENT_TYPE $content_type;
   fastcgi_param CONTENT_LENGTH $content_length;
   fastcgi_param REQUEST_URI $request_uri;
   fastcgi_param SERVER_PROTOCOL $server_protocol;
   fastcgi_param GATEWAY_INTERFACE CGI/1.1;
   fastcgi_param SERVER_SOFTWARE nginx;
   fastcgi_param REMOTE_ADDR $remote_addr;
   fastcgi_param REMOTE_PORT $remote_port;
   fastcgi_param SERVER_ADDR $server_addr;
   fastcgi_param SERVER_PORT $server_port;
   fastcgi_param SERVER_NAME $server_name;
   {parameters}
  }}"
    );
    serving(place, behind, &format!("upstream application {{ server {upstream}; keepalive 8; }}"), &server)
}

/// nginx in front of PHP workers, as for php-fpm: scripts in `root`, everything that is not there by `/index.php`.
pub fn php(place: Place, root: &Path, socket: &Path) -> Running {
    let server = format!(
        "root {root}; index index.php;
  location / {{ try_files $uri $uri/ /index.php$is_args$args; }}
  location ~ \\.php(/|$) {{
   fastcgi_split_path_info ^(.+?\\.php)(/.*)$;
   fastcgi_param PATH_INFO $fastcgi_path_info;
   include /etc/nginx/fastcgi.conf;
   fastcgi_pass unix:{socket};
  }}",
        root = root.display(),
        socket = socket.display()
    );
    serving(place, Vec::new(), "", &server)
}

/// nginx with `server` inside its `server` block and `before` in front of that.
pub fn serving(place: Place, behind: Vec<Process>, before: &str, server: &str) -> Running {
    http(place, behind, |port| {
        format!(
            "client_max_body_size 0;\n {before}\n server {{\n  listen 127.0.0.1:{port}; server_name localhost;\n  {server}\n }}"
        )
    })
}

/// nginx with what `inside` says of its port inside its `http` block.
fn http(place: Place, behind: Vec<Process>, inside: impl Fn(u16) -> String) -> Running {
    Running::listen(place, "nginx", behind, |place, port| {
        let here = place.path().display();
        let configuration = format!(
            "daemon off; pid {here}/nginx.pid; worker_processes 1; error_log {here}/nginx-error.log info;
events {{ worker_connections 256; }}
http {{
 access_log off; default_type text/plain; merge_slashes off; keepalive_timeout 1s;
 client_body_temp_path {here}/body; proxy_temp_path {here}/proxy; fastcgi_temp_path {here}/fastcgi;
 uwsgi_temp_path {here}/uwsgi; scgi_temp_path {here}/scgi;
 {}
}}
",
            inside(port)
        );
        let file = place.write("nginx.conf", &configuration);
        let mut command = Command::new(installed(&["nginx"]));
        command.arg("-p").arg(place.path()).arg("-e").arg(place.join("nginx-error.log")).arg("-c").arg(file);
        command
    })
}
