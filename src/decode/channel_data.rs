//! TURN ChannelData (RFC 8656, section 12.4).

use super::span::Span;

/// One ChannelData message.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChannelData<'a> {
    /// 0x4000 to 0x4FFF.
    pub(super) channel: u16,
    pub(super) data: Span<'a>,
}

impl<'a> ChannelData<'a> {
    /// Octets before the data.
    pub(super) const HEADER_OCTETS: usize = 4;

    /// The message at the start of a payload; whether it fills the payload is for the caller to ask.
    pub(super) fn read(payload: Span<'a>) -> Option<Self> {
        let (&[c0 @ 0x40..=0x4F, c1, l0, l1], data) = payload.header::<4>().ok()? else { return None };
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        (length <= data.octets)
            .then(|| Self { channel: u16::from_be_bytes([c0, c1]), data: data.with_length(length) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_leaves_padding_out() {
        let bytes = [0x40, 1, 0, 3, 7, 8, 9, 0];
        let message = ChannelData::read(Span::new(&bytes, 8)).unwrap();
        assert_eq!((message.channel, message.data.bytes), (0x4001, &[7, 8, 9][..]));
        assert!(ChannelData::read(Span::new(&[0x50, 1, 0, 0], 4)).is_none(), "number");
        assert!(ChannelData::read(Span::new(&bytes[..6], 6)).is_none(), "length");
    }
}
