//! Laws that hold for captures of every format; agreement with libpcap.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the numbers of these tests are small"
)]

use std::io::{self, Read, Write};

use proptest::prelude::*;

use super::testfile::{
    BOTH_ORDERS, MICROSECONDS, MODIFIED, NANOSECONDS, Order, PcapFile, PcapngFile, SnoopFile, gzipped,
    zstandard,
};
use super::*;
use crate::terms::LinkType;

/// A frame, kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) timestamp: Timestamp,
    pub(super) data: Vec<u8>,
    pub(super) wire_len: u32,
    pub(super) link: LinkType,
    pub(super) interface: u16,
}

fn open(octets: &[u8]) -> Result<CaptureFile, OpenError> {
    CaptureFile::from_reader("test", Box::new(io::Cursor::new(octets.to_vec())))
}

pub(super) fn read_all(capture: &mut CaptureFile) -> Vec<Kept> {
    let mut frames = Vec::new();
    while let Some(frame) = capture.next_frame() {
        frames.push(Kept::of(frame));
    }
    frames
}

impl Kept {
    pub(super) fn of(frame: Frame<'_>) -> Self {
        let Frame { timestamp, data, wire_len, link, interface } = frame;
        Self { timestamp, data: data.to_vec(), wire_len, link, interface }
    }
}

/// The same, taken a few at a time from memory where that can be done.
pub(super) fn read_all_in_memory(capture: &mut CaptureFile, most: u64) -> Vec<Kept> {
    let mut frames = Vec::new();
    loop {
        let before = frames.len() as u64;
        let given = capture.give_in_memory(most, |some| frames.extend(some.iter().copied().map(Kept::of)));
        assert!(given <= most && frames.len() as u64 == before + given);
        let Some(frame) = capture.next_frame() else { return frames };
        frames.push(Kept::of(frame));
    }
}

/// All frames of a capture that opens, and the capture at its end.
pub(super) fn read(octets: &[u8]) -> (Vec<Kept>, CaptureFile) {
    let mut capture = open(octets).unwrap();
    (read_all(&mut capture), capture)
}

pub(super) fn frames(octets: &[u8]) -> Vec<Kept> {
    read(octets).0
}

/// The message for a capture that does not open.
pub(super) fn failure(octets: &[u8]) -> String {
    open(octets).err().unwrap().to_string()
}

/// A reader that gives a few octets at a time, as a pipe may.
struct Trickle<R>(R, usize);

impl<R: Read> Read for Trickle<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let few = self.1.min(room.len());
        self.0.read(&mut room[..few])
    }
}

/// One small capture of each format, all of them with several frames.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let mut samples = Vec::new();
    for order in BOTH_ORDERS {
        for magic in [MICROSECONDS, NANOSECONDS, MODIFIED] {
            let file = PcapFile::new(order, magic).frame((5, 1), b"first", 60).frame((4, 2), b"", 0);
            samples.push(("pcap", file.frame((6, 3), &[9; 300], 300).octets));
        }
        let file = PcapngFile::new(order)
            .interface(1, 0, &[(2, b"eth0".to_vec())])
            .enhanced(0, 5_000_000, b"first", 60, &[])
            .block(0x0BAD, &[1, 2, 3, 4])
            .simple(b"simple", 6)
            .packet(0, 1, 7_000_000, b"old")
            .section(Order::Big)
            .interface(101, 0, &[])
            .enhanced(0, 6_000_000, &[9; 300], 300, &[]);
        samples.push(("pcapng", file.octets));
    }
    let snoop = SnoopFile::new(2, 4).frame((1, 1), b"first", 5, 0).frame((2, 2), b"second", 60, 1);
    samples.push(("snoop", snoop.octets));
    samples
}

#[test]
fn packed_captures_are_read_as_they_are() {
    for (format, octets) in samples() {
        let plain = frames(&octets);
        for (packed, suffix) in [(gzipped(&octets), "+gzip"), (zstandard(&octets), "+zstd")] {
            let (frames, capture) = read(&packed);
            let summary = capture.summary();
            assert_eq!(frames, plain);
            assert!(
                summary.format.starts_with(format) && summary.format.ends_with(suffix),
                "{}",
                summary.format
            );
            assert_eq!((summary.damage, capture.octets_read()), (None, packed.len() as u64));
        }
    }
}

#[test]
fn a_capture_may_come_in_any_pieces() {
    for (_, octets) in samples() {
        let plain = frames(&octets);
        for packed in [octets.clone(), gzipped(&octets), zstandard(&octets)] {
            for step in [1, 7, 100] {
                let reader = Trickle(io::Cursor::new(packed.clone()), step);
                let mut capture = CaptureFile::from_reader("pipe", Box::new(reader)).unwrap();
                assert_eq!(read_all(&mut capture), plain, "{step} octets a time");
            }
        }
    }
}

#[test]
fn a_long_capture_is_read_over_many_stretches() {
    let mut file = PcapFile::new(Order::Little, MICROSECONDS);
    let mut lengths = Vec::new();
    for number in 0..20_000_u32 {
        let length = (number.wrapping_mul(2_654_435_761) >> 16) % 1_500;
        file = file.frame((number, 0), &vec![number as u8; length as usize], length);
        lengths.push(length as usize);
    }
    for packed in [file.octets.clone(), gzipped(&file.octets), zstandard(&file.octets)] {
        let mut capture = open(&packed).unwrap();
        for (number, length) in lengths.iter().enumerate() {
            let frame = capture.next_frame().unwrap();
            assert_eq!((frame.timestamp.0, frame.data.len()), (number as i64 * 1_000_000_000, *length));
            assert!(frame.data.iter().all(|octet| *octet == number as u8));
        }
        assert!(capture.next_frame().is_none());
        assert_eq!(capture.summary().damage, None);
    }
}

#[test]
fn a_packed_capture_that_is_cut_off_gives_the_frames_before() {
    let mut file = PcapFile::new(Order::Little, MICROSECONDS);
    for number in 0..5_000_u32 {
        file = file.frame((number, 0), &number.wrapping_mul(2_654_435_761).to_le_bytes().repeat(9), 36);
    }
    for (packed, packing) in [(gzipped(&file.octets), "gzip"), (zstandard(&file.octets), "zstd")] {
        let (frames, capture) = read(&packed[..packed.len() * 3 / 4]);
        let damage = capture.summary().damage.unwrap();
        assert!(!frames.is_empty() && damage.is_cut_off);
        assert_eq!(damage.frame, frames.len() as u64 + 1);
        assert!(damage.what.contains(&format!("the {packing} stream is cut off")), "{damage}");
    }
}

#[test]
fn a_packed_capture_that_is_damaged_gives_the_frames_before() {
    let mut file = PcapFile::new(Order::Little, MICROSECONDS);
    for number in 0..50_000_u32 {
        file = file.frame((number, 0), &number.wrapping_mul(2_654_435_761).to_le_bytes(), 4);
    }
    for mut packed in [gzipped(&file.octets), zstandard(&file.octets)] {
        let place = packed.len() / 2;
        packed[place..].fill(0xFF);
        let (frames, capture) = read(&packed);
        let damage = capture.summary().damage.unwrap();
        assert!(frames.len() > 10_000, "{damage}");
        assert!(damage.to_string().starts_with("damaged at octet "), "{damage}");
    }
}

#[test]
fn peeking_tells_the_time_of_the_next_frame_and_changes_nothing() {
    for (_, octets) in samples() {
        let (plain, read_once) = read(&octets);
        let mut capture = open(&octets).unwrap();
        for frame in plain {
            assert_eq!(capture.peek_timestamp(), Some(frame.timestamp));
            assert_eq!(capture.peek_timestamp(), Some(frame.timestamp));
            assert_eq!(capture.next_frame().unwrap().timestamp, frame.timestamp);
        }
        assert_eq!(capture.peek_timestamp(), None);
        assert_eq!(capture.summary(), read_once.summary());
    }
}

#[test]
fn the_summary_has_the_earliest_and_the_latest_time() {
    let file = PcapFile::new(Order::Little, MICROSECONDS);
    let file = file.frame((5, 0), b"", 0).frame((3, 0), b"", 0).frame((4, 0), b"", 0);
    let summary = read(&file.octets).1.summary();
    assert_eq!(
        (summary.first, summary.last),
        (Some(Timestamp(3_000_000_000)), Some(Timestamp(5_000_000_000)))
    );
    let empty = read(&PcapFile::new(Order::Little, MICROSECONDS).octets).1.summary();
    assert_eq!((empty.first, empty.last, empty.frames), (None, None, 0));
}

#[test]
fn a_file_is_told_from_standard_input_by_its_length() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let octets = PcapFile::new(Order::Little, MICROSECONDS).frame((1, 0), b"x", 1).octets;
    file.write_all(&octets).unwrap();
    let mut capture = CaptureFile::open(file.path()).unwrap();
    assert_eq!(capture.total_octets(), Some(octets.len() as u64));
    assert_eq!(read_all(&mut capture).len(), 1);
    assert_eq!(capture.octets_read(), octets.len() as u64);
    assert_eq!(open(&octets).unwrap().total_octets(), None);
}

#[test]
fn what_cannot_be_opened_says_why() {
    let missing = CaptureFile::open(Path::new("/nowhere/at all.pcap")).err().unwrap().to_string();
    assert!(missing.starts_with("/nowhere/at all.pcap: cannot be opened: No such file"), "{missing}");
    let folder = CaptureFile::open(&std::env::temp_dir()).err().unwrap().to_string();
    assert!(folder.contains("cannot be read: Is a directory"), "{folder}");
    for (octets, expected) in [
        (&b""[..], "test: is empty: not even the header of a capture is there"),
        (&[0xD4, 0xC3], "test: is too short: 2 octets, where the header of a capture file has 16"),
        (
            &[0xD4, 0xC3, 0xB2, 0xA1, 2, 0],
            "test: is too short: 6 octets, where the header of a pcap file has 24",
        ),
        (
            &[0x0A, 0x0D, 0x0D, 0x0A, 28, 0],
            "test: is too short: 6 octets, where the header of a pcapng file has 28",
        ),
        (b"snoop\0\0\0\0", "test: is too short: 9 octets, where the header of a snoop file has 16"),
        (&[0x1F, 0x8B, 8, 0], "test: cannot be read: the gzip stream is cut off"),
        (
            &[0xFE; 20],
            "test: not a capture that hopmark knows (first octets fe fe fe fe fe fe fe fe); \
             it reads pcap, pcapng, modified pcap and snoop, also in gzip or zstd",
        ),
    ] {
        assert_eq!(failure(octets), expected);
    }
}

#[test]
fn a_capture_moves_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<CaptureFile>();
}

/// What libpcap reads of a file.
fn by_libpcap(octets: &[u8]) -> Vec<Kept> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(octets).unwrap();
    let mut capture =
        ::pcap::Capture::from_file_with_precision(file.path(), ::pcap::Precision::Nano).unwrap();
    let link = LinkType(u16::try_from(capture.get_datalink().0).unwrap());
    let mut frames = Vec::new();
    while let Ok(packet) = capture.next_packet() {
        let header = packet.header;
        let timestamp = Timestamp::new(header.ts.tv_sec, header.ts.tv_usec);
        frames.push(Kept { timestamp, data: packet.data.to_vec(), wire_len: header.len, link, interface: 0 });
    }
    frames
}

/// Frames that every format can hold: times, octets, how much longer they were on the wire.
fn some_frames() -> impl Strategy<Value = Vec<(u32, u32, Vec<u8>, u32)>> {
    let data = prop::collection::vec(any::<u8>(), 0..200);
    prop::collection::vec((0..2_000_000_000_u32, 0..1_000_000_u32, data, 0..2_000_u32), 0..20)
}

fn order() -> impl Strategy<Value = Order> {
    prop::sample::select(&BOTH_ORDERS[..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pcap_is_read_as_libpcap_reads_it(
        some in some_frames(), order in order(), magic in prop::sample::select(&[MICROSECONDS, NANOSECONDS][..])
    ) {
        let mut file = PcapFile::new(order, magic);
        for (seconds, fraction, data, more) in some {
            file = file.frame((seconds, fraction), &data, data.len() as u32 + more);
        }
        prop_assert_eq!(frames(&file.octets), by_libpcap(&file.octets));
    }

    #[test]
    fn pcapng_is_read_as_libpcap_reads_it(
        some in some_frames(), order in order(), resolution in prop::sample::select(&[6, 9, 3, 0x94][..])
    ) {
        let mut file = PcapngFile::new(order).interface(1, 65_535, &[(9, vec![resolution])]);
        for (seconds, fraction, data, more) in some {
            let ticks = match resolution {
                6 => u64::from(seconds) * 1_000_000 + u64::from(fraction),
                9 => u64::from(seconds) * 1_000_000_000 + u64::from(fraction),
                3 => u64::from(seconds) * 1_000 + u64::from(fraction % 1_000),
                _ => u64::from(seconds) << 20 | u64::from(fraction % (1 << 20)),
            };
            file = file.enhanced(0, ticks, &data, data.len() as u32 + more, &[]);
        }
        prop_assert_eq!(frames(&file.octets), by_libpcap(&file.octets));
    }

    /// Whole, cut off, or with an octet that is wrong.
    #[test]
    fn frames_are_the_same_in_memory_and_one_by_one(
        which in 0..samples().len(), cut in 0.0..1.1_f64, wrong in any::<Option<(u16, u8)>>(), most in 0..4_u64
    ) {
        let (_, mut octets) = samples().swap_remove(which);
        octets.truncate((octets.len() as f64 * cut) as usize);
        if let Some((place, value)) = wrong
            && let Some(octet) = octets.get_mut(usize::from(place) % 512)
        {
            *octet = value;
        }
        if let (Ok(mut one), Ok(mut other)) = (open(&octets), open(&octets)) {
            prop_assert_eq!(read_all(&mut one), read_all_in_memory(&mut other, most));
            prop_assert_eq!(one.summary(), other.summary());
            prop_assert_eq!((one.interfaces(), one.gaps()), (other.interfaces(), other.gaps()));
        }
    }

    #[test]
    fn a_prefix_of_a_capture_gives_a_prefix_of_its_frames(which in 0..samples().len(), cut in 0.0..1.0_f64) {
        let (_, octets) = &samples()[which];
        let whole = frames(octets);
        for packed in [octets.clone(), gzipped(octets), zstandard(octets)] {
            let length = (packed.len() as f64 * cut) as usize;
            if let Ok(mut capture) = open(&packed[..length]) {
                let part = read_all(&mut capture);
                prop_assert!(whole.starts_with(&part), "{part:?}");
                if let Some(damage) = capture.summary().damage {
                    prop_assert_eq!(damage.frame, part.len() as u64 + 1);
                    prop_assert!(damage.is_cut_off, "{damage}");
                }
            }
        }
    }

    #[test]
    fn any_octets_are_read_to_an_end(which in 0..samples().len(), at in prop::collection::vec(any::<(u16, u8)>(), 0..9), tail in prop::collection::vec(any::<u8>(), 0..400)) {
        let (_, mut octets) = samples()[which].clone();
        octets.extend(&tail);
        for (place, octet) in at {
            let place = usize::from(place) % octets.len();
            octets[place] = octet;
        }
        for packed in [octets.clone(), gzipped(&octets), tail] {
            if let Ok(mut capture) = open(&packed) {
                prop_assert!(read_all(&mut capture).len() <= octets.len() / 12);
                prop_assert!(capture.next_frame().is_none());
                let _ = capture.summary().damage.map(|damage| damage.to_string());
            }
        }
    }

    #[test]
    fn damaged_packing_is_read_to_an_end(at in any::<u16>(), octet in any::<u8>(), is_zstd in any::<bool>()) {
        let mut file = PcapFile::new(Order::Little, MICROSECONDS);
        for number in 0..400_u32 {
            file = file.frame((number, 0), &number.wrapping_mul(2_654_435_761).to_le_bytes().repeat(5), 20);
        }
        let mut packed = if is_zstd { zstandard(&file.octets) } else { gzipped(&file.octets) };
        let place = usize::from(at) % packed.len();
        packed[place] ^= octet;
        if let Ok(mut capture) = open(&packed) {
            prop_assert!(read_all(&mut capture).len() <= 500_000);
        }
    }
}
