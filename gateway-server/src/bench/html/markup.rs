//! Foreign text made harmless, and the few shapes of markup that several sections share.

/// `text` as it may stand between tags or inside a quoted attribute.
pub(super) fn escape(text: &str) -> String {
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
    fn nothing_to_say_leaves_no_empty_tags() {
        assert_eq!(paragraph(&[]), "");
        assert_eq!(list(&[]), "");
    }
}
