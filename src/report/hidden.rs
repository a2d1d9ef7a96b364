//! Finds characters that a terminal obeys or hides, and spells them out.

use std::borrow::Cow;

/// Whether a character would steer a terminal or could not be seen: controls, direction marks, invisible ones.
///
/// File, interface and point names come from captures and may hold anything.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text with hidden characters spelled out, as in `\u{1b}`.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_spelled_out() {
        for (text, expected) in [
            ("eth0", "eth0"),
            ("Zürich→東京", "Zürich→東京"),
            ("a\u{1b}[31mb", "a\\u{1b}[31mb"),
            ("line\r\nline", "line\\r\\nline"),
            ("c1\u{9b}2J", "c1\\u{9b}2J"),
            ("pcap\u{202e}gnp", "pcap\\u{202e}gnp"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
