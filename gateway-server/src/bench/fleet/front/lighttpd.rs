//! lighttpd: CGI programs under mod_cgi, FastCGI workers behind mod_fastcgi.

use std::path::PathBuf;

use super::super::FleetError;
use super::super::process::quiet;
use super::super::sockets::{Upstream, free_address};
use super::{CONNECTIONS, Prepared, Setting, cores, find, program_file, quoted, quoted_path};

const NAME: &str = "lighttpd";

pub(super) fn installed() -> Result<PathBuf, String> {
    find(&["lighttpd"], "lighttpd")
}

pub(super) fn prepare(setting: &Setting<'_>) -> Result<Prepared, FleetError> {
    let program = installed().map_err(|reason| FleetError::NotInstalled { reason })?;
    let address = free_address()?;
    let file = setting.folder.write("lighttpd.conf", &configuration(setting, address.port())?)?;
    let mut command = quiet(program);
    command.arg("-D").arg("-f").arg(file);
    Ok(Prepared { name: NAME.to_owned(), command, address: Some(address) })
}

fn configuration(setting: &Setting<'_>, port: u16) -> Result<String, FleetError> {
    let (modules, body) = match setting.upstream {
        Some(upstream) => ("\"mod_fastcgi\"", fastcgi(upstream)?),
        None => ("\"mod_alias\", \"mod_setenv\", \"mod_cgi\"", cgi(setting)?),
    };
    // With one process there is no second one that only looks after it.
    let workers = if cores() > 1 { cores() } else { 0 };
    Ok(format!(
        "server.modules = ( {modules} )
server.document-root = {folder}
server.bind = \"127.0.0.1\"
server.port = {port}
server.listen-backlog = {CONNECTIONS}
server.errorlog = {log}
server.upload-dirs = ( {folder} )
server.max-worker = {workers}
server.max-connections = {CONNECTIONS}
server.max-fds = {descriptors}
server.max-keep-alive-requests = 1000000000
server.max-keep-alive-idle = 60
server.max-request-size = 0
server.stream-response-body = 2
{body}",
        folder = quoted_path(NAME, setting.folder.path())?,
        log = quoted_path(NAME, &setting.folder.log())?,
        descriptors = 4 * CONNECTIONS,
    ))
}

fn fastcgi(upstream: &Upstream) -> Result<String, FleetError> {
    let upstream = match upstream {
        Upstream::Unix(path) => format!("\"socket\" => {}", quoted_path(NAME, path)?),
        Upstream::Tcp(address) => format!("\"host\" => \"{}\", \"port\" => {}", address.ip(), address.port()),
    };
    // Without the last the whole path would be the script's name.
    Ok(format!(
        "fastcgi.server = ( \"/\" => (( {upstream}, \"check-local\" => \"disable\", \"fix-root-scriptname\" => \"enable\" )) )
"
    ))
}

fn cgi(setting: &Setting<'_>) -> Result<String, FleetError> {
    if !setting.program.arguments.is_empty() {
        return Err(FleetError::Arguments { server: NAME });
    }
    // With a slash on both sides, or /hello would become PROGRAMhello.
    let program = quoted(NAME, "this path", &format!("{}/", program_file(setting)?.display()))?;
    let variables = setting.program.variables(setting.place.marks);
    let variables = variables.iter().map(|(name, value)| {
        Ok(format!("{} => {}", quoted(NAME, "this name", name)?, quoted(NAME, "this value", value)?))
    });
    let variables: Vec<String> = variables.collect::<Result<_, FleetError>>()?;
    Ok(format!(
        "alias.url = ( \"/\" => {program} )
cgi.assign = ( \"\" => \"\" )
setenv.add-environment = ( {} )
",
        variables.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::Example;
    use super::*;
    use crate::bench::model::{Front, Way};

    #[test]
    fn workers_answer_every_path() {
        let example = Example::new(Front::Lighttpd, Way::FastCgiUnix);
        let text = configuration(&example.setting(Some(&Upstream::Unix("/x/app.sock".into()))), 81).unwrap();
        for part in ["server.port = 81\n", "\"/\" => (( \"socket\" => \"/x/app.sock\", ", "( \"mod_fastcgi\" )"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn a_cgi_program_answers_every_path_and_gets_its_variables() {
        let example = Example::new(Front::Lighttpd, Way::Cgi);
        let text = configuration(&example.setting(None), 81).unwrap();
        for part in
            ["alias.url = ( \"/\" => \"/bin/sh/\" )", "( \"ROLE\" => \"app\", \"GATEWAY_MARKS\" => \"/marks\" )"]
        {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn arguments_of_a_cgi_program_are_refused() {
        let mut example = Example::new(Front::Lighttpd, Way::Cgi);
        example.program.arguments.push("-x".to_owned());
        let error = configuration(&example.setting(None), 81).unwrap_err();
        assert_eq!(error.to_string(), "lighttpd cannot pass arguments to a CGI program");
    }
}
