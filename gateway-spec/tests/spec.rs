//! `docs/SPEC.md` is printed from the lint's rules. `UPDATE_DOCS=1 cargo test -p gateway-spec --test spec` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use gateway_spec::lint::{Party, RULES};

const HEAD: &str = "\
# The rules that can be broken at run time

The lint of `gateway-spec` checks these and says who broke which. `must`: the other side cannot rely on anything any more,
and the linted request fails. `should`: it works, but not as well as it should, and the error stream says so. Rules that a
type keeps are not here: see [pep3333.md](pep3333.md), which says of every requirement of PEP 3333 where it is kept.

An id is that of a requirement: `PEP-n` in [requirements/pep3333.md](requirements/pep3333.md), `CGI-n` in
[requirements/cgi.md](requirements/cgi.md), `HTTP-n` in [requirements/http1.md](requirements/http1.md).

This file is printed from `gateway_spec::lint::RULES`; change it there.
";

fn table(party: Party) -> String {
    let mut table = String::from("| id | strength | rule | source |\n| --- | --- | --- | --- |\n");
    for rule in RULES.iter().filter(|rule| rule.binds == party) {
        let _ = writeln!(table, "| {} | {} | {} | {} |", rule.id, rule.strength, rule.text, rule.source);
    }
    table
}

#[test]
fn the_page_is_printed_from_the_rules() {
    let page = format!(
        "{HEAD}\n## The server\n\nMiddleware is bound by these towards its application.\n\n{}\n\
         ## The application\n\nMiddleware is bound by these towards its server.\n\n{}",
        table(Party::Server),
        table(Party::Application)
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/SPEC.md");
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written == page, "docs/SPEC.md is not what the rules print: run with UPDATE_DOCS=1");
}

#[test]
fn every_rule_is_a_row_of_the_requirements() {
    let requirements: String = ["pep3333", "cgi", "http1"]
        .map(|name| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/requirements/{name}.md"));
            std::fs::read_to_string(path).unwrap()
        })
        .concat();
    for rule in RULES {
        assert!(requirements.contains(&format!("\n| {} |", rule.id)), "{} is no requirement", rule.id);
    }
}
