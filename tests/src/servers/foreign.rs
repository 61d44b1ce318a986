//! FastCGI workers that are not ours, behind our gateway: on libfcgi in C, on Perl's FCGI, on Ruby's own, on Go's, php-cgi,
//! php-fpm.
//!
//! Each runs a program of `tests/programs` that gives as many of `testbed`'s answers as it can. All but Go's serve one connection
//! at a time, so the gateway has one.

use std::path::PathBuf;
use std::process::Command;

use super::ours::gateway;
use super::{go_program, php_fpm};
use crate::place::Place;
use crate::process::Running;
use crate::programs::workspace;

const ONE: &str = "max_connections=1";

/// A C program on libfcgi, compiled now.
pub fn libfcgi() -> Running {
    let place = Place::new();
    let program = place.join("worker");
    let source = workspace().join("tests/programs/worker.c");
    let compiled = Command::new("cc").arg("-O1").arg("-o").arg(&program).arg(source).arg("-lfcgi").output();
    let compiled = compiled.expect("cc is installed");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let mount = format!("/app=fastcgi:spawn:{}?workers=1&{ONE}", program.display());
    gateway(place, Vec::new(), &[mount])
}

/// A Perl program on FCGI.
pub fn perl() -> Running {
    let place = Place::new();
    let script = place.write_script("worker.pl", include_str!("../../programs/worker.pl"));
    let mount = format!("/app=fastcgi:spawn:{}?workers=1&{ONE}", script.display());
    gateway(place, Vec::new(), &[mount])
}

/// A Ruby program; the protocol is Ruby's own, not libfcgi. It closes each connection, so none is kept: a POST on one that is
/// being closed may have been served, and cannot be sent again (FCGI-117).
pub fn ruby() -> Running {
    let place = Place::new();
    let script = place.write_script("worker.rb", include_str!("../../programs/worker.rb"));
    let mount = format!("/app=fastcgi:spawn:{}?workers=1&{ONE}&max_kept=0&env.USE_PURE_RUBY_FCGI=1", script.display());
    gateway(place, Vec::new(), &[mount])
}

/// A Go program on net/http/fcgi, compiled now, with these options of the mount.
pub fn go(options: &str) -> Running {
    let place = Place::new();
    let program = place.join("worker");
    go_program("worker.go", &program);
    gateway(place, Vec::new(), &[format!("/app=fastcgi:spawn:{}?workers=1{options}", program.display())])
}

/// php-cgi, started by the gateway.
pub fn php_cgi() -> Running {
    let (place, script) = php_script();
    let mount = format!(
        "/app=fastcgi:spawn:/usr/bin/php-cgi -n -d enable_post_data_reading=0?workers=1&{ONE}&script={}",
        script.display()
    );
    gateway(place, Vec::new(), &[mount])
}

/// php-fpm.
pub fn php_fpm() -> Running {
    let (place, script) = php_script();
    let (fpm, socket) = php_fpm::start(&place);
    let mount = format!("/app=fastcgi:unix:{}?{ONE}&script={}", socket.display(), script.display());
    gateway(place, vec![fpm], &[mount])
}

fn php_script() -> (Place, PathBuf) {
    let place = Place::new();
    let script = place.write("worker.php", include_str!("../../programs/worker.php"));
    (place, script)
}
