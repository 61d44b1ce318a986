//! The blocks of `docs/moving-to-gateway.md`.

use gateway_tests::programs::workspace;

/// The text of the only block in a language.
pub(crate) fn block(language: &str) -> String {
    let page = std::fs::read_to_string(workspace().join("docs/moving-to-gateway.md")).unwrap();
    let blocks: Vec<&str> = page.split(&format!("```{language}\n")).skip(1).collect();
    let [block] = blocks.as_slice() else { panic!("{} blocks of {language}", blocks.len()) };
    block.split_once("```").unwrap().0.to_owned()
}

/// The words of a command of ours in a line that starts with `before`, without the name of the program.
pub(crate) fn command(block: &str, before: &str) -> Vec<String> {
    let line = block.lines().find_map(|line| line.strip_prefix(before)).expect("the command");
    line.split(' ').skip(1).map(str::to_owned).collect()
}
