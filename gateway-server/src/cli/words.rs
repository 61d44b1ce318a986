//! A command line as words, the way a shell would split it; nothing is expanded and no shell is run.

/// The words of a command. Spaces separate them; `'…'` and `"…"` keep spaces; a backslash keeps the next character,
/// except inside `'…'`. `None` if a quotation mark is not closed, or a backslash is the last character.
pub(crate) fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            (mark, Some(open)) if mark == open => quote = None,
            ('\\', None | Some('"')) => word.get_or_insert_default().push(characters.next()?),
            (other, Some(_)) => word.get_or_insert_default().push(other),
            ('\'' | '"', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (space, None) if space.is_ascii_whitespace() => words.extend(word.take()),
            (other, None) => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn commands_are_split_like_in_a_shell() {
        let rows: &[(&str, &[&str])] = &[
            ("", &[]),
            ("   ", &[]),
            ("php-cgi", &["php-cgi"]),
            ("  php-cgi   -b  x ", &["php-cgi", "-b", "x"]),
            (r#"run "two words" 'and more'"#, &["run", "two words", "and more"]),
            (r#"run "" ''"#, &["run", "", ""]),
            (r"run two\ words \'", &["run", "two words", "'"]),
            (r#"run "a \" b" 'a \ b'"#, &["run", "a \" b", r"a \ b"]),
            (r#"run a"b c"d"#, &["run", "ab cd"]),
            ("run $HOME `x` *", &["run", "$HOME", "`x`", "*"]),
        ];
        for (text, wanted) in rows {
            assert_eq!(split(text).as_deref(), Some(wanted.map_to_strings().as_slice()), "{text}");
        }
    }

    #[test]
    fn what_is_not_closed_is_no_command() {
        for text in ["run \"x", "run 'x", "run x\\", "\""] {
            assert_eq!(split(text), None, "{text}");
        }
    }

    trait Strings {
        fn map_to_strings(&self) -> Vec<String>;
    }
    impl Strings for &[&str] {
        fn map_to_strings(&self) -> Vec<String> {
            self.iter().map(|word| (*word).to_owned()).collect()
        }
    }
}
