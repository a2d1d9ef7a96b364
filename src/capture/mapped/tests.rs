//! Captures that are mapped are read as others, also when cut meanwhile.

#![allow(clippy::cast_possible_truncation, reason = "the numbers of these tests are small")]

use std::fs::OpenOptions;
use std::io::{Cursor, Write};

use tempfile::NamedTempFile;

use super::super::CaptureFile;
use super::super::testfile::{MICROSECONDS, Order, PcapFile, PcapngFile, SnoopFile, gzipped};
use super::super::tests::{Kept, read_all, read_all_in_memory};
use super::*;

/// Lengths of frames that fall in no step with pages: most of them short, some empty, one longer than a stretch.
fn lengths() -> impl Iterator<Item = usize> {
    let usual = |n: u32| (n.wrapping_mul(2_654_435_761) >> 16) as usize % 1_500;
    (0..9_000).map(move |n| match n {
        4_000 => 3 << 20,
        n if n % 1000 == 0 => 0,
        n => usual(n),
    })
}

/// Captures of several stretches.
fn captures() -> [(&'static str, Vec<u8>); 2] {
    let mut pcap = PcapFile::with_header(Order::Little, MICROSECONDS, (2, 4), 4 << 20, 1);
    let mut pcapng = PcapngFile::new(Order::Little).interface(1, 0, &[]);
    for (number, octets) in (1..).zip(lengths()) {
        let data = vec![number as u8 | 1; octets];
        pcap = pcap.frame((number, 0), &data, octets as u32);
        pcapng = pcapng.enhanced(0, u64::from(number) * 1_000_000, &data, octets as u32, &[]);
    }
    assert!(pcap.octets.len() as u64 > 3 * STRETCH && pcapng.octets.len() as u64 > 3 * STRETCH);
    [("pcap", pcap.octets), ("pcapng", pcapng.octets)]
}

fn file(octets: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(octets).unwrap();
    file
}

fn read(octets: &[u8]) -> CaptureFile {
    CaptureFile::from_reader("read", Box::new(Cursor::new(octets.to_vec()))).unwrap()
}

#[test]
fn a_mapped_capture_is_read_as_any_other() {
    for (format, octets) in captures() {
        let mut reading = read(&octets);
        let expected = read_all(&mut reading);
        assert_eq!(expected.len(), 9_000);
        // Cut between pages, too: what is left of a frame is no frame.
        for length in [octets.len(), octets.len() - 1, 5_000_001, 2 << 20, (2 << 20) + 4096] {
            let file = file(&octets[..length]);
            let frames = read_all(&mut read(&octets[..length]));
            for most in [u64::MAX, 7, 0] {
                let mut capture = CaptureFile::open(file.path()).unwrap();
                assert!(capture.window.is_mapped());
                assert_eq!(read_all_in_memory(&mut capture, most), frames, "{format} {length}");
                assert_eq!(capture.octets_read(), length as u64);
                let mut other = read(&octets[..length]);
                read_all(&mut other);
                assert_eq!(capture.summary(), other.summary());
            }
        }
    }
}

#[test]
fn many_files_share_what_is_in_memory() {
    assert_eq!([0, 1, 2, 4, 8, 20, 64].map(|files| stretch(files) >> 20), [2, 2, 8, 8, 4, 1, 1]);
}

#[test]
fn what_is_short_or_packed_or_snoop_is_not_mapped() {
    let (_, octets) = &captures()[0];
    let packed = gzipped(octets);
    assert!(packed.len() < octets.len());
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    let noise: Vec<u8> = (0..2_000_000).map(|_| random()).collect();
    let long = gzipped(&[&octets[..24], &noise].concat());
    let snoop = SnoopFile::new(2, 4).frame((1, 1), &noise, 5, 0).octets;
    for octets in [&octets[..SMALLEST as usize - 1], &packed, &long, &snoop] {
        let capture = CaptureFile::open(file(octets).path()).unwrap();
        assert!(!capture.window.is_mapped());
    }
    assert!(long.len() as u64 > SMALLEST);
}

#[test]
fn a_capture_that_grows_is_read_to_its_new_end() {
    for (format, octets) in captures() {
        let mut file = file(&octets[..5_000_001]);
        let mut capture = CaptureFile::open(file.path()).unwrap();
        file.write_all(&octets[5_000_001..]).unwrap();
        assert!(capture.window.is_mapped());
        assert_eq!(read_all(&mut capture), read_all(&mut read(&octets)), "{format}");
        assert_eq!(capture.octets_read(), octets.len() as u64);
    }
}

/// Takes frames from a capture of which all but so many octets are cut off after the first of them.
fn frames_of_cut(octets: &[u8], left: usize, is_in_memory: bool) -> (Vec<Kept>, CaptureFile) {
    let file = file(octets);
    let mut capture = CaptureFile::open(file.path()).unwrap();
    assert!(capture.window.is_mapped());
    let mut frames = vec![capture.next_frame().map(Kept::of).unwrap()];
    OpenOptions::new().write(true).open(file.path()).unwrap().set_len(left as u64).unwrap();
    frames.extend(if is_in_memory {
        read_all_in_memory(&mut capture, u64::MAX)
    } else {
        read_all(&mut capture)
    });
    (frames, capture)
}

#[test]
fn a_capture_that_is_cut_while_it_is_read_ends_where_it_was_cut() {
    for (format, octets) in captures() {
        let all = read_all(&mut read(&octets));
        for left in [100, 4096, 4097, 300_000, 500_011, 1 << 20, 2_500_000, 4_000_000] {
            let mut cut = read(&octets[..left]);
            let expected = read_all(&mut cut).len();
            for is_in_memory in [true, false] {
                let (frames, capture) = frames_of_cut(&octets, left, is_in_memory);
                // A frame across the new end may have been seen whole, and then has zeros behind it.
                let whole = frames.len().min(expected);
                assert_eq!(frames[..whole], all[..whole], "{format} {left}");
                assert!(
                    (expected..=expected + 1).contains(&frames.len()),
                    "{format} {left}: {}",
                    frames.len()
                );
                assert!(!capture.window.is_mapped());
                let ends = |capture: &CaptureFile| capture.summary().damage.map(|damage| damage.is_cut_off);
                assert_eq!(
                    ends(&capture),
                    ends(&cut),
                    "{format} {left} {is_in_memory}: {:?}",
                    capture.summary()
                );
            }
        }
    }
}

#[test]
fn a_frame_whose_time_was_seen_may_be_gone_when_it_is_taken() {
    let (_, octets) = &captures()[0];
    let file = file(octets);
    let mut capture = CaptureFile::open(file.path()).unwrap();
    assert!(capture.peek_timestamp().is_some());
    OpenOptions::new().write(true).open(file.path()).unwrap().set_len(24).unwrap();
    assert!(capture.next_frame().is_none());
    assert_eq!((capture.peek_timestamp(), capture.summary().frames), (None, 0));
}
