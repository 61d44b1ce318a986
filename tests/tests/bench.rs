//! `gateway bench` beside real servers, and with programs that are not its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;
use std::process::Command;

use gateway_tests::programs::program;
use serde_json::Value;

/// Runs it in `folder` and returns what it measured.
#[track_caller]
fn bench(folder: &Path, flags: &[&str]) -> Value {
    let mut command = Command::new(program("gateway"));
    command.args(["bench", "--quick", "--duration", "200ms", "--json", "all.json"]).args(flags);
    let output = command.current_dir(folder).env("TMPDIR", folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&fs::read(folder.join("all.json")).unwrap()).unwrap()
}

fn texts<'a>(list: &'a Value, of: impl Fn(&'a Value) -> &'a Value) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|item| of(item).as_str().unwrap()).collect()
}

/// Every point was asked and answered rightly, and each model's own processes paid for it.
#[track_caller]
fn check_models(report: &Value) {
    for model in report["models"].as_array().unwrap() {
        let key = &model["model"]["key"];
        for point in model["closed"].as_array().unwrap().iter().chain(model["open"].as_array().unwrap()) {
            assert!(point["requests"].as_u64().unwrap() > 0, "{key}: {point}");
            for error in ["connect", "broken", "wrong", "timeout"] {
                assert_eq!(point["errors"][error], 0, "{key}: {error}");
            }
            let user = &point["cpu"]["user"];
            let total = user["server"].as_f64().unwrap() + point["cpu"]["kernel"].as_f64().unwrap();
            assert!(total > 0.0, "{key}: {user}");
        }
        assert!(model["memory"]["idle"]["server"].as_f64().unwrap() > 100_000.0, "{key}");
        assert!(!model["timeline"].is_null(), "{key}");
    }
}

#[test]
fn the_application_is_measured_behind_nginx_apache_and_lighttpd_too() {
    let folder = tempfile::tempdir().unwrap();
    let report = bench(folder.path(), &["--peers", "--concurrency", "4", "--workloads", "hello,upload"]);
    let keys = texts(&report["models"], |model| &model["model"]["key"]);
    let left_out = texts(&report["left_out"], |reason| reason);
    // Nobody waits for the programs of Apache's mod_cgid: only a control group counts them, where one can be made.
    if report["machine"]["accounting"] == "rusage" {
        assert_eq!((keys.len(), left_out.len()), (10, 1), "{left_out:?}");
        assert!(left_out[0].starts_with("apache-cgi: "), "{left_out:?}");
    } else {
        assert_eq!((keys.len(), left_out.len()), (11, 0), "{left_out:?}");
    }
    for peer in ["nginx-fastcgi", "apache-fastcgi", "lighttpd-fastcgi", "lighttpd-cgi"] {
        assert!(keys.contains(&peer), "{peer} in {keys:?}");
    }
    check_models(&report);
}

#[test]
fn any_program_made_with_main_can_be_measured() {
    let hello = program("hello");
    let commands = ["guestbook".to_owned(), format!("'{}' --threads 2", hello.display())];
    for app in commands {
        let folder = tempfile::tempdir().unwrap();
        let report = bench(folder.path(), &["--app", &app, "--concurrency", "2"]);
        assert_eq!(texts(&report["left_out"], |reason| reason), [""; 0], "{app}");
        assert_eq!(texts(&report["settings"]["workloads"], |name| name), ["/"], "{app}");
        assert_eq!(report["models"].as_array().unwrap().len(), 6, "{app}");
        check_models(&report);
    }
}
