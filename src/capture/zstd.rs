//! A Zstandard stream unpacked up to the block at which it breaks.
//!
//! The library forgets what it unpacked in the same call as it met the damage, so it is fed one block a call, and
//! is asked for what is left of a block before it sees the next one.

use std::io::{self, BufRead, Read};

use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

/// Unpacks Zstandard (RFC 8878), of one frame or of several.
pub(super) struct Unzstd<R> {
    input: R,
    decoder: Decoder<'static>,
    /// Octets the decoder wants next: up to the end of a block; 0 between frames.
    wanted: usize,
    /// Set where the last call filled its room, so that more of the block may be waiting.
    has_more: bool,
    is_broken: bool,
}

/// Enough of a frame to begin with, yet never a whole frame, which would be unpacked in one call.
const FRAME_START: usize = 5;

impl<R: BufRead> Unzstd<R> {
    /// # Errors
    ///
    /// No memory for the decoder.
    pub(super) fn new(input: R) -> io::Result<Self> {
        Ok(Self { input, decoder: Decoder::new()?, wanted: 0, has_more: false, is_broken: false })
    }

    pub(super) const fn input(&self) -> &R {
        &self.input
    }
}

impl<R: BufRead> Read for Unzstd<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if room.is_empty() {
            return Ok(0);
        }
        loop {
            if self.is_broken {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the zstd stream is damaged"));
            }
            let packed = if self.has_more { &[] } else { self.input.fill_buf()? };
            if packed.is_empty() && !self.has_more {
                return if self.wanted == 0 {
                    Ok(0)
                } else {
                    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the zstd stream is cut off"))
                };
            }
            let feed = if self.wanted == 0 { FRAME_START } else { self.wanted };
            let mut source = InBuffer::around(packed.get(..feed).unwrap_or(packed));
            let mut target = OutBuffer::around(&mut *room);
            match self.decoder.run(&mut source, &mut target) {
                Ok(wanted) => self.wanted = wanted,
                Err(_) => self.is_broken = true,
            }
            let (consumed, produced) = (source.pos(), target.pos());
            let stalled = consumed == 0 && produced == 0 && !self.has_more;
            self.input.consume(consumed);
            self.has_more = produced == room.len();
            self.is_broken |= stalled;
            if produced > 0 {
                return Ok(produced);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(until: u32) -> Vec<u8> {
        (0..until).flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 12).to_le_bytes()).collect()
    }

    fn unpack(octets: &[u8], room: usize) -> (Vec<u8>, Option<String>) {
        let (mut unpacked, mut piece) = (Vec::new(), vec![0; room]);
        let mut unzstd = Unzstd::new(octets).unwrap();
        loop {
            match unzstd.read(&mut piece) {
                Ok(0) => return (unpacked, None),
                Ok(octets) => unpacked.extend_from_slice(&piece[..octets]),
                Err(error) => return (unpacked, Some(error.to_string())),
            }
        }
    }

    #[test]
    fn frames_follow_one_another_whatever_the_room() {
        let original = numbers(100_000);
        let skippable: &[u8] = &[0x52, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 9, 9, 9];
        let frame = zstd::encode_all(&original[..], 1).unwrap();
        let empty = zstd::encode_all(&[][..], 1).unwrap();
        let whole = [skippable, &frame, &empty, skippable, &frame].concat();
        let expected = [&original[..], &original].concat();
        for room in [1_000, 65_536, 131_072, 1 << 20] {
            assert!(unpack(&whole, room) == (expected.clone(), None), "room {room}");
        }
    }

    #[test]
    fn a_stream_cut_off_gives_what_came_before() {
        let original = numbers(200_000);
        let whole = zstd::encode_all(&original[..], 1).unwrap();
        let (unpacked, failure) = unpack(&whole[..whole.len() / 2], 256 << 10);
        assert!(unpacked.len() > original.len() / 3, "{} octets", unpacked.len());
        assert!(original.starts_with(&unpacked));
        assert_eq!(failure.as_deref(), Some("the zstd stream is cut off"));
    }

    #[test]
    fn a_damaged_stream_gives_the_blocks_before() {
        let original = numbers(400_000);
        let mut whole = zstd::encode_all(&original[..], 1).unwrap();
        let middle = whole.len() / 2;
        whole[middle..].fill(0xFF);
        let (unpacked, failure) = unpack(&whole, 256 << 10);
        assert!(unpacked.len() > original.len() / 3, "{} octets", unpacked.len());
        assert!(original.starts_with(&unpacked));
        assert_eq!(failure.as_deref(), Some("the zstd stream is damaged"));
    }
}
