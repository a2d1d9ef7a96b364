//! File formats that are told by their first octets but not read.

/// A format, with its article, and what to do about a file of it; `FILE` stands for the file's name.
pub(super) type Foreign = (&'static str, &'static str);

const CONVERT: &str = "convert it: editcap -F pcapng FILE out.pcapng";

/// First octets, format, remedy. The first row that fits counts.
///
/// Source: the format descriptions in Wireshark's documentation, checked against files that `editcap` writes.
const FORMATS: &[(&[u8], &str, &str)] = &[
    (b"RTSS", "a Microsoft Network Monitor 1 capture", CONVERT),
    (b"GMBU", "a Microsoft Network Monitor 2 capture", CONVERT),
    (b"XCP\0", "a NetXRay or Sniffer for Windows capture", CONVERT),
    (b"VL\0\0", "an old NetXRay capture", CONVERT),
    (b"TRSNIFF data    \x1a", "a Sniffer for DOS capture", CONVERT),
    (b"\x01\x10\x4c\x00", "a Novell LANalyzer capture", CONVERT),
    (b"\x07\x10\x4c\x00", "a Novell LANalyzer capture", CONVERT),
    (b"\xaa\xaa\xaa\xaa", "an InfoVista 5View capture", CONVERT),
    (b"\x05VNF", "a Visual Networks capture", CONVERT),
    (b"ObserverPktBuffe", "a Viavi Observer capture", CONVERT),
    (b"\x7fver", "a WildPackets or Savvius capture", CONVERT),
    (b"\x00\x00\x00\x01\x00\x00\x00\x00\x00\x07\xd0\x00", "an HP-UX nettl trace", CONVERT),
    (b"TR\0d\0", "an HP-UX nettl trace", CONVERT),
    (b"iptrace 1.0", "an AIX iptrace capture", CONVERT),
    (b"iptrace 2.0", "an AIX iptrace capture", CONVERT),
    (b"\x00\x00\x02\x00\x12\x05\x00\x10", "a Tektronix K12 (rf5) capture", CONVERT),
    (b"+---------+---------------+----------+", "a K12 text capture", CONVERT),
    (b"NetScreen", "a NetScreen text capture", CONVERT),
    (b"NetS", "a NetScaler trace", CONVERT),
    (b"\xac\x01\x00\x1c", "an Ixia pcap capture", CONVERT),
    (b"\x1c\x00\x01\xac", "an Ixia pcap capture", CONVERT),
    (b"\xab\x01\x00\x1c", "an Ixia pcap capture", CONVERT),
    (b"\x1c\x00\x01\xab", "an Ixia pcap capture", CONVERT),
    (b"\xcd\x34\xb2\xa1", "a pcap capture of an unofficial kind (a1b234cd)", CONVERT),
    (b"\xa1\xb2\x34\xcd", "a pcap capture of an unofficial kind (a1b234cd)", CONVERT),
    (b"\x4d\x3c\x2b\xa1", "a Navtel pcap capture", CONVERT),
    (b"\xa1\x2b\x3c\x4d", "a Navtel pcap capture", CONVERT),
    (b"btsnoop\0", "a Bluetooth (btsnoop) capture", "it holds no IP packets of a network"),
    (
        b"#!rtpplay1.0",
        "an rtpdump file",
        "it holds RTP without IP headers, and so no DSCP: capture the packets themselves",
    ),
    (
        b"\x0d\x0a\x0d\x0d\x0a",
        "a pcapng capture that was sent as text, which changed its octets",
        "send it again as binary",
    ),
    (
        b"\x0a\x0d\x0d\x0d\x0a",
        "a pcapng capture that was sent as text, which changed its octets",
        "send it again as binary",
    ),
    (
        b"\x0a\x0d\x0a",
        "a pcapng capture that was sent as text, which changed its octets",
        "send it again as binary",
    ),
    (b"BZh", "a bzip2 file", "unpack it: bzip2 -dc FILE | hopmark replay -"),
    (b"\xfd7zXZ\0", "an xz file", "unpack it: xz -dc FILE | hopmark replay -"),
    (b"\x5d\x00\x00", "an lzma file", "unpack it: xz -dc FILE | hopmark replay -"),
    (b"LZIP", "an lzip file", "unpack it: lzip -dc FILE | hopmark replay -"),
    (b"\x04\x22\x4d\x18", "an lz4 file", "unpack it: lz4 -dc FILE | hopmark replay -"),
    (b"\x1f\x9d", "a file of the old compress", "unpack it: gzip -dc FILE | hopmark replay -"),
    (b"\x1f\x8b", "a gzip file inside a packed file", "unpack it: gzip -dc FILE | hopmark replay -"),
    (b"\x28\xb5\x2f\xfd", "a zstd file inside a packed file", "unpack it: zstd -dc FILE | hopmark replay -"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it: 7z x -so FILE | hopmark replay -"),
    (b"PK\x03\x04", "a zip archive", "unpack it: unzip -p FILE | hopmark replay -"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it first"),
    (b"version https://git-lfs", "a Git LFS pointer, not the capture itself", "fetch it: git lfs pull"),
];

/// What a file is that begins with these octets, if that is known and not read.
pub(super) fn recognise(head: &[u8]) -> Option<Foreign> {
    let by_magic = FORMATS.iter().find(|(magic, ..)| head.starts_with(magic));
    if let Some((_, format, remedy)) = by_magic {
        return Some((format, remedy));
    }
    if head.get(257..).is_some_and(|at| at.starts_with(b"ustar")) {
        return Some(("a tar archive", "unpack it: tar -xf FILE"));
    }
    // Of ASCII only: what came over the wire would soon have other octets.
    if head.iter().all(|octet| matches!(octet, b'\t' | b'\n' | b'\r' | b' '..=b'~')) {
        return Some(("a text file", "if it is a hexdump of frames, convert it: text2pcap FILE out.pcapng"));
    }
    if is_erf(head) {
        return Some(("probably an Endace ERF capture", CONVERT));
    }
    None
}

/// ERF has no magic number: its first record is held against what a record can be. A time of 8 octets, the
/// seconds in the upper half, both little-endian; type, flags, record length, losses, length on the wire.
fn is_erf(head: &[u8]) -> bool {
    let Some(head) = head.first_chunk::<16>() else { return false };
    let [_, seconds, ..] = bytemuck::cast::<_, [u32; 4]>(*head).map(u32::from_le);
    let [.., record, _, wire] = bytemuck::cast::<_, [u16; 8]>(*head).map(u16::from_be);
    let kind = head[8];
    let years = 1990..2040;
    let is_time = years.contains(&(1970 + seconds / 31_557_600));
    is_time
        && (1..=48).contains(&(kind & 0x7F))
        && (17..=16_384).contains(&record)
        && (1..=16_384).contains(&wire)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::tests::failure;

    #[test]
    fn a_known_format_is_refused_with_its_name_and_a_remedy() {
        for (octets, expected) in [
            (
                &b"GMBU\x00\x02\x01\x00"[..],
                "test: this is a Microsoft Network Monitor 2 capture, which hopmark does not read; \
                 convert it: editcap -F pcapng test out.pcapng",
            ),
            (
                b"\xfd7zXZ\0\0\x04",
                "test: this is an xz file, which hopmark does not read; \
                 unpack it: xz -dc test | hopmark replay -",
            ),
            (
                b"0000  45 b8 00 c8\n",
                "test: this is a text file, which hopmark does not read; \
                 if it is a hexdump of frames, convert it: text2pcap test out.pcapng",
            ),
        ] {
            assert_eq!(failure(octets), expected);
        }
    }

    #[test]
    fn no_row_is_hidden_by_one_above_it() {
        for (number, (magic, format, _)) in FORMATS.iter().enumerate() {
            let first = FORMATS.iter().position(|(earlier, ..)| magic.starts_with(earlier));
            assert_eq!(first, Some(number), "{format}");
        }
    }

    #[test]
    fn archives_and_erf_are_told_without_a_magic_number_at_the_start() {
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(recognise(&tar).unwrap().0, "a tar archive");
        let erf = [0, 0, 0, 0, 0x00, 0xF1, 0x53, 0x65, 2, 4, 0, 78, 0, 0, 0, 60, 0, 0];
        assert_eq!(recognise(&erf).unwrap().0, "probably an Endace ERF capture");
        assert_eq!(recognise(&[0xFE; 20]), None);
        assert_eq!(recognise(&[0; 20]), None);
    }
}
