//! Foreign text made harmless, and the few shapes of markup that several sections share.

/// Units that a line does not begin with.
const UNITS: [&str; 6] = ["µs", "ms", "s", "MiB", "GiB", "%"];

/// `text` as it may stand between tags or inside a quoted attribute; a number and its unit stay on one line.
pub(super) fn escape(text: &str) -> String {
    let text = &kept_together(text);
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // A command line may hold anything; what cannot be seen must not be in the page.
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn kept_together(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(' ') {
        let unit = word.trim_end_matches([' ', '.', ',', ';', ':', ')']);
        if UNITS.contains(&unit) && out.trim_end().ends_with(|c: char| c.is_ascii_digit()) && out.ends_with(' ') {
            out.pop();
            out.push('\u{a0}');
        }
        out.push_str(word);
    }
    out
}

/// Sentences, one after the other, as one paragraph of escaped text.
pub(super) fn paragraph(sentences: &[String]) -> String {
    if sentences.is_empty() { String::new() } else { format!("<p>{}</p>\n", escape(&sentences.join(" "))) }
}

/// Sentences, each on its own.
pub(super) fn list(sentences: &[String]) -> String {
    if sentences.is_empty() {
        return String::new();
    }
    let items: String = sentences.iter().map(|sentence| format!("<li>{}</li>\n", escape(sentence))).collect();
    format!("<ul>\n{items}</ul>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_open_a_tag_or_end_an_attribute() {
        assert_eq!(escape("<b a=\"1\" b='2'>&\u{7}"), "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;\u{fffd}");
    }

    #[test]
    fn a_number_and_its_unit_stay_on_one_line() {
        assert_eq!(
            escape("took 8.2 µs, 3 % of it; s and 2 models"),
            "took 8.2\u{a0}µs, 3\u{a0}% of it; s and 2 models"
        );
    }

    #[test]
    fn nothing_to_say_leaves_no_empty_tags() {
        assert_eq!(paragraph(&[]), "");
        assert_eq!(list(&[]), "");
    }
}
