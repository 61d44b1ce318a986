//! Foreign bytes as text that can stand in a page or in a link, and unguessable words.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;

use gateway_spec::Value;

use crate::mount::encode_path;

/// A value as HTML text or inside a quoted attribute; bytes that are not UTF-8 become `\x..`.
pub(super) fn escape(value: impl fmt::Display) -> String {
    let mut escaped = String::new();
    for character in value.to_string().chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(character),
            control if control.is_control() => escaped.extend(control.escape_default()),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The path one segment above a mount: where its neighbours are.
pub(super) fn parent(script_name: Value<'_>) -> String {
    let path = encode_path(&script_name);
    path.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned())
}

/// 128 bits that nobody can guess: the keys of a hasher come from the system's random numbers.
pub(super) fn nonce() -> String {
    let half = || RandomState::new().hash_one(());
    format!("{:016x}{:016x}", half(), RandomState::new().hash_one(half()))
}
