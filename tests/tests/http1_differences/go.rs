//! Go's net/http, compiled here.

use std::process::Command;

use gateway_tests::corpus::Case;
use gateway_tests::corpus::answers::ask_all;
use gateway_tests::corpus::differences::Column;
use gateway_tests::place::Place;
use gateway_tests::process::Running;
use gateway_tests::servers::{go_program, installed};

pub(crate) fn column(cases: &[Case]) -> Column {
    let go = installed(&["go"]);
    let place = Place::new();
    let program = place.join("see");
    go_program("see.go", &program);
    let said = Command::new(&go).args(["env", "GOVERSION"]).output().expect("go runs");
    let version = String::from_utf8_lossy(&said.stdout).trim().trim_start_matches("go").to_owned();
    let running = Running::listen(place, "go", Vec::new(), |_, port| {
        let mut command = Command::new(&program);
        command.arg(format!("127.0.0.1:{port}"));
        command
    });
    Column { server: "Go", version, outcomes: ask_all(running.address, cases).unwrap() }
}
