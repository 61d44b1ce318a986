//! What scripts are told, and what becomes of their answers.

use gateway_tests::client::Request;

use crate::site::Site;

#[test]
fn fcgi_112_115_a_script_is_told_its_place_and_the_rest_of_the_path() {
    let site = Site::start_at("/app", "");
    let root = site.server.place().join("www").canonicalize().unwrap().display().to_string();
    for (path, script, rest) in [
        ("/page.php", "page.php", ""),
        ("/page.php/a%20b/.c", "page.php", "/a b/.c"),
        ("/page.php/", "page.php", "/"),
        ("/", "index.php", ""),
        ("/sub/", "sub/index.php", ""),
        ("/.well-known/info.php/x", ".well-known/info.php", "/x"),
    ] {
        let told = site.told(&format!("/app{path}?x=%20"));
        for (name, value) in [
            ("SCRIPT_FILENAME", format!("{root}/{script}")),
            ("DOCUMENT_ROOT", root.clone()),
            ("SCRIPT_NAME", format!("/app/{script}")),
            ("PATH_INFO", rest.to_owned()),
            ("PHP_SELF", format!("/app/{script}{rest}")),
            ("REQUEST_URI", format!("/app{path}?x=%20")),
            ("QUERY_STRING", "x=%20".to_owned()),
            ("REDIRECT_STATUS", "200".to_owned()),
        ] {
            assert_eq!(told.get(name).map_or("", String::as_str), value, "{name} of {path}");
        }
    }
}

#[test]
fn a_post_and_a_head_reach_the_script() {
    let site = Site::start("");
    let post = site.ask(&Request::post("/page.php", "a=b"));
    assert!(post.text().contains(r#""CONTENT_LENGTH":"3""#), "{}", post.text());
    assert!(site.ask(&Request::post("/", "a=b")).text().contains(r#""REQUEST_METHOD":"POST""#));
    let head = site.ask(&Request::new("HEAD", "/page.php"));
    assert_eq!((head.status, head.content.length), (200, 0));
    assert!(head.field("x-script").is_some_and(|script| script.ends_with("/page.php")));
}

#[test]
fn cgi_108_a_local_redirect_leads_to_a_file_or_another_script() {
    let site = Site::start("");
    assert_eq!(site.get("/redirect.php").text(), "0123456789");
    let told = site.told("/redirect-to-script.php");
    assert_eq!((told["SCRIPT_NAME"].as_str(), told["PATH_INFO"].as_str()), ("/page.php", "/p"));
    // Told REDIRECT_URL, php-fpm would run the photo, which PATH_TRANSLATED names.
    assert_eq!(site.told("/redirect-to-photo.php")["PATH_INFO"], "/photo.jpg");
    assert_eq!(told["QUERY_STRING"], "x=1");
}

#[test]
fn fcgi_138_no_field_of_a_request_becomes_a_setting_of_php() {
    let site = Site::start("");
    let request =
        Request::get("/page.php").field("PHP_VALUE", "auto_prepend_file=/etc/passwd").field("Proxy", "http://evil");
    let answer = site.ask(&request.field("Script-Filename", "/etc/passwd"));
    let told: std::collections::BTreeMap<String, String> = serde_json::from_str(&answer.text()).unwrap();
    assert!(told["SCRIPT_FILENAME"].ends_with("/page.php"));
    assert!(!told.contains_key("PHP_VALUE") && !told.contains_key("HTTP_PROXY"), "{told:?}");
}
