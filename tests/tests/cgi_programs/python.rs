//! A WSGI application on wsgiref's CGIHandler.

use gateway_tests::place::Place;
use gateway_tests::servers::lighttpd::{self, EXECUTABLE, Program};
use gateway_tests::servers::ours;

use crate::pair::Pair;
use crate::{recipe, script};

#[test]
fn an_application_on_wsgiref_answers_as_behind_lighttpd() {
    let place = Place::new();
    let file = place.write_script("app.py", include_str!("../../programs/script.py"));
    let mounts = recipe::mounts("Python", &[("/srv/python/app.py", &file.to_string_lossy())]);
    let program = Program { prefix: "/app", path: &file, environment: &[], interpreters: EXECUTABLE };
    let lighttpd = lighttpd::programs(Place::new(), &[program]);
    let mut servers = Pair { ours: ours::gateway(place, Vec::new(), &mounts), lighttpd };
    script::check(&mut servers, "/app");
    script::check_forms(&servers, "/app");
    let log = servers.ours.logs();
    assert!(log.contains("RuntimeError: it went wrong"), "the traceback is not in the log\n{log}");
}
