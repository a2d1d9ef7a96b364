//! A gzip stream unpacked up to the very octet at which it breaks.
//!
//! The reader that comes with the library loses what it unpacked in the same call as it met the damage. Frames
//! that were whole would go missing, so the damage is held back here until they are out.

use std::io::{self, BufRead, Read};

use flate2::{Decompress, FlushDecompress, Status};

/// Unpacks gzip (RFC 1952), of one member or of several.
pub(super) struct Gunzip<R> {
    input: R,
    inflate: Decompress,
    state: State,
}

enum State {
    InMember,
    BetweenMembers,
    CutOff,
    Damaged,
    Ended,
}

/// Window bits of the widest history, 32 KiB, which any gzip stream may use.
const WINDOW_BITS: u8 = 15;

impl<R: BufRead> Gunzip<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, inflate: Decompress::new_gzip(WINDOW_BITS), state: State::InMember }
    }

    pub(super) const fn input(&self) -> &R {
        &self.input
    }

    fn unpack(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let packed = self.input.fill_buf()?;
        let at_end = packed.is_empty();
        let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
        let result = self.inflate.decompress(packed, room, FlushDecompress::None);
        let consumed =
            usize::try_from(self.inflate.total_in() - read).unwrap_or(usize::MAX).min(packed.len());
        let produced =
            usize::try_from(self.inflate.total_out() - written).unwrap_or(usize::MAX).min(room.len());
        self.input.consume(consumed);
        match result {
            Ok(Status::StreamEnd) => self.state = State::BetweenMembers,
            Ok(_) if produced > 0 || consumed > 0 => {}
            Ok(_) if at_end => self.state = State::CutOff,
            Ok(_) | Err(_) => self.state = State::Damaged,
        }
        Ok(produced)
    }

    /// Begins the next member, if there is one. As gzip itself does, anything else behind a member is ignored:
    /// padding of tapes, signatures.
    fn begin_member(&mut self) -> io::Result<()> {
        let next = self.input.fill_buf()?;
        if next.starts_with(&[0x1F]) {
            self.inflate = Decompress::new_gzip(WINDOW_BITS);
            self.state = State::InMember;
        } else {
            self.state = State::Ended;
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.state {
                State::InMember => {
                    let produced = self.unpack(room)?;
                    if produced > 0 || room.is_empty() {
                        return Ok(produced);
                    }
                }
                State::BetweenMembers => self.begin_member()?,
                State::CutOff => {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the gzip stream is cut off"));
                }
                State::Damaged => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "the gzip stream is damaged"));
                }
                State::Ended => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn packed(octets: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(octets).unwrap();
        encoder.finish().unwrap()
    }

    /// Text that packs badly enough for several blocks.
    fn numbers(until: u32) -> Vec<u8> {
        (0..until).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
    }

    fn unpack(octets: &[u8]) -> (Vec<u8>, Option<String>) {
        let mut unpacked = Vec::new();
        let failure = Gunzip::new(octets).read_to_end(&mut unpacked).err().map(|e| e.to_string());
        (unpacked, failure)
    }

    #[test]
    fn members_follow_one_another() {
        let members = [packed(b"one "), packed(b""), packed(b"two")].concat();
        assert_eq!(unpack(&members), (b"one two".to_vec(), None));
    }

    #[test]
    fn what_follows_the_last_member_is_ignored() {
        for tail in [&[0_u8; 512][..], b"signature"] {
            assert_eq!(unpack(&[&packed(b"whole"), tail].concat()), (b"whole".to_vec(), None));
        }
    }

    #[test]
    fn a_stream_cut_off_gives_what_came_before() {
        let original = numbers(50_000);
        let whole = packed(&original);
        let (unpacked, failure) = unpack(&whole[..whole.len() / 2]);
        assert!(unpacked.len() > original.len() / 3);
        assert!(original.starts_with(&unpacked));
        assert_eq!(failure.as_deref(), Some("the gzip stream is cut off"));
    }

    #[test]
    fn a_damaged_stream_gives_what_came_before() {
        let original = numbers(50_000);
        let mut whole = packed(&original);
        let middle = whole.len() / 2;
        whole[middle..].fill(0xFF);
        let (unpacked, failure) = unpack(&whole);
        assert!(unpacked.len() > original.len() / 3, "{} octets", unpacked.len());
        assert_eq!(failure.as_deref(), Some("the gzip stream is damaged"));
    }

    #[test]
    fn a_wrong_checksum_is_damage() {
        let mut whole = packed(b"checked");
        let at = whole.len() - 8;
        whole[at] ^= 1;
        assert_eq!(unpack(&whole), (b"checked".to_vec(), Some("the gzip stream is damaged".into())));
    }
}
