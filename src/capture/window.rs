//! A stretch of the capture in memory, moved along as records are taken.
//!
//! A long file is mapped, a stretch after the other ([`Mapped`]). Everything else comes by `read()` of 256 KiB into one
//! buffer that is used again and again and stays in the second-level cache. Frames are lent from there and copied nowhere;
//! only the piece of a record that lies across the end of the buffer moves to the front when more is read.

use std::io::{self, Read};
use std::mem;

use super::error::Refusal;
use super::mapped::Mapped;
use super::record::{Flaw, Record, Stop};
use super::source::{Packing, Source};

/// Octets read at a time.
const STRETCH: usize = 256 << 10;
/// Room before the place where octets are read to, for the piece of a record that is left over.
const FRONT: usize = 64 << 10;
/// Reading to an address that is no multiple of this costs a fifth more.
const CACHE_LINE: usize = 64;

/// The part of the capture that is in memory and not yet taken.
pub(super) struct Window {
    memory: Memory,
    /// `start..end` of the memory is not yet taken; what lies outside has no meaning.
    start: usize,
    end: usize,
    /// Octets of the capture up to the end of the window.
    given: u64,
    /// Set once the source gave its last octet.
    has_ended: bool,
    /// Why the source ended early.
    failure: Option<io::Error>,
}

/// Where the octets are.
enum Memory {
    Read {
        buffer: Vec<u8>,
        source: Box<Source>,
    },
    Mapped(Mapped),
    /// Nothing is read any more, of a file of which so many octets were.
    Closed(u64),
}

impl Memory {
    fn read(source: Source) -> Self {
        Self::Read { buffer: vec![0; FRONT + STRETCH + CACHE_LINE], source: Box::new(source) }
    }

    #[inline]
    fn octets(&self) -> &[u8] {
        match self {
            Self::Read { buffer, .. } => buffer,
            Self::Mapped(mapped) => mapped.octets(),
            Self::Closed(_) => &[],
        }
    }
}

impl Window {
    /// Of what is read from a source.
    pub(super) fn new(source: Source) -> Self {
        Self::of(Memory::read(source), 0)
    }

    /// Of a file that is mapped from its start on.
    pub(super) fn mapped(file: Mapped) -> Self {
        let octets = file.octets().len();
        Self::of(Memory::Mapped(file), octets)
    }

    const fn of(memory: Memory, end: usize) -> Self {
        Self { memory, start: 0, end, given: end as u64, has_ended: false, failure: None }
    }

    /// The next octets, exactly as many as wanted, where a record has announced them.
    ///
    /// # Errors
    ///
    /// The capture ends here, or is cut off, or its source fails.
    // per frame
    #[inline]
    pub(super) fn require(&mut self, wanted: usize) -> Result<&[u8], Stop> {
        if self.end - self.start < wanted {
            self.refill(wanted, "announced")?;
        }
        Ok(self.memory.octets().get(self.start..self.start + wanted).unwrap_or_default())
    }

    /// The next `N` octets, as the head of a record.
    ///
    /// # Errors
    ///
    /// The capture ends here, or is cut off, or its source fails.
    // per frame
    #[inline]
    pub(super) fn require_head<const N: usize>(&mut self) -> Result<&[u8; N], Stop> {
        if self.end - self.start < N {
            self.refill(N, "expected of a header")?;
        }
        match self.memory.octets().get(self.start..).and_then(|ahead| ahead.first_chunk()) {
            Some(head) => Ok(head),
            None => Err(Stop::End),
        }
    }

    /// Moves past a record that [`require`](Self::require) has shown to be in memory, and lends its frame.
    // per frame
    #[inline]
    pub(super) fn take(&mut self, record: &Record) -> &[u8] {
        let frame = self.start + record.header;
        self.start += record.whole;
        self.memory.octets().get(frame..frame + record.captured).unwrap_or_default()
    }

    /// What is in memory and not yet taken.
    #[inline]
    pub(super) fn in_memory(&self) -> &[u8] {
        self.memory.octets().get(self.start..self.end).unwrap_or_default()
    }

    /// Moves past octets that are in memory.
    pub(super) fn pass(&mut self, octets: usize) {
        self.start = self.end.min(self.start + octets);
    }

    /// Moves past octets that may not be in memory.
    ///
    /// # Errors
    ///
    /// The capture ends before that.
    pub(super) fn skip(&mut self, octets: u64) -> Result<(), Stop> {
        let begin = self.position();
        let mut left = octets;
        loop {
            let here = usize::try_from(left).map_or(self.len(), |left| left.min(self.len()));
            self.start += here;
            left -= here as u64;
            if left == 0 {
                return Ok(());
            }
            if !self.read_more(1) {
                return Err(self.shortfall(begin, octets, octets - left, "announced"));
            }
        }
    }

    /// What is in memory, after an attempt to have at least `wanted` octets there.
    pub(super) fn ahead(&mut self, wanted: usize) -> &[u8] {
        self.read_more(wanted);
        self.memory.octets().get(self.start..self.end).unwrap_or_default()
    }

    /// The header of the whole file, not yet taken.
    ///
    /// # Errors
    ///
    /// The file is shorter than that, or its source fails.
    pub(super) fn file_header<const N: usize>(&mut self, format: &'static str) -> Result<[u8; N], Refusal> {
        let ahead = self.ahead(N);
        match (ahead.first_chunk().copied(), ahead.len()) {
            (Some(header), _) => Ok(header),
            (None, octets) => match self.failure.take() {
                Some(failure) => Err(Refusal::Read(failure)),
                None => Err(Refusal::TooShort { format, octets, header: N }),
            },
        }
    }

    /// Octets of the capture before the window.
    pub(super) const fn position(&self) -> u64 {
        self.given - self.len() as u64
    }

    /// Octets read of the file as it is stored.
    pub(super) fn stored_octets_read(&self) -> u64 {
        match &self.memory {
            Memory::Read { source, .. } => source.stored_octets_read(),
            Memory::Mapped(_) => self.given,
            Memory::Closed(octets) => *octets,
        }
    }

    pub(super) const fn packing(&self) -> Packing {
        match &self.memory {
            Memory::Read { source, .. } => source.packing(),
            Memory::Mapped(_) | Memory::Closed(_) => Packing::None,
        }
    }

    /// Whether what is in memory is the file itself, and no copy that was just made.
    pub(super) const fn is_mapped(&self) -> bool {
        matches!(&self.memory, Memory::Mapped(_))
    }

    /// Whether something was looked at that the file no longer has, as it was cut meanwhile. Then what was not taken is to be
    /// [read again](Self::read_again).
    #[inline]
    pub(super) fn was_cut(&self) -> bool {
        matches!(&self.memory, Memory::Mapped(mapped) if mapped.was_cut())
    }

    /// Whether what is in memory may be no longer in the file; asks the kernel.
    #[cold]
    pub(super) fn is_doubtful(&self) -> bool {
        matches!(&self.memory, Memory::Mapped(mapped) if mapped.is_shorter())
    }

    /// Reads from here on, whatever was in memory.
    #[cold]
    pub(super) fn read_again(&mut self) {
        let position = self.position();
        let before = mem::replace(&mut self.memory, Memory::Closed(position));
        (self.start, self.end, self.given) = (0, 0, position);
        if let Memory::Mapped(mapped) = before {
            match mapped.into_file(position) {
                Ok(file) => self.memory = Memory::read(Source::rest(Box::new(file), position)),
                Err(failure) => self.failure = Some(failure),
            }
        }
    }

    /// Why the source ended early, if it did.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Gives nothing any more.
    pub(super) fn close(&mut self) {
        if let Memory::Mapped(_) = &self.memory {
            self.memory = Memory::Closed(self.given);
        }
        self.start = self.end;
        self.has_ended = true;
        self.failure = None;
    }

    /// The stop for a record at the start of the window that says something impossible.
    #[cold]
    pub(super) fn flaw(&self, what: impl Into<String>) -> Stop {
        Stop::Flaw(Box::new(Flaw { octet: self.position(), is_cut_off: false, what: what.into() }))
    }

    const fn len(&self) -> usize {
        self.end - self.start
    }

    #[cold]
    #[inline(never)]
    fn refill(&mut self, wanted: usize, why: &str) -> Result<(), Stop> {
        if self.read_more(wanted) {
            return Ok(());
        }
        if self.len() == 0 && self.failure.is_none() {
            return Err(Stop::End);
        }
        Err(self.shortfall(self.position(), wanted as u64, self.len() as u64, why))
    }

    /// The stop for a record of which only a part is there.
    fn shortfall(&self, octet: u64, wanted: u64, left: u64, why: &str) -> Stop {
        let mut what = format!("{wanted} octets {why}, {left} left");
        if let Some(failure) = &self.failure {
            what = format!("{failure}; {what}");
        }
        let is_cut_off =
            self.failure.as_ref().is_none_or(|failure| failure.kind() == io::ErrorKind::UnexpectedEof);
        Stop::Flaw(Box::new(Flaw { octet, is_cut_off, what }))
    }

    /// Has `wanted` octets in memory; false where the source ends before.
    fn read_more(&mut self, wanted: usize) -> bool {
        if self.len() >= wanted {
            return true;
        }
        let position = self.position();
        if let Memory::Mapped(mapped) = &mut self.memory
            && !self.has_ended
        {
            if mapped.go_to(position, wanted) {
                // Less than a page.
                self.start = usize::try_from(position - mapped.offset()).unwrap_or(usize::MAX);
                self.end = mapped.octets().len();
                self.given = mapped.offset() + self.end as u64;
                return true;
            }
            if mapped.ends_at(position) {
                self.has_ended = true;
                return false;
            }
            self.read_again();
        }
        let Memory::Read { buffer, source } = &mut self.memory else { return false };
        make_room(buffer, (&mut self.start, &mut self.end), wanted);
        while self.end - self.start < wanted && !self.has_ended {
            // Never more at a time, even where one long record has made the buffer longer: it would no longer fit
            // into the cache.
            let until = buffer.len().min(self.end + STRETCH);
            let room = buffer.get_mut(self.end..until).unwrap_or_default();
            match source.read(room) {
                Ok(0) => self.has_ended = true,
                Ok(octets) => {
                    // A source cannot have filled more than the room it had; one that says so is not believed.
                    let octets = octets.min(until - self.end);
                    self.end += octets;
                    self.given += octets as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.has_ended = true;
                    self.failure = Some(error);
                }
            }
        }
        self.len() >= wanted
    }
}

/// Moves what is left over to where the octets to be read join it.
fn make_room(buffer: &mut Vec<u8>, (start, end): (&mut usize, &mut usize), wanted: usize) {
    let left = *end - *start;
    let join = FRONT + buffer.as_ptr().wrapping_add(FRONT).align_offset(CACHE_LINE);
    // A long record has no place in front: then it begins at the start, wherever its end comes to lie.
    let to = join.saturating_sub(left);
    if to + wanted > buffer.len() {
        buffer.resize((to + wanted).next_multiple_of(STRETCH), 0);
    }
    buffer.copy_within(*start..*end, to);
    (*start, *end) = (to, to + left);
}
