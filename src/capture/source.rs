//! Where a capture's octets come from, unpacked if need be.

use std::io::{self, BufReader, Chain, Cursor, Read};

use super::gzip::Gunzip;
use super::zstd::Unzstd;

/// The octets of a capture.
pub(super) enum Source {
    /// As they are stored.
    Plain(Stored),
    /// Out of a gzip file (RFC 1952).
    Gzip(Gunzip<BufReader<Stored>>),
    /// Out of a Zstandard file (RFC 8878).
    Zstd(Unzstd<BufReader<Stored>>),
}

/// How a capture is packed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Packing {
    /// What the first octets of a file say.
    pub(super) fn of(head: &[u8]) -> Self {
        // A Zstandard file may open with a skippable frame: 16 magic numbers, of which only the lowest differs.
        let is_zstd =
            head.starts_with(ZSTD) || matches!(head.get(..4), Some([0x50..=0x5F, 0x2A, 0x4D, 0x18]));
        if head.starts_with(GZIP) {
            Self::Gzip
        } else if is_zstd {
            Self::Zstd
        } else {
            Self::None
        }
    }
}

/// The file as it is stored, counted.
pub(super) struct Stored {
    inner: Chain<Cursor<Vec<u8>>, Box<dyn Read + Send>>,
    octets: u64,
}

/// Octets of a stored file that are looked at to tell how it is packed, and read from it at a time if it is.
const CHUNK: usize = 64 << 10;
const GZIP: &[u8] = &[0x1F, 0x8B, 8];
const ZSTD: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];

impl Source {
    /// Looks at the first octets and unpacks what they say is packed.
    ///
    /// # Errors
    ///
    /// The reader fails.
    pub(super) fn open(mut reader: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut head = vec![0; CHUNK];
        let mut filled = 0;
        while filled < ZSTD.len() {
            match reader.read(head.get_mut(filled..).unwrap_or_default()) {
                Ok(0) => break,
                Ok(octets) => filled += octets,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        head.truncate(filled);
        let packing = Packing::of(&head);
        let stored = Stored { inner: Cursor::new(head).chain(reader), octets: 0 };
        Ok(match packing {
            Packing::Gzip => Self::Gzip(Gunzip::new(BufReader::with_capacity(CHUNK, stored))),
            Packing::Zstd => Self::Zstd(Unzstd::new(BufReader::with_capacity(CHUNK, stored))?),
            Packing::None => Self::Plain(stored),
        })
    }

    /// What is left of an unpacked capture of which so many octets were read otherwise.
    pub(super) fn rest(reader: Box<dyn Read + Send>, octets: u64) -> Self {
        Self::Plain(Stored { inner: Cursor::new(Vec::new()).chain(reader), octets })
    }

    pub(super) const fn packing(&self) -> Packing {
        match self {
            Self::Plain(_) => Packing::None,
            Self::Gzip(_) => Packing::Gzip,
            Self::Zstd(_) => Packing::Zstd,
        }
    }

    /// Octets read of the file as it is stored.
    pub(super) fn stored_octets_read(&self) -> u64 {
        match self {
            Self::Plain(stored) => stored.octets,
            Self::Gzip(gunzip) => gunzip.input().get_ref().octets,
            Self::Zstd(unzstd) => unzstd.input().get_ref().octets,
        }
    }
}

impl Read for Source {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stored) => stored.read(room),
            Self::Gzip(gunzip) => gunzip.read(room),
            Self::Zstd(unzstd) => unzstd.read(room),
        }
    }
}

impl Read for Stored {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let octets = self.inner.read(room)?;
        self.octets += octets as u64;
        Ok(octets)
    }
}
