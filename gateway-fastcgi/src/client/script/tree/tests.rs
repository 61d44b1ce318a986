//! Paths, and what they lead to.

use std::os::unix::fs::symlink;

use super::*;

/// A folder with a root in it, which a link beside it leads to.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("root");
    for folder in ["sub/empty", "plain", ".git", ".well-known", "sub/.well-known", "dir.php"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    let files = [
        "index.php",
        "sub/index.php",
        "sub/page.php",
        "photo.jpg",
        "plain/index.html",
        ".git/config.php",
        ".hidden.php",
        ".php",
        ".well-known/info.php",
        "sub/.well-known/info.php",
        "UPPER.PHP",
        "../outside.php",
    ];
    for file in files {
        std::fs::write(root.join(file), "").unwrap();
    }
    symlink("../outside.php", root.join("out.php")).unwrap();
    symlink("sub/page.php", root.join("alias.php")).unwrap();
    symlink("root", place.path().join("current")).unwrap();
    place
}

fn tree(place: &tempfile::TempDir) -> Tree {
    Tree::new(place.path().join("root"))
}

/// What the path leads to: a script with the end of SCRIPT_NAME and PATH_INFO, a file, a folder, or nothing.
fn found(tree: &Tree, path: &str) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    match tree.locate(path.as_bytes()) {
        Found::Script(script) => {
            let below = script.file.strip_prefix(&script.root).unwrap().display().to_string();
            assert_eq!(text(&script.name), format!("/{below}"), "the name is the file below the root");
            format!("script {below} + {:?}", text(&script.path_info))
        }
        Found::File { path, .. } => format!("file {}", text(&path)),
        Found::Folder => "folder".to_owned(),
        Found::Nothing => "nothing".to_owned(),
    }
}

#[test]
fn fcgi_112_a_path_is_split_behind_the_script_that_exists() {
    let place = place();
    for (path, wanted) in [
        ("/sub/page.php", "script sub/page.php + \"\""),
        ("/sub/page.php/", "script sub/page.php + \"/\""),
        ("/sub/page.php/a/b.php", "script sub/page.php + \"/a/b.php\""),
        ("/sub/page.php//a/../.b", "script sub/page.php + \"//a/../.b\""),
        ("/", "script index.php + \"\""),
        ("", "script index.php + \"\""),
        ("/sub/", "script sub/index.php + \"\""),
        ("/alias.php/x", "script alias.php + \"/x\""),
        ("/.well-known/info.php", "script .well-known/info.php + \"\""),
    ] {
        assert_eq!(found(&tree(&place), path), wanted, "{path}");
    }
}

#[test]
fn fcgi_134_what_is_no_script_is_never_taken_for_one() {
    let place = place();
    for path in [
        "/none.php",
        "/photo.jpg/x.php",
        "/photo.jpg/",
        "/none/x.php",
        "/sub/empty",
        "/sub/empty/",
        "/dir.php",
        "/dir.php/",
        "//index.php",
        "/sub//page.php",
        "/./index.php",
        "/sub/../index.php",
        "/../outside.php",
        "/out.php",
        "/out.php/x",
        "index.php",
        "/index.php\0",
    ] {
        assert_eq!(found(&tree(&place), path), "nothing", "{path}");
    }
    for (path, wanted) in [("/photo.jpg", "file /photo.jpg"), ("/UPPER.PHP", "file /UPPER.PHP"), ("/sub", "folder")] {
        assert_eq!(found(&tree(&place), path), wanted, "{path}");
    }
}

#[test]
fn hidden_files_and_folders_lead_nowhere_but_for_well_known_at_the_top() {
    let place = place();
    for path in ["/.git/config.php", "/.hidden.php", "/.hidden.php/x", "/.php", "/sub/.well-known/info.php"] {
        assert_eq!(found(&tree(&place), path), "nothing", "{path}");
    }
}

#[test]
fn the_first_index_that_is_there_answers_for_its_folder() {
    let place = place();
    let tree = tree(&place).index(["index.php", "index.html"]);
    assert_eq!(found(&tree, "/"), "script index.php + \"\"");
    assert_eq!(found(&tree, "/plain/"), "file /plain/index.html");
    assert_eq!(found(&tree, "/plain"), "folder");
    assert_eq!(found(&tree.index(["index.html"]), "/"), "nothing");
}

#[test]
fn suffixes_say_what_a_script_is_and_case_counts() {
    let place = place();
    let tree = tree(&place).suffixes([".PHP"]);
    assert_eq!(found(&tree, "/UPPER.PHP/x"), "script UPPER.PHP + \"/x\"");
    assert_eq!(found(&tree, "/index.php"), "file /index.php");
}

#[test]
fn links_lead_out_of_the_root_only_if_they_may() {
    let place = place();
    assert_eq!(found(&tree(&place), "/out.php"), "nothing");
    assert_eq!(found(&tree(&place).links_lead_anywhere(true), "/out.php/x"), "script out.php + \"/x\"");
}

#[test]
fn a_root_that_is_a_link_is_followed_anew_for_each_request() {
    let place = place();
    let tree = Tree::new(place.path().join("current"));
    let real = place.path().join("root");
    let Found::Script(script) = tree.locate(b"/alias.php") else { panic!("no script") };
    // As nginx's `$realpath_root`: links below the root keep their names.
    assert_eq!((script.root.as_path(), script.file()), (real.as_path(), real.join("alias.php").as_path()));
    std::fs::create_dir(place.path().join("next")).unwrap();
    std::fs::write(place.path().join("next/index.php"), "").unwrap();
    std::fs::remove_file(place.path().join("current")).unwrap();
    symlink("next", place.path().join("current")).unwrap();
    let Found::Script(script) = tree.locate(b"/") else { panic!("no script") };
    assert_eq!(script.root, place.path().join("next"));
    assert_eq!(tree.locate(b"/alias.php"), Found::Nothing);
}

#[test]
fn workers_may_see_the_root_elsewhere() {
    let place = place();
    let Found::Script(script) = tree(&place).worker_root("/var/www").locate(b"/sub/page.php/x") else { panic!() };
    assert_eq!((script.root.as_path(), script.file()), (Path::new("/var/www"), Path::new("/var/www/sub/page.php")));
}
