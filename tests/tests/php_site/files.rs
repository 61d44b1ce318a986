//! What is answered with a file, a redirect or a refusal.

use gateway_tests::client::Request;

use crate::site::{SECRET, Site};

/// Paths that nobody may be answered with a script or a file for, whatever the options.
const NOBODYS: [&str; 17] = [
    "/inc.phtml",
    "/config.inc",
    "/index.php~",
    "/index.php.bak",
    "/UPPER.PHP",
    "/old.php5",
    "/.htaccess",
    "/.env.php",
    "/.env.php/x",
    "/.git/config",
    "/.git/",
    "/.git",
    "/sub/.user.ini",
    "/data/page.txt",
    "/DATA/page.txt",
    "/data/deep/x.php",
    "/uploads/evil.php",
];

/// Paths of nothing.
const NOTHING: [&str; 12] = [
    "/none",
    "/none.php",
    "/none/x.php",
    "/photo.jpg/x.php",
    "/photo.jpg/",
    "/bare/",
    "/bare",
    "/pi.php",
    "/out.php",
    "/out.txt",
    "//page.php",
    "/sub//index.php",
];

const RULES: &str = "&deny=/data&no_scripts=/uploads";

#[test]
fn fcgi_134_what_is_no_script_is_not_run_and_what_is_source_is_not_shown() {
    let site = Site::start(RULES);
    for path in NOBODYS.iter().chain(&NOTHING) {
        let answer = site.get(path);
        assert_eq!((answer.status, answer.text().as_str()), (404, "404 Not Found\n"), "{path}");
    }
    // php-fpm was not asked.
    assert!(!site.server.logs().contains("Primary script unknown"), "{}", site.server.logs());
}

#[test]
fn a_fallback_answers_for_what_is_nothing_and_for_nothing_else() {
    let site = Site::start(&format!("{RULES}&fallback=/index.php"));
    for path in NOTHING {
        let told = site.told(&format!("{path}?q=1&x=%20"));
        for (name, value) in [
            ("SCRIPT_NAME", "/index.php"),
            ("PATH_INFO", ""),
            ("QUERY_STRING", "q=1&x=%20"),
            ("REQUEST_URI", &format!("{path}?q=1&x=%20")),
            ("PHP_SELF", "/index.php"),
        ] {
            assert_eq!(told.get(name).map_or("", String::as_str), value, "{name} of {path}");
        }
    }
    for path in NOBODYS {
        let answer = site.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text().contains(SECRET), "{path}");
    }
    assert_eq!(site.get("/ten.txt").text(), "0123456789");
    assert_eq!(site.get("/sub").status, 308);
    assert_eq!(site.told("/well/known?")["REQUEST_URI"], "/well/known?");
    // A front controller may answer there.
    assert_eq!(site.told("/.well-known/webfinger")["SCRIPT_NAME"], "/index.php");
}

#[test]
fn fcgi_132_a_path_with_a_control_byte_is_refused_fallback_or_not() {
    let site = Site::start("&fallback=/index.php");
    for path in ["/page.php/%0a", "/page.php/a%0Db", "/%00", "/page.php%00.jpg", "/page.php/%0d%0a"] {
        assert_eq!(site.get(path).status, 400, "{path}");
    }
}

#[test]
fn files_come_with_type_validators_and_ranges_and_answer_conditions() {
    let site = Site::start("");
    let style = site.get("/style.css");
    assert_eq!((style.status, style.field("content-type")), (200, Some("text/css")));
    let head = site.ask(&Request::new("HEAD", "/ten.txt"));
    assert_eq!((head.status, head.field("content-length"), head.content.length), (200, Some("10"), 0));
    let part = site.ask(&Request::get("/ten.txt").field("Range", "bytes=2-4"));
    assert_eq!((part.status, part.text().as_str(), part.field("content-range")), (206, "234", Some("bytes 2-4/10")));
    let modified = style.field("last-modified").expect("Last-Modified").to_owned();
    let unchanged = site.ask(&Request::get("/style.css").field("If-Modified-Since", &modified));
    assert_eq!((unchanged.status, unchanged.content.length), (304, 0));
    if let Some(tag) = style.field("etag") {
        let unchanged = site.ask(&Request::get("/style.css").field("If-None-Match", tag));
        assert_eq!((unchanged.status, unchanged.content.length), (304, 0));
    }
    assert_eq!(site.ask(&Request::post("/ten.txt", "x")).status, 405);
    for (path, text) in [
        ("/plain/", "<h1>plain</h1>"),
        ("/bare/file.txt", "bare"),
        ("/.well-known/security.txt", "Contact: us"),
        ("/uploads/photo.jpg", "a photo"),
        // It is what its name says, whatever is in it.
        ("/photo.jpg", "<?php echo 'run';"),
    ] {
        let answer = site.get(path);
        assert_eq!((answer.status, answer.text().as_str()), (200, text), "{path}");
    }
}

#[test]
fn a_folder_with_an_index_is_redirected_to_its_slash_with_the_query() {
    let site = Site::start_at("/app", "");
    for (path, location) in [
        ("/app", "/app/"),
        ("/app?x=%20", "/app/?x=%20"),
        ("/app/sub", "/app/sub/"),
        ("/app/sub?a=b", "/app/sub/?a=b"),
        ("/app/plain", "/app/plain/"),
    ] {
        let answer = site.get(path);
        assert_eq!((answer.status, answer.field("location")), (308, Some(location)), "{path}");
    }
    assert_eq!(site.get("/app/plain/").text(), "<h1>plain</h1>");
    assert_eq!(site.told("/app/sub/")["SCRIPT_NAME"], "/app/sub/index.php");
}

#[test]
fn links_may_lead_out_of_the_folder_if_the_operator_says_so() {
    let site = Site::start("&links=anywhere");
    assert_eq!(site.get("/out.php").status, 200);
    assert_eq!(site.get("/out.txt").text(), SECRET);
}
