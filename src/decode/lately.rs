//! Paths of the single VLAN tags that were heard lately.
//!
//! A trunk carries a handful of them, in any order. Looked up by number, as comparing stacks of layers takes longer
//! than all the rest of a common frame.

use super::{Layer, PathId};

/// One place for each of some tags, taken by the last one that came.
#[derive(Debug)]
pub(super) struct Lately {
    places: [(Tagged, PathId); PLACES],
}

/// Interface in the upper half, tag in the lower.
type Tagged = u32;

/// A power of two.
const PLACES: usize = 64;
/// The bit of a tag that says whether it may be dropped before others, and nothing of the path.
const DROP_ELIGIBLE: u16 = 1 << 12;
/// No tag's: it has that bit.
const NONE: (Tagged, PathId) = (DROP_ELIGIBLE as Tagged, PathId::OVERFLOW);

impl Lately {
    pub(super) const fn new() -> Self {
        Self { places: [NONE; PLACES] }
    }

    /// The path of a tag, if it is known. Per frame.
    #[inline]
    pub(super) fn get(&self, interface: u16, tag: u16) -> Option<PathId> {
        let tagged = tagged(interface, tag);
        self.places.get(place(tagged)).filter(|(of, _)| *of == tagged).map(|(_, path)| *path)
    }

    pub(super) fn note(&mut self, interface: u16, tag: u16, path: PathId) {
        let tagged = tagged(interface, tag);
        if let Some(known) = self.places.get_mut(place(tagged)) {
            *known = (tagged, path);
        }
    }

    pub(super) const fn forget(&mut self) {
        *self = Self::new();
    }
}

/// What a tag's control information says of the path: priority 3 bits, drop eligible 1, identifier 12.
pub(super) const fn layer(tag: u16) -> Layer {
    Layer::Vlan { vid: tag & 0x0FFF, pcp: (tag >> 13) as u8 }
}

#[inline]
const fn tagged(interface: u16, tag: u16) -> Tagged {
    (interface as u32) << 16 | (tag & !DROP_ELIGIBLE) as u32
}

/// Identifiers of a trunk are often neighbours.
#[inline]
const fn place(tagged: Tagged) -> usize {
    (tagged ^ tagged >> 10 ^ tagged >> 16) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_noted_is_known() {
        let mut lately = Lately::new();
        let tags = || (0..=u16::MAX).step_by(7);
        assert!(tags().all(|tag| lately.get(0, tag).is_none() && lately.get(1, tag).is_none()));
        lately.note(1, 0xA064, PathId(4));
        let known: Vec<u16> = (0..=u16::MAX).filter(|tag| lately.get(1, *tag).is_some()).collect();
        assert_eq!(known, [0xA064, 0xB064], "whether it may be dropped tells no path apart");
        assert_eq!(lately.get(0, 0xA064), None);
        lately.forget();
        assert_eq!(lately.get(1, 0xA064), None);
    }

    #[test]
    fn neighbours_with_a_priority_have_places_of_their_own() {
        let mut lately = Lately::new();
        for tag in (0..32).flat_map(|n| [96 + n, 0xA000 + 96 + n]) {
            lately.note(0, tag, PathId(tag));
        }
        assert_eq!((96..128).filter(|tag| lately.get(0, *tag) == Some(PathId(*tag))).count(), 32);
    }
}
