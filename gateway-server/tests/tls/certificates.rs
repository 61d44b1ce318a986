//! A certificate is exchanged while connections go on.

use crate::support::{Files, config, serve, variables};

#[test]
fn after_a_reload_new_connections_get_the_new_certificate_and_old_ones_go_on() {
    let files = Files::new();
    let first = files.der.clone();
    let tls = files.tls();
    let ours = tls.clone();
    let server = serve(variables, config(), |endpoint| endpoint.tls(ours));
    let mut before = server.client(&first);
    assert_eq!(before.get("/").0, 200);
    let files = files.renewed();
    assert_eq!(server.client(&first).get("/").0, 200, "nothing changes before the reload");
    tls.reload().unwrap();
    assert_eq!(server.client(&files.der).get("/").0, 200);
    assert_eq!(before.get("/").0, 200);
}

#[test]
fn files_that_cannot_be_used_change_nothing() {
    let files = Files::new();
    let tls = files.tls();
    let ours = tls.clone();
    let server = serve(variables, config(), |endpoint| endpoint.tls(ours));
    std::fs::write(files.key(), "no key").unwrap();
    assert!(tls.reload().is_err());
    assert_eq!(server.client(&files.der).get("/").0, 200);
}
