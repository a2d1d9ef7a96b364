//! A stretch of the capture in memory, moved along as records are taken.
//!
//! `read()` of 256 KiB into one buffer that is used again and again: it stays in the second-level cache, works
//! for pipes as for files, and is faster than mapping the file. Frames are lent from the buffer and copied
//! nowhere; only the piece of a record that lies across the end moves to the front when more is read.

use std::io::{self, Read};

use super::error::Refusal;
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
    /// `start..end` is not yet taken; what lies outside has no meaning.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Octets of the capture that the source has given.
    given: u64,
    source: Source,
    /// Set once the source gave its last octet.
    has_ended: bool,
    /// Why the source ended early.
    failure: Option<io::Error>,
}

impl Window {
    pub(super) fn new(source: Source) -> Self {
        Self {
            buffer: vec![0; FRONT + STRETCH + CACHE_LINE],
            start: 0,
            end: 0,
            given: 0,
            source,
            has_ended: false,
            failure: None,
        }
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
        Ok(self.buffer.get(self.start..self.start + wanted).unwrap_or_default())
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
        match self.buffer.get(self.start..).and_then(|ahead| ahead.first_chunk()) {
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
        self.buffer.get(frame..frame + record.captured).unwrap_or_default()
    }

    /// What is in memory and not yet taken.
    #[inline]
    pub(super) fn in_memory(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
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
        self.buffer.get(self.start..self.end).unwrap_or_default()
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
        self.source.stored_octets_read()
    }

    pub(super) const fn packing(&self) -> Packing {
        self.source.packing()
    }

    /// Why the source ended early, if it did.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Gives nothing any more.
    pub(super) fn close(&mut self) {
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

    /// Reads until `wanted` octets are in memory; false where the source ends before.
    fn read_more(&mut self, wanted: usize) -> bool {
        if self.len() >= wanted {
            return true;
        }
        self.make_room(wanted);
        while self.len() < wanted && !self.has_ended {
            // Never more at a time, even where one long record has made the buffer longer: it would no longer fit
            // into the cache.
            let until = self.buffer.len().min(self.end + STRETCH);
            let room = self.buffer.get_mut(self.end..until).unwrap_or_default();
            match self.source.read(room) {
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

    /// Moves what is left over to where the octets to be read join it.
    fn make_room(&mut self, wanted: usize) {
        let left = self.len();
        let join = FRONT + self.buffer.as_ptr().wrapping_add(FRONT).align_offset(CACHE_LINE);
        // A long record has no place in front: then it begins at the start, wherever its end comes to lie.
        let start = join.saturating_sub(left);
        if start + wanted > self.buffer.len() {
            self.buffer.resize((start + wanted).next_multiple_of(STRETCH), 0);
        }
        self.buffer.copy_within(self.start..self.end, start);
        (self.start, self.end) = (start, start + left);
    }
}
