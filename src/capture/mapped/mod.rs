//! A file's octets in memory without a copy, a stretch at a time.
//!
//! The kernel copies what `read()` gives: half of the time that a replay takes of a capture that is in the page cache
//! anyway. Mapped in stretches of 2 MiB, which are asked for beforehand and given back one after the other, the same octets
//! cost a third of that, and of a capture that comes from disk no more than reading does. Whatever else a file may be (a
//! pipe, short, growing, cut while it is looked at, on a disk that fails) is for reading, which tells what is the matter. Of a
//! file that is cut, the few frames that were found and not yet looked at may be zeros by then.

mod guard;
mod memory;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Seek, SeekFrom};

use self::guard::MOST_OCTETS;
use self::memory::{Stretch, page_octets};

/// Files of fewer octets are read: there is nothing to gain.
const SMALLEST: u64 = 1 << 20;
/// Octets mapped at a time, about: enough that what each takes in the kernel does not count, and little memory.
const STRETCH: u64 = 2 << 20;
/// The same where several files are read at a time: whoever gives memory back interrupts all processors that read.
const STRETCH_OF_SEVERAL: u64 = 8 << 20;
/// What all of them have together, as long as there is this much for each.
const ALL_OF_SEVERAL: u64 = 4 * STRETCH_OF_SEVERAL;
const LEAST_OF_SEVERAL: u64 = 1 << 20;

/// A file, of which one stretch is in memory.
pub(super) struct Mapped {
    file: File,
    /// Octets of the file when it was opened.
    length: u64,
    stretch: Stretch,
    /// Where in the file the stretch begins.
    offset: u64,
}

/// How much of a file is mapped at a time where so many are.
fn stretch(files: usize) -> u64 {
    if files < 2 {
        return STRETCH;
    }
    let share = (ALL_OF_SEVERAL / files as u64).clamp(LEAST_OF_SEVERAL, STRETCH_OF_SEVERAL);
    // Large pages begin at powers of two.
    1 << share.ilog2()
}

impl Mapped {
    /// The start of a file of so many octets; the file itself where it is better read.
    pub(super) fn open(file: File, length: u64) -> Result<Self, File> {
        if length < SMALLEST {
            return Err(file);
        }
        let Some(stretch) = Stretch::new() else { return Err(file) };
        let mut mapped = Self { file, length, stretch, offset: 0 };
        if mapped.go_to(0, 1) { Ok(mapped) } else { Err(mapped.file) }
    }

    /// Has the octets from a position on in memory, so many at least; false where there are not as many or they cannot be
    /// mapped: then the file is to be read.
    pub(super) fn go_to(&mut self, position: u64, wanted: usize) -> bool {
        let Some(behind) = position.checked_add(wanted as u64).filter(|behind| *behind <= self.length) else {
            return false;
        };
        let stretch = stretch(guard::count());
        let end = (behind + stretch / 2).next_multiple_of(stretch).min(self.length);
        let offset = position - position % page_octets() as u64;
        let Ok(octets) = usize::try_from(end - offset) else { return false };
        if octets > MOST_OCTETS {
            return false;
        }
        self.offset = offset;
        self.stretch.map(&self.file, offset, octets).is_ok()
    }

    /// What is in memory.
    #[inline]
    pub(super) fn octets(&self) -> &[u8] {
        self.stretch.octets()
    }

    /// Where in the file that begins.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether something was looked at that the file no longer has. Costs nothing; behind the new end, up to the end of its
    /// page, there are zeros that it does not tell: see [`is_shorter`](Self::is_shorter).
    #[inline]
    pub(super) fn was_cut(&self) -> bool {
        self.stretch.was_cut()
    }

    /// Whether the file no longer has all that is in memory. Asks the kernel.
    pub(super) fn is_shorter(&self) -> bool {
        let end = self.offset + self.octets().len() as u64;
        self.was_cut() || self.file.metadata().map_or(true, |about| about.len() < end)
    }

    /// Whether the file ends here by now.
    pub(super) fn ends_at(&self, position: u64) -> bool {
        self.file.metadata().is_ok_and(|about| about.len() == position)
    }

    /// The file, to be read from a position on.
    ///
    /// # Errors
    ///
    /// The file ends before that by now.
    pub(super) fn into_file(mut self, position: u64) -> io::Result<File> {
        let length = self.file.metadata()?.len();
        if length < position {
            let what = format!("the file was cut to {length} octets while it was read");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
        }
        self.file.seek(SeekFrom::Start(position))?;
        Ok(self.file)
    }
}
