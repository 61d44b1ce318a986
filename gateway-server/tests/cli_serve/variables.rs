//! `docs/environ.md` against what applications find.

use std::collections::BTreeMap;
use std::path::Path;

use crate::gateway::Gateway;

/// Each variable of the page's table, with what it says of one column.
fn documented(column: usize) -> BTreeMap<String, String> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/environ.md")).unwrap();
    let table = page.lines().skip_while(|line| !line.starts_with("| variable |")).skip(2);
    let rows = table.take_while(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        (cells[1].to_owned(), cells[column].to_owned())
    });
    rows.collect()
}

#[test]
fn pep_23_cgi_42_the_page_of_variables_is_what_applications_find() {
    let gateway = Gateway::serve(&std::env::temp_dir(), &["--no-access-log"]);
    for (path, column) in [("/inprocess/", 2), ("/cgi/", 3), ("/fastcgi/", 4)] {
        let answer =
            gateway.ask("GET", &format!("{path}?q=1"), &["Authorization: Basic eA==", "Proxy: x", "X_Y: 1"], "");
        let found: Vec<&str> = answer.body.lines().filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
        let documented = documented(column);
        assert!(documented.len() > 20 && found.len() > 10, "{documented:?} {found:?}");
        for name in &found {
            let said = documented.get(*name).map(String::as_str);
            assert_ne!(said, Some("—"), "{path} {name}");
            assert!(said.is_some() || name.starts_with("HTTP_"), "{path} {name} is not in the page");
        }
        for (name, said) in &documented {
            assert!(said != "always" || found.contains(&name.as_str()), "{path} {name} is not there: {found:?}");
        }
        assert_eq!(found.contains(&"HTTP_AUTHORIZATION"), path == "/inprocess/", "{path}");
        assert!(!found.iter().any(|name| ["HTTP_PROXY", "HTTP_X_Y"].contains(name)), "{path} {found:?}");
    }
}
