//! A PHP script under php-cgi, which both servers start as the interpreter of `.php`.

use gateway_tests::client::{Request, send};
use gateway_tests::place::Place;
use gateway_tests::servers::lighttpd::{self, Program};
use gateway_tests::servers::ours;

use crate::pair::Pair;
use crate::{recipe, script};

#[test]
fn cgi_175_a_script_under_php_cgi_answers_as_behind_lighttpd() {
    let place = Place::new();
    let folder = place.folder("php");
    // It is not executable: the interpreter reads it.
    place.write("php/script.php", include_str!("../../programs/script.php"));
    place.write("php/index.php", "<?php echo 'the front page';");
    let mounts = recipe::mounts("PHP", &[("/srv/php", &folder.to_string_lossy())]);
    let program =
        Program { prefix: "/php", path: &folder, environment: &[], interpreters: &[(".php", "/usr/bin/php-cgi")] };
    let lighttpd = lighttpd::programs(Place::new(), &[program]);
    let mut servers = Pair { ours: ours::gateway(place, Vec::new(), &mounts), lighttpd };
    script::check(&mut servers, "/php/script.php");
    script::check_forms(&servers, "/php/script.php");
    script::check_upload(&servers, "/php/script.php");
    let answer = send(servers.ours.address, &Request::get("/php/")).unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "the front page"));
}

#[test]
fn cgi_84_173_no_query_becomes_an_option_of_php_cgi() {
    let place = Place::new();
    let folder = place.folder("php");
    place.write("php/script.php", include_str!("../../programs/script.php"));
    let mounts = recipe::mounts("PHP", &[("/srv/php", &folder.to_string_lossy())]);
    let server = ours::gateway(place, Vec::new(), &mounts);
    // `-s` shows the source, `-d` sets what runs before the script; 0xAD is a hyphen to some systems.
    for query in ["-s", "+-s", "%2ds", "%ADs", "-d+auto_prepend_file%3d/etc/passwd", "-i"] {
        let answer = send(server.address, &Request::get(&format!("/php/script.php/missing?{query}"))).unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (404, "nothing here\n"), "{query}");
    }
}
