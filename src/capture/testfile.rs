//! Writes captures in memory, octet by octet, for the tests.

#![allow(clippy::cast_possible_truncation, reason = "the numbers of these tests are small")]

use std::io::Write;

/// Byte order of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

pub(super) const BOTH_ORDERS: [Order; 2] = [Order::Little, Order::Big];

impl Order {
    pub(super) fn two(self, number: u16) -> [u8; 2] {
        if self == Self::Little { number.to_le_bytes() } else { number.to_be_bytes() }
    }

    pub(super) fn four(self, number: u32) -> [u8; 4] {
        if self == Self::Little { number.to_le_bytes() } else { number.to_be_bytes() }
    }

    pub(super) fn eight(self, number: u64) -> [u8; 8] {
        if self == Self::Little { number.to_le_bytes() } else { number.to_be_bytes() }
    }
}

/// A pcap file being written.
pub(super) struct PcapFile {
    pub(super) octets: Vec<u8>,
    order: Order,
    magic: u32,
}

pub(super) const MICROSECONDS: u32 = 0xA1B2_C3D4;
pub(super) const NANOSECONDS: u32 = 0xA1B2_3C4D;
pub(super) const MODIFIED: u32 = 0xA1B2_CD34;

impl PcapFile {
    pub(super) fn new(order: Order, magic: u32) -> Self {
        Self::with_header(order, magic, (2, 4), 65_535, 1)
    }

    pub(super) fn with_header(
        order: Order,
        magic: u32,
        version: (u16, u16),
        snap: u32,
        network: u32,
    ) -> Self {
        let mut octets = order.four(magic).to_vec();
        octets.extend(order.two(version.0));
        octets.extend(order.two(version.1));
        for number in [0, 0, snap, network] {
            octets.extend(order.four(number));
        }
        Self { octets, order, magic }
    }

    /// A frame at a time in seconds and the file's unit.
    pub(super) fn frame(mut self, time: (u32, u32), data: &[u8], wire_len: u32) -> Self {
        for number in [time.0, time.1, data.len() as u32, wire_len] {
            self.octets.extend(self.order.four(number));
        }
        if self.magic == MODIFIED {
            self.octets.extend([self.order.four(3), [8, 0, 4, 0]].concat());
        }
        self.octets.extend(data);
        self
    }
}

/// A pcapng file being written.
pub(super) struct PcapngFile {
    pub(super) octets: Vec<u8>,
    order: Order,
}

impl PcapngFile {
    pub(super) fn new(order: Order) -> Self {
        Self { octets: Vec::new(), order }.section(order)
    }

    /// A section header; what follows is in the byte order given.
    pub(super) fn section(mut self, order: Order) -> Self {
        self.order = order;
        let mut body = order.four(0x1A2B_3C4D).to_vec();
        body.extend([order.two(1), order.two(0)].concat());
        body.extend(order.eight(u64::MAX));
        self.block(0x0A0D_0D0A, &body)
    }

    pub(super) fn interface(self, link: u16, snap: u32, options: &[(u16, Vec<u8>)]) -> Self {
        let body =
            [&self.order.two(link)[..], &[0, 0], &self.order.four(snap), &self.options(options)].concat();
        self.block(1, &body)
    }

    pub(super) fn enhanced(
        self,
        interface: u32,
        ticks: u64,
        data: &[u8],
        wire_len: u32,
        options: &[(u16, Vec<u8>)],
    ) -> Self {
        let mut body = self.order.four(interface).to_vec();
        for number in [(ticks >> 32) as u32, ticks as u32, data.len() as u32, wire_len] {
            body.extend(self.order.four(number));
        }
        body.extend(data);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend(self.options(options));
        self.block(6, &body)
    }

    pub(super) fn simple(self, data: &[u8], wire_len: u32) -> Self {
        let body = [&self.order.four(wire_len)[..], data].concat();
        self.block(3, &body)
    }

    /// The obsolete packet block.
    pub(super) fn packet(self, interface: u16, drops: u16, ticks: u64, data: &[u8]) -> Self {
        let mut body = [self.order.two(interface), self.order.two(drops)].concat();
        for number in [(ticks >> 32) as u32, ticks as u32, data.len() as u32, data.len() as u32] {
            body.extend(self.order.four(number));
        }
        body.extend(data);
        self.block(2, &body)
    }

    pub(super) fn statistics(self, interface: u32, options: &[(u16, Vec<u8>)]) -> Self {
        self.statistics_at(interface, 0, options)
    }

    /// Statistics with a time, in ticks of the interface.
    pub(super) fn statistics_at(self, interface: u32, ticks: u64, options: &[(u16, Vec<u8>)]) -> Self {
        let mut body = self.order.four(interface).to_vec();
        for number in [(ticks >> 32) as u32, ticks as u32] {
            body.extend(self.order.four(number));
        }
        body.extend(self.options(options));
        self.block(5, &body)
    }

    /// Any block.
    pub(super) fn block(mut self, kind: u32, body: &[u8]) -> Self {
        let length = self.order.four(body.len().next_multiple_of(4) as u32 + 12);
        self.octets.extend([self.order.four(kind), length].concat());
        self.octets.extend(body);
        self.octets.resize(self.octets.len().next_multiple_of(4), 0);
        self.octets.extend(length);
        self
    }

    /// An option whose value is a 64-bit number.
    pub(super) fn number(&self, code: u16, number: u64) -> (u16, Vec<u8>) {
        (code, self.order.eight(number).to_vec())
    }

    fn options(&self, options: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut octets = Vec::new();
        for (code, value) in options {
            octets.extend([self.order.two(*code), self.order.two(value.len() as u16)].concat());
            octets.extend(value);
            octets.resize(octets.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            octets.extend([0; 4]);
        }
        octets
    }
}

/// A snoop file being written.
pub(super) struct SnoopFile {
    pub(super) octets: Vec<u8>,
}

impl SnoopFile {
    pub(super) fn new(version: u32, datalink: u32) -> Self {
        Self { octets: [&b"snoop\0\0\0"[..], &version.to_be_bytes(), &datalink.to_be_bytes()].concat() }
    }

    pub(super) fn frame(mut self, time: (u32, u32), data: &[u8], wire_len: u32, drops: u32) -> Self {
        let padding = data.len().next_multiple_of(4) - data.len();
        let record = 24 + data.len() + padding;
        for number in [wire_len, data.len() as u32, record as u32, drops, time.0, time.1] {
            self.octets.extend(number.to_be_bytes());
        }
        self.octets.extend(data);
        self.octets.extend(vec![0; padding]);
        self
    }
}

pub(super) fn gzipped(octets: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zstandard(octets: &[u8]) -> Vec<u8> {
    zstd::encode_all(octets, 1).unwrap()
}
