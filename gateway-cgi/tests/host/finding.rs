//! Which program answers: indexes, interpreters, links; and what is said where none can.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use gateway_cgi::host::{Cgi, Config, Interpreter, Links};
use gateway_spec::InputStream;

use crate::support::{Site, assert_fails, whole};

const PLAIN: &str = "printf 'Content-Type: text/plain\\n\\n'\n";
const SHOW: &str =
    "printf 'Content-Type: text/plain\\n\\n'\necho \"$SCRIPT_NAME|$PATH_INFO|$QUERY_STRING|$0|$*|$SCRIPT_FILENAME\"";

/// The real path of a script.
fn real(site: &Site, name: &str) -> String {
    site.path("cgi").canonicalize().unwrap().join(name).display().to_string()
}

/// A script that is not executable.
fn text(site: &Site, name: &str, text: &str) {
    fs::write(site.path("cgi").join(name), text).unwrap();
    fs::set_permissions(site.path("cgi").join(name), fs::Permissions::from_mode(0o644)).unwrap();
}

#[tokio::test]
async fn cgi_5_a_directorys_program_answers_under_its_own_name() {
    let site = Site::new();
    fs::create_dir(site.path("cgi/sub")).unwrap();
    site.script("index.cgi", SHOW);
    site.script("sub/index.cgi", SHOW);
    for (path, name, file) in
        [("/?q=1", "/index.cgi||q=1", "index.cgi"), ("/sub/", "/sub/index.cgi||", "sub/index.cgi")]
    {
        let file = real(&site, file);
        assert_eq!(site.get(path).await.unwrap().body, format!("{name}|{file}||{file}\n"), "{path}");
    }
    assert_eq!(site.get("/index.cgi").await.unwrap().body, site.get("/").await.unwrap().body);
    for path in ["/none/", "/sub//", "/sub/x"] {
        assert_fails(site.get(path).await, 404, "no program");
    }
}

#[tokio::test]
async fn cgi_150_a_directory_without_its_slash_is_sent_there() {
    let site = Site::new();
    fs::create_dir(site.path("cgi/a b")).unwrap();
    fs::create_dir(site.path("cgi/empty")).unwrap();
    site.script("index.cgi", SHOW);
    site.script("a b/index.cgi", SHOW);
    for (path, to) in [("/a b", "/bin/a%20b/"), ("/a b?x=%41", "/bin/a%20b/?x=%41"), ("", "/bin/")] {
        let mut environ = site.environ("POST", path);
        environ.set("SCRIPT_NAME", "/bin").unwrap();
        environ.set("PATH_INFO", path.split('?').next().unwrap()).unwrap();
        environ.remove("REQUEST_URI");
        let answer = site.call(Config::new(), environ, InputStream::empty()).await.unwrap();
        assert_eq!((answer.status, answer.field("location")), (308, Some(to)), "{path}");
    }
    assert_fails(site.get("/empty").await, 404, "no program");
    assert_fails(site.get("/empty/").await, 404, "no program");
}

#[tokio::test]
async fn the_first_index_that_is_there_answers_and_without_names_none_does() {
    let site = Site::new();
    site.script("one", &format!("{PLAIN}echo one"));
    site.script("two", &format!("{PLAIN}echo two"));
    let ask = async |names: &[&str]| {
        let config = Config::new().index_names(names);
        site.call(config, site.environ("GET", "/"), InputStream::empty()).await
    };
    assert_eq!(ask(&["zero", "two", "one"]).await.unwrap().body, "two\n");
    assert_fails(ask(&[]).await, 404, "no program");
    text(&site, "three", "");
    assert_fails(ask(&["three", "one"]).await, 403, "not executable");
}

#[tokio::test]
async fn cgi_84_184_an_interpreter_is_given_the_path_and_nothing_of_the_request() {
    let site = Site::new();
    text(&site, "-e.sh", SHOW);
    text(&site, "app.sh", SHOW);
    text(&site, "app.txt", SHOW);
    let config = || Config::new().interpreter("sh", Interpreter::new("/bin/sh").argument("-u")).argument("own");
    for name in ["app.sh", "-e.sh"] {
        let environ = site.environ("GET", &format!("/{name}/x/-s?-c+id"));
        let answer = site.call(config(), environ, InputStream::empty()).await.unwrap();
        let file = real(&site, name);
        assert_eq!(answer.body, format!("/{name}|/x/-s|-c+id|{file}|own|{file}\n"));
    }
    // A suffix proves nothing: no such file, no executable file, no file at all.
    for (path, status) in [("/none.sh", 404), ("/app.txt", 403), ("/app.txt/x.sh", 403), ("/app.sh.txt", 404)] {
        assert_fails(site.call(config(), site.environ("GET", path), InputStream::empty()).await, status, "");
    }
    fs::create_dir(site.path("cgi/dir.sh")).unwrap();
    assert_fails(site.call(config(), site.environ("GET", "/dir.sh"), InputStream::empty()).await, 404, "");
}

#[tokio::test]
async fn an_executable_file_with_an_interpreter_is_run_by_it_too() {
    let site = Site::new();
    site.script("app.x", "#!/nonexistent\nprintf 'Content-Type: text/plain\\n\\n'; echo by the interpreter");
    let config = Config::new().interpreter("x", Interpreter::new("/bin/sh"));
    let answer = site.call(config, site.environ("GET", "/app.x"), InputStream::empty()).await.unwrap();
    assert_eq!(answer.body, "by the interpreter\n");
}

#[tokio::test]
async fn an_index_may_have_an_interpreter() {
    let site = Site::new();
    text(&site, "index.sh", SHOW);
    let config = Config::new().index_names(["index.sh"]).interpreter("sh", Interpreter::new("/bin/sh"));
    let answer = site.call(config, site.environ("GET", "/"), InputStream::empty()).await.unwrap();
    assert!(answer.body.starts_with("/index.sh||"), "{}", answer.body);
}

#[tokio::test]
async fn a_single_file_must_be_executable_or_have_an_interpreter() {
    let site = Site::new();
    text(&site, "one.sh", SHOW);
    let error = Cgi::file(site.path("cgi/one.sh"), Config::new()).unwrap_err();
    assert!(error.to_string().contains("not executable"), "{error}");
    let config = Config::new().interpreter("sh", Interpreter::new("/bin/sh"));
    let cgi = Cgi::file(site.path("cgi/one.sh"), config).unwrap();
    let answer = whole(&cgi, site.environ("GET", "/any/path"), InputStream::empty()).await.unwrap();
    assert!(answer.body.starts_with("|/any/path||"), "{}", answer.body);
}

#[tokio::test]
async fn an_interpreter_that_is_not_there_is_answered_with_500() {
    let site = Site::new();
    text(&site, "app.x", "");
    let config = Config::new().interpreter("x", Interpreter::new("/nonexistent/interpreter"));
    let result = site.call(config, site.environ("GET", "/app.x"), InputStream::empty()).await;
    assert_fails(result, 500, "the one for its extension is not");
    site.wait_for_silence().await;
}

#[tokio::test]
async fn cgi_157_184_links_lead_out_of_the_directory_only_where_the_operator_says_so() {
    let site = Site::new();
    fs::create_dir(site.path("elsewhere")).unwrap();
    site.script("../elsewhere/tool", SHOW);
    site.script("../elsewhere/.hidden", SHOW);
    symlink(site.path("elsewhere/tool"), site.path("cgi/tool")).unwrap();
    symlink(site.path("elsewhere"), site.path("cgi/door")).unwrap();
    symlink(site.path("elsewhere/tool"), site.path("elsewhere/index.cgi")).unwrap();
    for path in ["/tool", "/door/tool", "/door/"] {
        assert_fails(site.get(path).await, 404, "no program");
        let anywhere = Config::new().links(Links::Anywhere);
        let answer = site.call(anywhere, site.environ("GET", path), InputStream::empty()).await.unwrap();
        // The path stays the one that was asked for, so the program sees where it is mounted.
        let name = if path.ends_with('/') { "/door/index.cgi" } else { path };
        assert!(answer.body.starts_with(&format!("{name}||")), "{}", answer.body);
        assert!(answer.body.ends_with(&format!("{}\n", real(&site, &name[1..]))), "{}", answer.body);
    }
    let anywhere = Config::new().links(Links::Anywhere);
    let hidden = site.call(anywhere, site.environ("GET", "/door/.hidden"), InputStream::empty()).await;
    assert_fails(hidden, 404, "no program");
}
