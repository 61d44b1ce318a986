//! nginx in front of FastCGI workers; it runs no CGI programs.

use std::path::PathBuf;

use super::super::FleetError;
use super::super::process::quiet;
use super::super::sockets::{Upstream, free_address};
use super::{CONNECTIONS, Prepared, Setting, cores, find, quoted, quoted_path};

const NAME: &str = "nginx";

pub(super) fn installed() -> Result<PathBuf, String> {
    find(&["nginx"], "nginx")
}

pub(super) fn prepare(setting: &Setting<'_>) -> Result<Prepared, FleetError> {
    let program = installed().map_err(|reason| FleetError::NotInstalled { reason })?;
    let address = free_address()?;
    let file = setting.folder.write("nginx.conf", &configuration(setting, &address.to_string())?)?;
    let mut command = quiet(program);
    command.arg("-p").arg(setting.folder.path()).arg("-e").arg(setting.folder.log()).arg("-c").arg(file);
    Ok(Prepared { name: NAME.to_owned(), command, address: Some(address) })
}

fn configuration(setting: &Setting<'_>, address: &str) -> Result<String, FleetError> {
    let upstream = match setting.upstream {
        Some(Upstream::Unix(path)) => quoted(NAME, "this path", &format!("unix:{}", path.display()))?,
        Some(Upstream::Tcp(upstream)) => upstream.to_string(),
        None => return Err(FleetError::NotInstalled { reason: "nginx runs no CGI programs".to_owned() }),
    };
    let here = |name: &str| quoted_path(NAME, &setting.folder.join(name));
    // Its workers would be somebody who may not enter our folder.
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let temporary: Vec<String> = ["client_body", "fastcgi", "proxy", "uwsgi", "scgi"]
        .iter()
        .map(|what| Ok(format!("    {what}_temp_path {};\n", here(what)?)))
        .collect::<Result<_, FleetError>>()?;
    Ok(format!(
        "daemon off;
{user}
pid {pid};
worker_processes {workers};
error_log {log} error;
events {{
    worker_connections {connections};
}}
http {{
    access_log off;
    default_type text/plain;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    client_max_body_size 0;
{temporary}
    upstream application {{
        server {upstream};
        keepalive {CONNECTIONS};
        keepalive_requests 1000000000;
    }}
    server {{
        listen {address} backlog={CONNECTIONS};
        location / {{
            fastcgi_pass application;
            fastcgi_keep_conn on;
            fastcgi_request_buffering off;
            fastcgi_buffer_size 64k;
            fastcgi_buffers 16 64k;
            fastcgi_busy_buffers_size 128k;
            fastcgi_max_temp_file_size 0;
{parameters}
        }}
    }}
}}
",
        pid = here("nginx.pid")?,
        workers = cores(),
        log = quoted_path(NAME, &setting.folder.log())?,
        connections = 4 * CONNECTIONS,
        temporary = temporary.concat(),
        parameters = parameters(),
    ))
}

/// The application is mounted at the root: its name is empty and every path is behind it.
fn parameters() -> String {
    const PARAMETERS: [(&str, &str); 15] = [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_SOFTWARE", "nginx"),
        ("SERVER_PROTOCOL", "$server_protocol"),
        ("SERVER_NAME", "$server_name"),
        ("SERVER_ADDR", "$server_addr"),
        ("SERVER_PORT", "$server_port"),
        ("REMOTE_ADDR", "$remote_addr"),
        ("REMOTE_PORT", "$remote_port"),
        ("REQUEST_METHOD", "$request_method"),
        ("REQUEST_URI", "$request_uri"),
        ("SCRIPT_NAME", "\"\""),
        ("PATH_INFO", "$document_uri"),
        ("QUERY_STRING", "$query_string"),
        ("CONTENT_TYPE", "$content_type"),
        ("CONTENT_LENGTH", "$content_length"),
    ];
    let lines = PARAMETERS.map(|(name, value)| format!("            fastcgi_param {name} {value};"));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::Example;
    use super::*;
    use crate::bench::model::{Front, Way};

    #[test]
    fn it_listens_where_it_was_told_and_keeps_connections_to_the_workers() {
        let example = Example::new(Front::Nginx, Way::FastCgiUnix);
        let upstream = Upstream::Unix("/x y/app.sock".into());
        let text = configuration(&example.setting(Some(&upstream)), "127.0.0.1:81").unwrap();
        for part in
            ["listen 127.0.0.1:81 ", "server \"unix:/x y/app.sock\";", "fastcgi_keep_conn on;", "access_log off;"]
        {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }

    #[test]
    fn without_workers_there_is_nothing_for_it_to_do() {
        let example = Example::new(Front::Nginx, Way::Cgi);
        let error = configuration(&example.setting(None), "127.0.0.1:81").unwrap_err();
        assert_eq!(error.to_string(), "nginx runs no CGI programs");
    }

    #[test]
    fn a_socket_whose_path_would_be_read_as_a_variable_is_refused() {
        let example = Example::new(Front::Nginx, Way::FastCgiUnix);
        let upstream = Upstream::Unix("/$x".into());
        let error = configuration(&example.setting(Some(&upstream)), "127.0.0.1:81").unwrap_err();
        assert!(matches!(error, FleetError::Unwritable { .. }), "{error}");
    }
}
