//! The interfaces of a pcapng capture, numbered across its sections.

use std::collections::HashMap;

use super::clock::Clock;
use super::options::{self, Options};
use crate::capture::gaps::{DropGap, DropGaps};
use crate::capture::summary::Interface;
use crate::terms::{LinkType, Timestamp};

/// All interfaces of a capture, and which of them the section at hand speaks of.
///
/// Interface numbers of pcapng count from 0 in each section. Here each interface has one number for the whole
/// capture: an interface of a later section is an earlier one if name and link type are the same (sections come
/// from putting files one behind the other), else a new one.
pub(super) struct Interfaces {
    all: Vec<Interface>,
    drops: Vec<Drops>,
    gaps: DropGaps,
    by_name: HashMap<(Option<String>, LinkType), Known>,
    /// Sections begun.
    sections: u64,
    section: Vec<Described>,
}

/// The interfaces of one name and link type.
#[derive(Default)]
struct Known {
    numbers: Vec<u16>,
    /// How many of them the section at hand has described, if `section` is the one at hand.
    used: usize,
    section: u64,
}

/// An interface as the section at hand describes it.
#[derive(Clone, Copy)]
pub(super) struct Described {
    pub(super) number: u16,
    pub(super) link: LinkType,
    pub(super) clock: Clock,
    /// Octets kept of a frame; 0 for all.
    pub(super) snap_length: u32,
    /// The time of its last frame in this section, and of the one before; the earliest there is before the first.
    pub(super) last_time: Timestamp,
    /// Up to here its drops are counted in statistics blocks.
    counted_to: Timestamp,
}

/// Frames dropped on one interface. Counts in statistics blocks and those beside packets are of the same frames.
#[derive(Clone, Copy, Default)]
struct Drops {
    earlier_sections: u64,
    statistics: Option<u64>,
    beside_packets: Option<u64>,
}

impl Drops {
    fn in_section(self) -> Option<u64> {
        self.statistics.max(self.beside_packets)
    }

    fn total(self) -> Option<u64> {
        match self.in_section() {
            Some(drops) => Some(self.earlier_sections.saturating_add(drops)),
            None => (self.earlier_sections > 0).then_some(self.earlier_sections),
        }
    }
}

/// No more interfaces than this are told apart, in a section or in all of them.
pub(super) const MOST_INTERFACES: usize = u16::MAX as usize;

mod option {
    pub(super) const IF_NAME: u16 = 2;
    pub(super) const IF_DESCRIPTION: u16 = 3;
    pub(super) const IF_TSRESOL: u16 = 9;
    pub(super) const IF_TSOFFSET: u16 = 14;
    pub(super) const ISB_IFDROP: u16 = 5;
    pub(super) const ISB_OSDROP: u16 = 7;
}

impl Interfaces {
    pub(super) fn new() -> Self {
        Self {
            all: Vec::new(),
            drops: Vec::new(),
            gaps: DropGaps::default(),
            by_name: HashMap::new(),
            sections: 0,
            section: Vec::new(),
        }
    }

    pub(super) fn all(&self) -> &[Interface] {
        &self.all
    }

    pub(super) fn gaps(&self) -> &[DropGap] {
        self.gaps.all()
    }

    /// How many interfaces the section at hand has described.
    pub(super) fn described(&self) -> usize {
        self.section.len()
    }

    /// The interface of a section's own number.
    // per frame
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&Described> {
        self.section.get(number as usize)
    }

    // per frame
    #[inline]
    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Described> {
        self.section.get_mut(number as usize)
    }

    /// Forgets which numbers the section before gave.
    pub(super) fn begin_section(&mut self) {
        self.sections += 1;
        for interface in self.section.drain(..) {
            if let Some(drops) = self.drops.get_mut(usize::from(interface.number)) {
                let earlier_sections = drops.earlier_sections.saturating_add(drops.in_section().unwrap_or(0));
                *drops = Drops { earlier_sections, ..Drops::default() };
            }
        }
    }

    /// Takes up an interface description; false where there is no room for it.
    pub(super) fn describe(
        &mut self,
        link: LinkType,
        snap_length: u32,
        block_options: &[u8],
        is_swapped: bool,
    ) -> bool {
        let mut interface = Interface::unnamed(link);
        let mut clock = Clock::MICROSECONDS;
        for (code, value) in Options::new(block_options, is_swapped) {
            match (code, value) {
                (option::IF_NAME, _) => interface.name = options::text(value),
                (option::IF_DESCRIPTION, _) => interface.description = options::text(value),
                (option::IF_TSRESOL, [octet, ..]) => clock = clock.with_resolution(*octet),
                (option::IF_TSOFFSET, _) => {
                    if let Some(seconds) = options::number(value, is_swapped) {
                        clock = clock.with_offset(seconds.cast_signed());
                    }
                }
                _ => {}
            }
        }
        if self.section.len() >= MOST_INTERFACES {
            return false;
        }
        let Some(number) = self.number(interface) else { return false };
        let (last_time, counted_to) = (Timestamp(i64::MIN), Timestamp(i64::MIN));
        self.section.push(Described { number, link, clock, snap_length, last_time, counted_to });
        true
    }

    /// The number of an interface: that of an earlier section's equal one, or a new one while there are any.
    ///
    /// Two interfaces of one section are never the same, whatever their names: the second of a name is the second
    /// of that name in the sections before.
    fn number(&mut self, interface: Interface) -> Option<u16> {
        let known = self.by_name.entry((interface.name.clone(), interface.link)).or_default();
        if known.section != self.sections {
            (known.section, known.used) = (self.sections, 0);
        }
        let number = if let Some(number) = known.numbers.get(known.used) {
            *number
        } else {
            let number = u16::try_from(self.all.len()).ok().filter(|_| self.all.len() < MOST_INTERFACES)?;
            known.numbers.push(number);
            self.all.push(interface);
            self.drops.push(Drops::default());
            number
        };
        known.used += 1;
        Some(number)
    }

    /// Takes up the options of an interface statistics block. The counts in it are since the capture began, so
    /// the last block counts; by how much one is above the one before was dropped between the two.
    pub(super) fn statistics(
        &mut self,
        number: u32,
        ticks: (u32, u32),
        block_options: &[u8],
        is_swapped: bool,
    ) {
        let mut sum = None::<u64>;
        for (code, value) in Options::new(block_options, is_swapped) {
            if matches!(code, option::ISB_IFDROP | option::ISB_OSDROP)
                && let Some(drops) = options::number(value, is_swapped)
            {
                sum = Some(sum.unwrap_or(0).saturating_add(drops));
            }
        }
        let Some(Described { clock, last_time, counted_to: from, .. }) = self.get(number).copied() else {
            return;
        };
        if sum.is_some() {
            let frames = self.update_drops(number, |drops| drops.statistics = sum);
            // Some writers leave the time out. The block may also have been written before frames that had come.
            let told = (ticks != (0, 0)).then(|| clock.time(ticks.0, ticks.1));
            let to = told.map_or(last_time, |told| told.max(last_time));
            self.note_gap(number, from, to, frames);
            if let Some(described) = self.get_mut(number) {
                described.counted_to = told.map_or(last_time, |told| told.min(last_time));
            }
        }
    }

    /// Counts frames that were dropped between a packet of this time and the one before it.
    pub(super) fn dropped_before_packet(&mut self, number: u32, at: Timestamp, count: u64) {
        let Some(before) = self.get(number).map(|described| described.last_time) else { return };
        self.update_drops(number, |drops| {
            drops.beside_packets = Some(drops.beside_packets.unwrap_or(0).saturating_add(count));
        });
        self.note_gap(number, before, at, count);
    }

    fn note_gap(&mut self, number: u32, from: Timestamp, to: Timestamp, frames: u64) {
        if let Some(interface) = self.get(number).map(|described| described.number) {
            self.gaps.add(DropGap { interface, from, to, frames });
        }
    }

    /// Changes the counts of an interface, and gives by how much they rose in all.
    fn update_drops(&mut self, number: u32, update: impl FnOnce(&mut Drops)) -> u64 {
        let Some(number) = self.get(number).map(|described| usize::from(described.number)) else { return 0 };
        let (Some(drops), Some(interface)) = (self.drops.get_mut(number), self.all.get_mut(number)) else {
            return 0;
        };
        let before = drops.in_section().unwrap_or(0);
        update(drops);
        interface.dropped = drops.total();
        drops.in_section().unwrap_or(0).saturating_sub(before)
    }
}
