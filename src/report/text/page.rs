//! Lays out lines: wraps, pads, colours, and escapes what is hidden.

use std::io::{self, Write};

use smallvec::SmallVec;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::report::hidden::shown;
use crate::verify::Severity;

/// Where the report is written, line by line.
pub(super) struct Page<'w> {
    out: &'w mut dyn Write,
    width: usize,
    colour: bool,
}

/// How a piece of a line looks, where there is colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Strong,
    Faint,
    Good,
    Warning,
    Bad,
}

impl Look {
    /// The parameters of "select graphic rendition" (ECMA-48, section 8.3.117).
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Warning => "33",
            Self::Bad => "1;31",
        }
    }
}

impl From<Severity> for Look {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Plain,
            Severity::Warning => Self::Warning,
            Severity::Error => Self::Bad,
        }
    }
}

impl<'w> Page<'w> {
    pub(super) fn new(out: &'w mut dyn Write, width: usize, colour: bool) -> Self {
        Self { out, width, colour }
    }

    pub(super) const fn width(&self) -> usize {
        self.width
    }

    pub(super) fn heading(&mut self, text: &str) -> io::Result<()> {
        self.blank()?;
        self.line(&[(Look::Strong, text)])
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// One line of pieces. What does not fit is cut: for lines that are known to fit, and cells cut to size.
    pub(super) fn line(&mut self, pieces: &[(Look, &str)]) -> io::Result<()> {
        let mut left = self.width;
        let mut fitting: SmallVec<[(Look, String); 4]> = SmallVec::new();
        for (look, text) in pieces {
            let piece = cut(&shown(text), left);
            left = left.saturating_sub(piece.width());
            fitting.push((*look, piece));
        }
        // No blanks at the end of a line: nobody sees them, and tickets fold them.
        while let Some((_, piece)) = fitting.last_mut() {
            piece.truncate(piece.trim_end().len());
            if !piece.is_empty() {
                break;
            }
            fitting.pop();
        }
        for (look, piece) in fitting {
            match look.code() {
                code if self.colour && !code.is_empty() => write!(self.out, "\x1b[{code}m{piece}\x1b[0m")?,
                _ => self.out.write_all(piece.as_bytes())?,
            }
        }
        writeln!(self.out)
    }

    /// A lead, and behind it a text over as many lines as it needs, each beginning in the same column.
    pub(super) fn entry(&mut self, mut look: Look, lead: &str, text: &str) -> io::Result<()> {
        let column = lead.width();
        let mut lead = lead.to_owned();
        for line in wrap(&shown(text), self.width.saturating_sub(column).max(20)) {
            self.line(&[(look, &lead), (Look::Plain, &line)])?;
            (look, lead) = (Look::Plain, " ".repeat(column));
        }
        Ok(())
    }

    /// A sentence over as many lines as it needs, two columns in.
    pub(super) fn sentence(&mut self, text: &str) -> io::Result<()> {
        self.entry(Look::Plain, "  ", text)
    }
}

/// The cell filled up with blanks to the left of a number.
pub(super) fn right(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(text.width())))
}

/// The cell filled up with blanks behind a word, or cut.
pub(super) fn left(text: &str, width: usize) -> String {
    let cell = cut(&shown(text), width);
    let blanks = width.saturating_sub(cell.width());
    cell + &" ".repeat(blanks)
}

/// The text, or as much of it as fits and an ellipsis.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (fits, _) = text.split_at(end_of_first(text, width.saturating_sub(1)));
    if width == 0 { String::new() } else { format!("{fits}…") }
}

/// Where the longest beginning of the text ends that is at most so wide.
fn end_of_first(text: &str, width: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width {
            return at;
        }
    }
    text.len()
}

/// Breaks a text between words; a word that is wider than a line is broken anywhere.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for mut word in text.split(' ').filter(|w| !w.is_empty()) {
        let gap = usize::from(!line.is_empty());
        if line.width() + gap + word.width() > width && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        while word.width() > width {
            let end = end_of_first(word, width).max(word.chars().next().map_or(1, char::len_utf8));
            let (fits, rest) = word.split_at(end);
            lines.push(fits.to_owned());
            word = rest;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(colour: bool, write: impl Fn(&mut Page<'_>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut Page::new(&mut out, 30, colour)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_text_stays_in_its_column() {
        let text = page(false, |p| p.entry(Look::Bad, "  check  ", "one two three four five six seven"));
        assert_eq!(text, "  check  one two three four\n         five six seven\n");
    }

    #[test]
    fn colour_only_where_it_is_wanted() {
        let write = |p: &mut Page<'_>| p.line(&[(Look::Bad, "ERROR"), (Look::Plain, " x")]);
        assert_eq!(page(true, write), "\x1b[1;31mERROR\x1b[0m x\n");
        assert_eq!(page(false, write), "ERROR x\n");
    }

    #[test]
    fn control_characters_are_spelled_out() {
        let text = page(true, |p| p.line(&[(Look::Plain, "a\x1b[2Jb\nc")]));
        assert_eq!(text, "a\\u{1b}[2Jb\\nc\n");
    }

    #[test]
    fn cells_have_their_width() {
        assert_eq!(left("audio", 8), "audio   ");
        assert_eq!(left("conferencing", 8), "confere…");
        assert_eq!(left("東京東京東京", 8), "東京東… ");
        assert_eq!(right("1,234", 8), "   1,234");
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide(text: String, lead in "[ a-z]{0,9}") {
            let written = page(false, |p| {
                p.entry(Look::Plain, &lead, &text)?;
                p.line(&[(Look::Plain, &lead), (Look::Plain, &text)])
            });
            for line in written.lines() {
                prop_assert!(line.width() <= 30, "{:?}", line);
            }
        }

        #[test]
        fn wrapping_loses_nothing(text in "[a-z ,.]{0,200}") {
            let all: String = wrap(&text, 30).concat();
            prop_assert_eq!(all.replace(' ', ""), text.replace(' ', ""));
        }
    }
}
