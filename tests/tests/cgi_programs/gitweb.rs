//! gitweb: a large Perl program that starts git for each page and streams what git gives.

use gateway_tests::client::{Request, send};
use gateway_tests::place::Place;
use gateway_tests::servers::lighttpd::{self, EXECUTABLE, Program};
use gateway_tests::servers::ours;

use crate::git_client::{Git, bare, in_bare};
use crate::pair::{Pair, check_no_children};
use crate::recipe;

const GITWEB: &str = "/usr/share/gitweb/gitweb.cgi";

/// gitweb on a repository with some commits, behind both servers.
fn servers(ada: &Git) -> Pair {
    ada.repository("work", 20);
    let place = Place::new();
    let project = bare(&place, "project.git", &[]);
    let work = ada.place.join("work").to_string_lossy().into_owned();
    in_bare(&place, &project, &["fetch", "--quiet", &work, "+refs/heads/*:refs/heads/*"]);
    let folder = place.join("git").to_string_lossy().into_owned();
    let configuration = place.write("gitweb.conf", &format!("$projectroot = \"{folder}\";\n1;\n"));
    let configuration = configuration.to_string_lossy().into_owned();
    let mounts = recipe::mounts("gitweb", &[("/srv/gitweb.conf", &configuration)]);
    let environment = [("GITWEB_CONFIG", configuration.as_str())];
    let program =
        Program { prefix: "/gitweb", path: GITWEB.as_ref(), environment: &environment, interpreters: EXECUTABLE };
    let lighttpd = lighttpd::programs(Place::new(), &[program]);
    Pair { ours: ours::gateway(place, Vec::new(), &mounts), lighttpd }
}

#[test]
fn the_pages_of_gitweb_are_as_behind_lighttpd() {
    let ada = Git::new();
    let mut servers = servers(&ada);
    let head = ada.id_of("work", "main");
    let page = |query: &str| servers.same(&Request::get(&format!("/gitweb{query}")));
    for (query, text) in [
        ("", "project.git"),
        ("?p=project.git", "commit 19 of main"),
        ("?p=project.git;a=shortlog;h=refs/heads/main", "commit 4 of main"),
        ("?p=project.git;a=tree", "notes.txt"),
        ("/project.git/tree/HEAD:/src", "main7.txt"),
        ("?p=project.git;a=search;s=commit+19;st=commit", "commit 19 of main"),
        ("?p=project.git;a=atom", "<feed"),
        ("?a=opml", "project.git"),
        (&format!("?p=project.git;a=commitdiff;h={head}"), "src/main19.txt"),
    ] {
        let page = page(query);
        assert_eq!(page.status, 200, "{query}");
        assert!(page.text().contains(text), "{query}: {text} is not in\n{}", page.text());
        assert!(!page.text().contains("Software error"), "{query}\n{}", page.text());
    }
    // As they are: no page around, and bytes that are no text.
    let blob = page("?p=project.git;a=blob_plain;f=notes.txt;hb=HEAD");
    assert_eq!(blob.text(), "line of commit 19 of main\n".repeat(20));
    let snapshot = page("?p=project.git;a=snapshot;h=HEAD;sf=tgz");
    assert!(snapshot.field("content-type").unwrap().starts_with("application/x-gzip"), "{:?}", snapshot.fields);
    assert!(snapshot.content.start.starts_with(&[0x1f, 0x8b]), "it is not compressed");

    // Errors that are pages, and no body for HEAD.
    assert_eq!(page("?p=missing.git").status, 404);
    assert_eq!(page("?p=project.git;a=nonsense").status, 400);
    let head = servers.same(&Request::new("HEAD", "/gitweb?p=project.git"));
    assert_eq!((head.status, head.content.length), (200, 0));

    // What the pages need beside the program.
    let style = send(servers.ours.address, &Request::get("/static/gitweb.css")).unwrap();
    assert_eq!((style.status, style.field("content-type")), (200, Some("text/css")));
    for server in [&mut servers.ours, &mut servers.lighttpd] {
        check_no_children(server);
    }
}
