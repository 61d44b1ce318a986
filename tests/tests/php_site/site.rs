//! A small site: scripts that tell what they were told, files, and what nobody may see.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

use gateway_tests::client::{Request, Response, send};
use gateway_tests::place::Place;
use gateway_tests::process::Running;
use gateway_tests::servers::{ours, php_fpm};

/// Prints its name and what it was told.
const SCRIPT: &str =
    "<?php header('Content-Type: application/json'); header('X-Script: ' . $_SERVER['SCRIPT_FILENAME']);
    echo json_encode(array_filter($_SERVER, 'is_string'));";

/// What would be a leak if it came.
pub(crate) const SECRET: &str = "<?php $password = 'secret';";

/// A site, the gateway in front of it, and php-fpm.
pub(crate) struct Site {
    pub(crate) server: Running,
}

impl Site {
    /// The site at `/`, with more options behind `root`, such as `&fallback=/index.php`.
    pub(crate) fn start(options: &str) -> Self {
        Self::start_at("/", options)
    }

    pub(crate) fn start_at(prefix: &str, options: &str) -> Self {
        let place = Place::new();
        fill(&place);
        let (fpm, socket) = php_fpm::start(&place);
        let mount = format!("{prefix}=php:unix:{}?root={}{options}", socket.display(), place.join("www").display());
        Site { server: ours::gateway(place, vec![fpm], &[mount]) }
    }

    pub(crate) fn ask(&self, request: &Request) -> Response {
        let answer = send(self.server.address, request);
        answer.unwrap_or_else(|e| panic!("{}: {e}\n{}", request.target, self.server.logs()))
    }

    pub(crate) fn get(&self, target: &str) -> Response {
        self.ask(&Request::get(target))
    }

    /// What a script was told; the answer must be one of a script.
    #[track_caller]
    pub(crate) fn told(&self, target: &str) -> BTreeMap<String, String> {
        let answer = self.get(target);
        assert_eq!(answer.status, 200, "{target}: {}\n{}", answer.text(), self.server.logs());
        serde_json::from_str(&answer.text()).unwrap_or_else(|e| panic!("{target}: {e}: {}", answer.text()))
    }
}

/// PHP adds a status and two fields to a Location, which make an answer for the client of it (RFC 3875 §6.2.2).
fn local_redirect(to: &str) -> String {
    format!(
        "<?php ini_set('default_mimetype', ''); header_remove('X-Powered-By'); header('Location: {to}', true, 200);"
    )
}

fn fill(place: &Place) {
    for folder in ["sub", "plain", "bare", "data/deep", "uploads", ".git", ".well-known", "pi.php"] {
        place.folder(&format!("www/{folder}"));
    }
    let write = |name: &str, text: &str| place.write(&format!("www/{name}"), text);
    for script in ["index.php", "page.php", "sub/index.php", ".well-known/info.php", "data/deep/x.php"] {
        write(script, SCRIPT);
    }
    write("photo.jpg", "<?php echo 'run';");
    write("uploads/evil.php", "<?php echo 'run';");
    write("uploads/photo.jpg", "a photo");
    write("style.css", "body { color: red }");
    write("ten.txt", "0123456789");
    write("plain/index.html", "<h1>plain</h1>");
    write("bare/file.txt", "bare");
    write("data/page.txt", "data");
    write(".well-known/security.txt", "Contact: us");
    write("redirect-to-photo.php", &local_redirect("/page.php/photo.jpg"));
    write("redirect.php", &local_redirect("/ten.txt"));
    write("redirect-to-script.php", &local_redirect("/page.php/p?x=1"));
    for name in [
        "inc.phtml",
        "config.inc",
        "index.php~",
        "index.php.bak",
        "UPPER.PHP",
        "old.php5",
        ".htaccess",
        ".env.php",
        ".git/config",
        "sub/.user.ini",
    ] {
        write(name, SECRET);
    }
    place.write("outside.php", SECRET);
    symlink("../outside.php", place.join("www/out.php")).unwrap();
    symlink("../outside.php", place.join("www/out.txt")).unwrap();
}
