//! The options at the end of a pcapng block.

/// The options of a block, each a code and a value, up to the first that does not fit.
pub(super) struct Options<'a> {
    rest: &'a [u8],
    is_swapped: bool,
}

impl<'a> Options<'a> {
    pub(super) const fn new(octets: &'a [u8], is_swapped: bool) -> Self {
        Self { rest: octets, is_swapped }
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.rest.split_first_chunk::<4>()?;
        let [code, length] =
            bytemuck::cast::<_, [u16; 2]>(*head).map(|n| if self.is_swapped { n.swap_bytes() } else { n });
        if code == END {
            return None;
        }
        let value = rest.get(..usize::from(length))?;
        // Values are padded to 32 bits; of the last one some writers leave the padding out.
        self.rest = rest.get(usize::from(length).next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    }
}

const END: u16 = 0;

/// An option's value as a 64-bit number.
pub(super) fn number(value: &[u8], is_swapped: bool) -> Option<u64> {
    let number = u64::from_ne_bytes(*value.first_chunk()?);
    Some(if is_swapped { number.swap_bytes() } else { number })
}

/// An option's value as text, cut to a length that no honest name reaches.
pub(super) fn text(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value.get(..LONGEST_TEXT).unwrap_or(value));
    let text = text.trim_end_matches('\0');
    (!text.is_empty()).then(|| text.to_owned())
}

const LONGEST_TEXT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_end_at_the_end_mark_or_where_they_do_not_fit() {
        let list =
            |octets: &'static [u8]| Options::new(octets, cfg!(target_endian = "big")).collect::<Vec<_>>();
        assert_eq!(list(&[2, 0, 1, 0, b'a', 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0]), [(2, &b"a"[..])]);
        assert_eq!(list(&[2, 0, 4, 0, b'e', b't', b'h', b'0']), [(2, &b"eth0"[..])]);
        assert_eq!(list(&[2, 0, 2, 0, b'l', b'o']), [(2, &b"lo"[..])]);
        assert_eq!(list(&[2, 0, 9, 0, b'e', b't', b'h', b'0']), []);
        assert_eq!(list(&[2, 0]), []);
    }

    #[test]
    fn text_is_bounded_and_always_utf_8() {
        assert_eq!(text(b"eth0\0").as_deref(), Some("eth0"));
        assert_eq!(text(b""), None);
        assert_eq!(text(&[0xFF]).as_deref(), Some("\u{FFFD}"));
        assert_eq!(text(&b"x".repeat(70_000)).map(|t| t.len()), Some(256));
    }
}
