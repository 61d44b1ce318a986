//! A shell script in a folder of programs.

use gateway_tests::client::{Request, send};
use gateway_tests::place::Place;
use gateway_tests::servers::lighttpd::{self, EXECUTABLE, Program};
use gateway_tests::servers::ours;

use crate::pair::Pair;
use crate::{recipe, script};

#[test]
fn a_shell_script_answers_as_behind_lighttpd() {
    let place = Place::new();
    let folder = place.folder("cgi-bin");
    place.write_script("cgi-bin/script.sh", include_str!("../../programs/script.sh"));
    place.write_script("cgi-bin/.hidden.sh", include_str!("../../programs/script.sh"));
    place.write("cgi-bin/notes.txt", "no program");
    let mounts =
        recipe::mounts("Shell scripts, and programs in general", &[("/srv/cgi-bin", &folder.to_string_lossy())]);
    let program = Program { prefix: "/cgi-bin", path: &folder, environment: &[], interpreters: EXECUTABLE };
    let lighttpd = lighttpd::programs(Place::new(), &[program]);
    let mut servers = Pair { ours: ours::gateway(place, Vec::new(), &mounts), lighttpd };
    script::check(&mut servers, "/cgi-bin/script.sh");
    // What is no program is answered by the server itself, each in its own words; CGI-184.
    for (target, status) in [("/cgi-bin/missing.sh", 404), ("/cgi-bin/.hidden.sh", 404), ("/cgi-bin/notes.txt", 403)] {
        let answer = send(servers.ours.address, &Request::get(target)).unwrap();
        assert_eq!(answer.status, status, "{target}");
    }
}
