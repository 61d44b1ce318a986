//! Apache httpd with its event MPM: CGI programs under mod_cgid, FastCGI workers behind mod_proxy_fcgi.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::super::model::Way;
use super::super::process::quiet;
use super::super::sockets::{Upstream, free_address};
use super::super::{FleetError, group};
use super::{Prepared, Setting, cores, find, program_file, quoted, quoted_path};

const NAME: &str = "Apache";

/// Modules that every model needs, and those of one.
const ALWAYS: [&str; 3] = ["mpm_event", "authz_core", "env"];
const FOR_FASTCGI: [&str; 2] = ["proxy", "proxy_fcgi"];
const FOR_CGI: [&str; 2] = ["alias", "cgid"];

/// Compiled in by some distributions, a file of others.
const UNIXD: &str = "unixd";

/// The program and the folder of its modules.
pub(super) fn installed() -> Result<(PathBuf, PathBuf), String> {
    let program = find(&["apache2", "httpd"], "apache2")?;
    let places = ["/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/lib/httpd/modules"].map(PathBuf::from);
    let modules = places.into_iter().find(|folder| folder.is_dir());
    let modules = modules.ok_or("Apache's modules are not installed (Debian package apache2-bin)")?;
    let mut needed = ALWAYS.iter().chain(&FOR_FASTCGI).chain(&FOR_CGI);
    match needed.find(|name| !module(&modules, name).is_file()) {
        Some(name) => Err(format!("Apache's module mod_{name} is not installed (Debian package apache2-bin)")),
        None => Ok((program, modules)),
    }
}

fn module(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("mod_{name}.so"))
}

pub(super) fn prepare(setting: &Setting<'_>) -> Result<Prepared, FleetError> {
    let (program, modules) = installed().map_err(|reason| FleetError::NotInstalled { reason })?;
    if setting.model.way == Way::Cgi && !group::is_usable() {
        // mod_cgid's daemon ignores SIGCHLD, so the kernel does not add its programs' times to its own.
        return Err(FleetError::Uncounted { server: NAME });
    }
    let address = free_address()?;
    let file = setting.folder.write("apache.conf", &configuration(setting, &modules, &address.to_string())?)?;
    let mut command = unprivileged(&program)?;
    command.arg("-d").arg(setting.folder.path()).arg("-f").arg(file).arg("-DFOREGROUND");
    Ok(Prepared { name: NAME.to_owned(), command, address: Some(address) })
}

/// It refuses to serve as root. As nobody it could not enter our folders, nor could the CGI programs use their files; so
/// it is nobody who may pass over the permissions of files, which is less than every other server here has under root.
fn unprivileged(program: &Path) -> Result<Command, FleetError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(quiet(program));
    }
    const NOBODY: [&str; 3] = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    const CAPABLE: [&str; 2] = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
    let setpriv = find(&["setpriv"], "util-linux").map_err(|reason| FleetError::NotInstalled { reason })?;
    let mut command = quiet(setpriv);
    command.args(NOBODY).args(CAPABLE).arg("--").arg(program);
    Ok(command)
}

fn configuration(setting: &Setting<'_>, modules: &Path, address: &str) -> Result<String, FleetError> {
    let (more, body) = match setting.upstream {
        Some(upstream) => (FOR_FASTCGI, fastcgi(upstream)?),
        None => (FOR_CGI, cgi(setting)?),
    };
    let unixd = module(modules, UNIXD).is_file().then_some(UNIXD);
    let load = ALWAYS
        .into_iter()
        .chain(unixd)
        .chain(more)
        .map(|name| Ok(format!("LoadModule {name}_module {}\n", quoted_path(NAME, &module(modules, name))?)));
    let load: Vec<String> = load.collect::<Result<_, FleetError>>()?;
    let folder = quoted_path(NAME, setting.folder.path())?;
    let (processes, threads) = (cores(), threads(cores()));
    let all = processes * threads;
    Ok(format!(
        "{load}ServerRoot {folder}
ServerName localhost
Listen {address}
ListenBacklog 1024
PidFile {pid}
ErrorLog {log}
LogLevel error
DefaultRuntimeDir {folder}
Mutex {mutex}
StartServers {processes}
ServerLimit {processes}
ThreadLimit {threads}
ThreadsPerChild {threads}
MaxRequestWorkers {all}
MinSpareThreads {all}
MaxSpareThreads {all}
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
DocumentRoot {folder}
<Directory />
    Require all granted
</Directory>
{body}",
        load = load.concat(),
        pid = quoted_path(NAME, &setting.folder.join("apache.pid"))?,
        log = quoted_path(NAME, &setting.folder.log())?,
        mutex = quoted(NAME, "this path", &format!("file:{}", setting.folder.path().display()))?,
    ))
}

/// Threads of a process. A busy process takes no connection beyond its threads, and a client that is always busy never
/// gives its own back: one process must have room for all clients, however unevenly they came.
fn threads(processes: usize) -> usize {
    (1024 / processes).clamp(64, 256)
}

/// Connections are kept. The module takes the whole path for the script's name: here nothing is, and the path is behind it.
fn fastcgi(upstream: &Upstream) -> Result<String, FleetError> {
    let upstream = match upstream {
        Upstream::Unix(path) => quoted(NAME, "this path", &format!("unix:{}|fcgi://localhost/", path.display()))?,
        Upstream::Tcp(address) => format!("fcgi://{address}/"),
    };
    Ok(format!(
        "ProxyPass / {upstream} enablereuse=on retry=0
ProxyFCGISetEnvIf true PATH_INFO \"%{{reqenv:SCRIPT_NAME}}\"
ProxyFCGISetEnvIf true SCRIPT_NAME \"\"
"
    ))
}

fn cgi(setting: &Setting<'_>) -> Result<String, FleetError> {
    if !setting.program.arguments.is_empty() {
        return Err(FleetError::Arguments { server: NAME });
    }
    // With a slash on both sides, or /hello would become PROGRAMhello.
    let program = quoted(NAME, "this path", &format!("{}/", program_file(setting)?.display()))?;
    let socket = quoted_path(NAME, &setting.folder.join("cgid.sock"))?;
    let variables = setting.program.variables(setting.place.marks);
    let variables = variables.iter().map(|(name, value)| {
        Ok(format!("SetEnv {} {}\n", quoted(NAME, "this name", name)?, quoted(NAME, "this value", value)?))
    });
    let variables: Vec<String> = variables.collect::<Result<_, FleetError>>()?;
    // Since 2.4.59 it drops a program's Content-Length unless it is told to trust it.
    Ok(format!(
        "ScriptSock {socket}
ScriptAlias / {program}
SetEnv ap_trust_cgilike_cl 1
{}",
        variables.concat()
    ))
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::Example;
    use super::*;
    use crate::bench::model::Front;

    fn text(example: &Example, upstream: Option<&Upstream>) -> Result<String, FleetError> {
        configuration(&example.setting(upstream), Path::new("/modules"), "127.0.0.1:81")
    }

    #[track_caller]
    fn assert_lines(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(text.lines().any(|found| found == *line), "{line}\n{text}");
        }
    }

    #[test]
    fn workers_are_reached_over_kept_connections() {
        let example = Example::new(Front::Apache, Way::FastCgiUnix);
        let text = text(&example, Some(&Upstream::Unix("/x y/app.sock".into()))).unwrap();
        let proxied = "ProxyPass / \"unix:/x y/app.sock|fcgi://localhost/\" enablereuse=on retry=0";
        let module = "LoadModule proxy_fcgi_module \"/modules/mod_proxy_fcgi.so\"";
        assert_lines(&text, &["Listen 127.0.0.1:81", module, proxied]);
        assert!(!text.contains("cgid"), "{text}");
    }

    #[test]
    fn a_cgi_program_answers_every_path_and_gets_its_variables() {
        let example = Example::new(Front::Apache, Way::Cgi);
        let text = text(&example, None).unwrap();
        let variables = ["SetEnv \"ROLE\" \"app\"", "SetEnv \"GATEWAY_MARKS\" \"/marks\""];
        assert_lines(&text, &["ScriptAlias / \"/bin/sh/\"", variables[0], variables[1]]);
        assert!(!text.contains("proxy"), "{text}");
    }

    #[test]
    fn arguments_of_a_cgi_program_are_refused() {
        let mut example = Example::new(Front::Apache, Way::Cgi);
        example.program.arguments.push("-x".to_owned());
        let error = text(&example, None).unwrap_err();
        assert_eq!(error.to_string(), "Apache cannot pass arguments to a CGI program");
    }

    #[test]
    fn one_process_has_a_thread_for_each_of_256_clients_while_there_are_few() {
        assert_eq!([1, 2, 4, 8, 16, 64].map(threads), [256, 256, 256, 128, 64, 64]);
    }
}
