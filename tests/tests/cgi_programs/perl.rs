//! A Perl script on CGI.pm.

use gateway_tests::place::Place;
use gateway_tests::servers::lighttpd::{self, EXECUTABLE, Program};
use gateway_tests::servers::ours;

use crate::pair::Pair;
use crate::{recipe, script};

#[test]
fn a_script_on_cgi_pm_answers_as_behind_lighttpd() {
    let place = Place::new();
    let file = place.write_script("script.pl", include_str!("../../programs/script.pl"));
    let mounts = recipe::mounts("Perl", &[("/srv/perl/form.pl", &file.to_string_lossy())]);
    let program = Program { prefix: "/form", path: &file, environment: &[], interpreters: EXECUTABLE };
    let lighttpd = lighttpd::programs(Place::new(), &[program]);
    let mut servers = Pair { ours: ours::gateway(place, Vec::new(), &mounts), lighttpd };
    script::check(&mut servers, "/form");
    script::check_forms(&servers, "/form");
    script::check_upload(&servers, "/form");
}
