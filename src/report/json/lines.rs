//! Lays JSON out with one item of each list on a line.

use std::io::{self, Write};

use serde_json::ser::Formatter;

use crate::report::hidden::is_hidden;

/// The object's keys and the items of its lists each begin a line; what is inside an item stands on that line.
///
/// So a report of many streams can be searched and compared line by line. Characters that would steer a
/// terminal are escaped, also those that JSON would let through.
#[derive(Debug, Default)]
pub(super) struct OnePerLine {
    /// How many objects and lists are open.
    depth: usize,
    /// Whether the list that is open directly under the object holds anything.
    has_items: bool,
}

impl Formatter for OnePerLine {
    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        out.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth -= 1;
        out.write_all(if self.depth == 0 { b"\n}" } else { b"}" })
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"" } else { b"," })?;
        out.write_all(if self.depth == 1 { b"\n" } else { b"" })
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        if self.depth == 2 {
            self.has_items = false;
        }
        out.write_all(b"[")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"" } else { b"," })?;
        if self.depth == 2 {
            self.has_items = true;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        let ends_lines = self.depth == 2 && self.has_items;
        self.depth -= 1;
        out.write_all(if ends_lines { b"\n]" } else { b"]" })
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_hidden(*c)) {
            out.write_all(&rest.as_bytes()[..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    fn written(value: &serde_json::Value) -> String {
        let mut out = Vec::new();
        value
            .serialize(&mut serde_json::Serializer::with_formatter(&mut out, OnePerLine::default()))
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn items_of_lists_have_lines_of_their_own() {
        let value = serde_json::json!({"a": [{"x": [1, 2], "y": {}}, {"x": []}], "b": [], "c": {"d": [1]}});
        let expected = "{\n\"a\":[\n{\"x\":[1,2],\"y\":{}},\n{\"x\":[]}\n],\n\"b\":[],\n\"c\":{\"d\":[1]}\n}";
        assert_eq!(written(&value), expected);
    }

    #[test]
    fn what_steers_a_terminal_is_escaped_and_reads_back() {
        let value = serde_json::json!({"a\u{9b}": "x\u{1b}[2J\u{7f}\u{202e}\u{e0041}é\""});
        let text = written(&value);
        assert!(text.is_ascii() || !text.contains(|c: char| is_hidden(c) && c != '\n'), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
