//! Captures in memory: pcap, pcapng, snoop, and compressed.

use std::io::Write;

/// The first moment of every capture: 2023-11-14, in nanoseconds since 1970.
pub(crate) const START: i64 = 1_700_000_000_000_000_000;

pub(crate) const ETHERNET: u32 = 1;
pub(crate) const RAW_IP: u32 = 101;
pub(crate) const RADIOTAP: u32 = 127;

/// One frame, at so many nanoseconds after [`START`].
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) at: i64,
    pub(crate) octets: Vec<u8>,
    pub(crate) wire_octets: usize,
    pub(crate) interface: u32,
}

/// Frames, in any order: written in order of time, those of one moment in the order in which they were added.
#[derive(Debug, Clone)]
pub(crate) struct Capture {
    pub(crate) frames: Vec<Frame>,
    pub(crate) link: u32,
}

impl Capture {
    pub(crate) const fn new() -> Self {
        Self { frames: Vec::new(), link: ETHERNET }
    }

    pub(crate) const fn of_link(link: u32) -> Self {
        Self { frames: Vec::new(), link }
    }

    pub(crate) fn of(frames: impl IntoIterator<Item = (i64, Vec<u8>)>) -> Self {
        let mut capture = Self::new();
        capture.extend(frames);
        capture
    }

    pub(crate) fn add(&mut self, at: i64, octets: Vec<u8>) {
        self.add_on(0, at, octets);
    }

    pub(crate) fn add_on(&mut self, interface: u32, at: i64, octets: Vec<u8>) {
        let wire_octets = octets.len();
        self.frames.push(Frame { at, octets, wire_octets, interface });
    }

    pub(crate) fn extend(&mut self, frames: impl IntoIterator<Item = (i64, Vec<u8>)>) {
        for (at, octets) in frames {
            self.add(at, octets);
        }
    }

    /// Keeps of each frame no more than so many octets.
    pub(crate) fn snapped(mut self, octets: usize) -> Self {
        self.frames.iter_mut().for_each(|frame| frame.octets.truncate(octets));
        self
    }

    /// The frames in order of time.
    pub(crate) fn in_order(&self) -> Vec<&Frame> {
        let mut frames: Vec<_> = self.frames.iter().collect();
        frames.sort_by_key(|frame| frame.at);
        frames
    }

    /// As pcap with nanoseconds, little-endian.
    pub(crate) fn pcap(&self) -> Vec<u8> {
        self.pcap_of(0xA1B2_3C4D, 1)
    }

    /// As pcap with microseconds.
    pub(crate) fn pcap_in_microseconds(&self) -> Vec<u8> {
        self.pcap_of(0xA1B2_C3D4, 1000)
    }

    fn pcap_of(&self, magic: u32, unit_ns: i64) -> Vec<u8> {
        let mut file = Vec::new();
        for word in [magic, 4 << 16 | 2, 0, 0, 262_144, self.link] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        for frame in self.in_order() {
            let at = START + frame.at;
            let fields = [at / 1_000_000_000, at % 1_000_000_000 / unit_ns];
            for word in fields.into_iter().map(|field| u32::try_from(field).unwrap()) {
                file.extend_from_slice(&word.to_le_bytes());
            }
            for length in [frame.octets.len(), frame.wire_octets] {
                file.extend_from_slice(&u32::try_from(length).unwrap().to_le_bytes());
            }
            file.extend_from_slice(&frame.octets);
        }
        file
    }

    /// As pcapng, with one interface for each name.
    pub(crate) fn pcapng(&self, interfaces: &[&str]) -> Vec<u8> {
        let mut section = vec![0x4D, 0x3C, 0x2B, 0x1A, 1, 0, 0, 0];
        section.extend_from_slice(&[0xFF; 8]);
        let mut file = block(0x0A0D_0D0A, &section);
        for name in interfaces {
            let mut body = Vec::new();
            body.extend_from_slice(&u16::try_from(self.link).unwrap().to_le_bytes());
            body.extend_from_slice(&[0; 6]);
            body.extend_from_slice(&option(2, name.as_bytes()));
            // Nanoseconds.
            body.extend_from_slice(&option(9, &[9]));
            body.extend_from_slice(&option(0, &[]));
            file.extend_from_slice(&block(1, &body));
        }
        for frame in self.in_order() {
            let at = u64::try_from(START + frame.at).unwrap();
            let mut body = Vec::new();
            for word in [frame.interface, (at >> 32) as u32, at as u32] {
                body.extend_from_slice(&word.to_le_bytes());
            }
            for length in [frame.octets.len(), frame.wire_octets] {
                body.extend_from_slice(&u32::try_from(length).unwrap().to_le_bytes());
            }
            body.extend_from_slice(&frame.octets);
            file.extend_from_slice(&block(6, &body));
        }
        file
    }

    /// As snoop (RFC 1761).
    pub(crate) fn snoop(&self) -> Vec<u8> {
        let mut file = b"snoop\0\0\0".to_vec();
        let link: u32 = if self.link == ETHERNET { 4 } else { panic!("snoop of another link") };
        for word in [2, link] {
            file.extend_from_slice(&word.to_be_bytes());
        }
        for frame in self.in_order() {
            let at = START + frame.at;
            let padded = frame.octets.len().next_multiple_of(4);
            let lengths = [frame.wire_octets, frame.octets.len(), 24 + padded, 0];
            for length in lengths {
                file.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
            }
            for field in [at / 1_000_000_000, at % 1_000_000_000 / 1000] {
                file.extend_from_slice(&u32::try_from(field).unwrap().to_be_bytes());
            }
            file.extend_from_slice(&frame.octets);
            file.resize(file.len() + padded - frame.octets.len(), 0);
        }
        file
    }
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let length = u32::try_from(padded + 12).unwrap().to_le_bytes();
    let mut block = [&kind.to_le_bytes()[..], &length, body].concat();
    block.resize(8 + padded, 0);
    block.extend_from_slice(&length);
    block
}

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_le_bytes();
    let mut option = [&code.to_le_bytes()[..], &length, value].concat();
    option.resize(option.len().next_multiple_of(4), 0);
    option
}

/// In gzip.
pub(crate) fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

/// In zstd.
pub(crate) fn zstandard(octets: &[u8]) -> Vec<u8> {
    zstd::encode_all(octets, 1).unwrap()
}
