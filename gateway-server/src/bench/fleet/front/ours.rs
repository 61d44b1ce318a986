//! Our own: the application alone, and `gateway serve` with a configuration.

use serde_json::json;

use super::super::super::model::Way;
use super::super::process::quiet;
use super::super::sockets::Upstream;
use super::super::{FleetError, MARKS};
use super::{CONNECTIONS, Prepared, Setting, program_file};

/// The application listens itself.
pub(super) fn application(setting: &Setting<'_>) -> Prepared {
    const FLAG: [&str; 2] = ["--http", "127.0.0.1:0"];
    let mut command = setting.program.command(setting.place.marks);
    command.args(FLAG).stdin(std::process::Stdio::null());
    // A program that was not made with `main!` does not know the flag: what it says about it is then to be understood.
    Prepared { name: format!("{} {}", setting.program.name(), FLAG.join(" ")), command, address: None }
}

/// `gateway serve` in front of the application.
pub(super) fn gateway(setting: &Setting<'_>) -> Result<Prepared, FleetError> {
    let file = setting.folder.write("gateway.toml", &configuration(setting)?)?;
    let mut command = quiet(setting.place.gateway);
    command.env_remove(MARKS).envs(setting.place.marks.map(|folder| (MARKS, folder)));
    command.args(["serve", "--config"]).arg(file);
    Ok(Prepared { name: "gateway serve".to_owned(), command, address: None })
}

fn configuration(setting: &Setting<'_>) -> Result<String, FleetError> {
    let (target, options) = match setting.upstream {
        Some(Upstream::Unix(path)) => (format!("fastcgi:unix:{}", path.display()), fastcgi()),
        Some(Upstream::Tcp(address)) => (format!("fastcgi:tcp:{address}"), fastcgi()),
        None => (format!("cgi:{}", program_file(setting)?.display()), cgi(setting)),
    };
    debug_assert_eq!(setting.upstream.is_none(), setting.model.way == Way::Cgi);
    let tables = json!({
        "listen": "127.0.0.1:0",
        "log": { "access": false },
        // A second less than processes get to end.
        "timeouts": { "stop": "2s" },
        "mount": [{ "prefix": "/", "target": target, "options": options }],
    });
    toml::to_string(&tables).map_err(|error| {
        let source = std::io::Error::other(error);
        FleetError::Prepare { what: "the configuration of gateway serve".to_owned(), source }
    })
}

/// A connection for each client and all of them kept: the workers serve many connections each.
fn fastcgi() -> serde_json::Value {
    json!({ "max_connections": CONNECTIONS, "max_kept": CONNECTIONS, "max_queue": CONNECTIONS, "queue_timeout": "60s" })
}

/// As many programs at once as by default; who does not find a place waits, however many they are.
fn cgi(setting: &Setting<'_>) -> serde_json::Value {
    let variables: serde_json::Map<_, _> =
        setting.program.variables(setting.place.marks).into_iter().map(|(name, value)| (name, value.into())).collect();
    json!({ "queue_timeout": "60s", "argument": setting.program.arguments, "env": variables })
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::Example;
    use super::*;
    use crate::bench::model::Front;

    fn parsed(example: &Example, upstream: Option<&Upstream>) -> toml::Table {
        configuration(&example.setting(upstream)).unwrap().parse().unwrap()
    }

    #[test]
    fn the_gateway_is_configured_for_workers_on_either_socket() {
        let example = Example::new(Front::Gateway, Way::FastCgiUnix);
        for (upstream, target) in [
            (Upstream::Unix("/x y/app.sock".into()), "fastcgi:unix:/x y/app.sock"),
            (Upstream::Tcp(([127, 0, 0, 1], 9).into()), "fastcgi:tcp:127.0.0.1:9"),
        ] {
            let table = parsed(&example, Some(&upstream));
            assert_eq!(table["mount"][0]["target"].as_str(), Some(target));
            assert_eq!(table["mount"][0]["options"]["max_connections"].as_integer(), Some(1024));
            assert_eq!(table["log"]["access"].as_bool(), Some(false));
        }
    }

    #[test]
    fn a_cgi_program_gets_its_arguments_its_variables_and_where_to_leave_marks() {
        let mut example = Example::new(Front::Gateway, Way::Cgi);
        example.program.arguments = vec!["--say".to_owned(), "\"a\" b\\c".to_owned()];
        let options = parsed(&example, None)["mount"][0]["options"].clone();
        assert_eq!(options["argument"], toml::Value::from(example.program.arguments.clone()));
        assert_eq!(options["env"]["ROLE"].as_str(), Some("app"));
        assert_eq!(options["env"]["GATEWAY_MARKS"].as_str(), Some("/marks"));
    }

    #[test]
    fn the_application_alone_takes_a_free_port_and_tells_it() {
        let example = Example::new(Front::Application, Way::InProcess);
        let prepared = application(&example.setting(None));
        let arguments: Vec<_> = prepared.command.get_args().collect();
        assert_eq!((arguments, prepared.address), (vec!["--http".as_ref(), "127.0.0.1:0".as_ref()], None));
    }
}
