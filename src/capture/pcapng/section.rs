//! The header of a section: byte order and version of what follows.

/// The shortest section header block.
pub(super) const SECTION_HEADER_LENGTH: usize = 28;

/// The fixed part of a section header block.
pub(super) struct Section {
    pub(super) is_swapped: bool,
    pub(super) length: u32,
    pub(super) major: u16,
    pub(super) minor: u16,
}

impl Section {
    /// `None` where the byte-order magic is wrong.
    pub(super) fn read(header: &[u8; SECTION_HEADER_LENGTH]) -> Option<Self> {
        const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;
        let [_, length, magic, ..]: [u32; 7] = bytemuck::cast(*header);
        let [_, _, _, _, _, _, major, minor, ..]: [u16; 14] = bytemuck::cast(*header);
        if magic == BYTE_ORDER_MAGIC {
            Some(Self { is_swapped: false, length, major, minor })
        } else if magic.swap_bytes() == BYTE_ORDER_MAGIC {
            let [major, minor] = [major, minor].map(u16::swap_bytes);
            Some(Self { is_swapped: true, length: length.swap_bytes(), major, minor })
        } else {
            None
        }
    }

    /// Version 1.2 was written for a while and is the same as 1.0.
    pub(super) const fn is_version_known(&self) -> bool {
        matches!((self.major, self.minor), (1, 0 | 2))
    }
}
