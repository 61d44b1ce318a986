//! DokuWiki as Debian packages it, with data and configuration of its own: logging in, editing, uploading, and what must
//! stay hidden. The gateway's command is that of `docs/php.md`.

use std::process::Command;

use gateway_tests::client::{Request, send};
use gateway_tests::place::Place;
use gateway_tests::process::Running;

use crate::browser::{Browser, hidden_fields};
use crate::page;

/// Addresses like `/doku.php/start`, so that PATH_INFO matters.
const SETTINGS: &str = "<?php
$conf['title'] = 'Ours';
$conf['savedir'] = './data';
$conf['useacl'] = 1;
$conf['superuser'] = '@admin';
$conf['userewrite'] = 2;
";

/// Everybody reads, whoever is logged in may do all but administer.
const RIGHTS: &str = "# <?php exit()?>\n*\t@ALL\t1\n*\t@user\t8\n";

/// One administrator, `ada`, whose password is `secret`, as MD5.
const USERS: &str = "# <?php exit()?>\nada:5ebe2294ecd0e0f08eab7690d2a6ee69:Ada:ada@example.org:admin,user\n";

/// The package's files in `www`; its configuration and data are in the system's folders and stay there.
fn installed() -> Place {
    let place = Place::new();
    let www = place.folder("www");
    copy("/usr/share/dokuwiki/.", &www.display().to_string());
    // It names the system's folders.
    std::fs::remove_file(www.join("inc/preload.php")).unwrap();
    place.folder("www/conf");
    for file in [
        "dokuwiki.php",
        "mime.conf",
        "license.php",
        "plugins.php",
        "plugins.required.php",
        "mediameta.php",
        "acronyms.conf",
        "entities.conf",
        "interwiki.conf",
        "scheme.conf",
        "smileys.conf",
        "wordblock.conf",
    ] {
        copy(&format!("/etc/dokuwiki/{file}"), &www.join("conf").join(file).display().to_string());
    }
    place.write("www/conf/local.php", SETTINGS);
    place.write("www/conf/acl.auth.php", RIGHTS);
    place.write("www/conf/users.auth.php", USERS);
    for folder in
        ["attic", "cache", "index", "locks", "log", "media", "media_attic", "media_meta", "meta", "pages", "tmp"]
    {
        place.folder(&format!("www/data/{folder}"));
    }
    place
}

/// Links are followed: the copy must be whole below its root.
fn copy(from: &str, to: &str) {
    let status = Command::new("cp").args(["-rL", "--no-preserve=mode", from, to]).status().unwrap();
    assert!(
        status.success(),
        "cannot copy {from}: is the package dokuwiki installed? tests/run.sh installs what is missing"
    );
}

fn start() -> Running {
    page::start("DokuWiki", installed())
}

fn log_in(browser: &mut Browser<'_>) {
    let form = browser.get("/doku.php/start?do=login");
    let mut fields = hidden_fields(&form.text(), "dw__login");
    fields.extend([("u", "ada"), ("p", "secret")].map(|(name, value)| (name.to_owned(), value.to_owned())));
    let answer = browser.submit("/doku.php/start?do=login", &fields);
    let page = if answer.status == 200 { answer } else { browser.follow(&answer) };
    assert!(page.text().contains("Logged in as"), "{}", page.text());
}

#[test]
fn a_page_is_edited_saved_and_read_by_others() {
    let server = start();
    let mut ada = Browser::new(&server);
    let front = ada.get("/");
    assert_eq!(ada.follow(&front).status, 200, "{}", server.logs());
    log_in(&mut ada);
    let form = ada.get("/doku.php/start?do=edit");
    let mut fields = hidden_fields(&form.text(), "dw__editform");
    let text = "====== A heading ======\n\nWritten through the gateway: 5 % & ünïcode.";
    fields.extend(
        [("wikitext", text), ("summary", "first"), ("do[save]", "1")].map(|(n, v)| (n.to_owned(), v.to_owned())),
    );
    let saved = ada.submit("/doku.php/start", &fields);
    assert!(ada.follow(&saved).text().contains("Written through the gateway"), "{}", server.logs());
    // Somebody else, who has no cookies, reads it and may not edit it.
    let mut other = Browser::new(&server);
    let page = other.get("/doku.php/start").text();
    assert!(page.contains("5 % &amp; ünïcode") && page.contains("A heading</h1>"), "{page}");
    assert!(!other.get("/doku.php/start?do=edit").text().contains("do[save]"));
    assert!(!server.logs().contains("PHP Fatal"), "{}", server.logs());
}

#[test]
fn an_uploaded_file_comes_back_and_shipped_files_come_from_the_gateway() {
    let server = start();
    let mut ada = Browser::new(&server);
    log_in(&mut ada);
    let form = ada.get("/doku.php/start?do=login");
    let page = if form.status == 200 { form } else { ada.follow(&form) };
    let token = page.text();
    let (_, token) =
        token.split_once("sectok=").or_else(|| token.split_once("name=\"sectok\" value=\"")).expect("a token");
    let token: String = token.chars().take_while(char::is_ascii_hexdigit).collect();
    let content = "%PDF-1.4\n% not much of a document\n";
    let fields = [("call", "mediaupload"), ("sectok", &token), ("ns", ""), ("mediaid", "note.pdf")];
    let answer = ada.upload("/lib/exe/ajax.php", &fields, ("note.pdf", content));
    assert!(answer.text().contains("\"success\":true"), "{}\n{}", answer.text(), server.logs());
    let back = ada.get("/lib/exe/fetch.php/note.pdf");
    assert_eq!(
        (back.status, back.field("content-type"), back.text().as_str()),
        (200, Some("application/pdf"), content)
    );

    let logo = ada.get("/lib/tpl/dokuwiki/images/logo.png");
    assert_eq!((logo.status, logo.field("content-type")), (200, Some("image/png")));
    assert_eq!(logo.field("x-powered-by"), None, "it came through PHP");
    let modified = logo.field("last-modified").expect("Last-Modified").to_owned();
    let again = Request::get("/lib/tpl/dokuwiki/images/logo.png").field("If-Modified-Since", &modified);
    assert_eq!(send(server.address, &again).unwrap().status, 304);
    let style = ada.get("/lib/exe/css.php");
    assert!(style.field("content-type").is_some_and(|kind| kind.starts_with("text/css")), "{:?}", style.fields);
}

#[test]
fn what_is_not_for_the_world_is_not_there() {
    let server = start();
    for path in [
        "/data/pages",
        "/data/cache/",
        "/conf/users.auth.php",
        "/conf/local.php",
        "/conf/mime.conf",
        "/inc/init.php",
        "/INC/init.php",
        "/bin/dwpage.php",
        "/vendor/autoload.php",
        "/.htaccess",
        "/install.php",
        "/lib/tpl/dokuwiki/images/logo.png/x.php",
    ] {
        let answer = send(server.address, &Request::get(path)).unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (404, "404 Not Found\n"), "{path}");
    }
}
