//! HTTP servers that are not ours, behind a mount of `gateway serve`, started with the commands of `docs/proxy.md`.
//!
//! Each runs the program of `tests/programs` that is for it.

use std::path::Path;
use std::process::Command;

use super::page::{Block, block};
use crate::place::{Place, free_port};
use crate::process::{Process, Running, start_tcp, start_unix};
use crate::programs::program;

const PAGE: &str = "../proxy";

/// gunicorn on a UNIX socket.
pub fn gunicorn() -> Running {
    let place = Place::new();
    place.write("app.py", include_str!("../../programs/proxied_wsgi.py"));
    let socket = place.join("app.sock");
    let page = block(PAGE, "gunicorn").with("/run/app/app.sock", socket.display());
    let upstream = start_unix(&place, "gunicorn", &socket, &mut line(&page, "gunicorn"));
    in_front(place, upstream, &page)
}

/// An ASGI server on a port: the words of its command are on the page below its name.
pub fn asgi(name: &str) -> Running {
    let place = Place::new();
    place.write("app.py", include_str!("../../programs/proxied_asgi.py"));
    on_a_port(place, name, name)
}

/// Node.
pub fn node() -> Running {
    let place = Place::new();
    place.write("server.js", include_str!("../../programs/proxied.js"));
    on_a_port(place, "Node", "node")
}

/// Tomcat, with a folder of its own and one page; its context path is the prefix of the mount.
pub fn tomcat() -> Running {
    let place = Place::new();
    for folder in ["conf", "webapps/ROOT/WEB-INF", "temp", "work", "logs"] {
        place.folder(folder);
    }
    place.write("webapps/ROOT/app.jsp", include_str!("../../programs/proxied.jsp"));
    place.write("webapps/ROOT/WEB-INF/web.xml", include_str!("../../programs/proxied.xml"));
    let port = free_port();
    let page = block(PAGE, "Tomcat").with("8000", port);
    place.write("conf/server.xml", page.text());
    let mut command = Command::new("/usr/share/tomcat10/bin/catalina.sh");
    command.arg("run").env("CATALINA_HOME", "/usr/share/tomcat10").env("CATALINA_BASE", place.path());
    // Small, and started soon: what compiles for long runs would be in the way.
    command.env("CATALINA_OPTS", "-Xmx96m -XX:+UseSerialGC -XX:TieredStopAtLevel=1");
    let upstream = Process::start(&place, "tomcat", &mut command);
    let mount = format!("/app=http://127.0.0.1:{port}");
    super::ours::gateway(place, vec![upstream], &[mount])
}

/// A server whose page has `8000` for its port.
fn on_a_port(place: Place, heading: &str, name: &str) -> Running {
    let page = block(PAGE, heading);
    let (upstream, address) = start_tcp(&place, name, |port| line(&page.clone().with("8000", port), name));
    let page = page.with("8000", address.port());
    in_front(place, upstream, &page)
}

/// The command of the page that runs this program.
fn line(page: &Block, name: &str) -> Command {
    let line = page.text().lines().find(|line| line.starts_with(name));
    let mut words = line.unwrap_or_else(|| panic!("the page has no command of {name}")).split_whitespace();
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words.map(|word| word.trim_matches('\''))).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// `gateway serve` as the page has it, listening on a free port.
fn in_front(place: Place, upstream: Process, page: &Block) -> Running {
    let gateway = place.program(&program("gateway"));
    Running::listen(place, "gateway", vec![upstream], |place, port| {
        let theirs = line(&page.clone().with("127.0.0.1:8080", format!("127.0.0.1:{port}")), "gateway");
        let mut command = Command::new(&gateway);
        command.args(theirs.get_args()).current_dir(place.path() as &Path);
        command
    })
}
