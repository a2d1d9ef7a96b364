//! Writes evidence files and keeps them within their bounds.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::folder::{file_name, leftovers, stored, too_many};
use super::new_file::NewFile;
use super::sheet::{EvidenceRequest, PointFrames, Sheet};

/// Where evidence files go, and how many there may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceSettings {
    /// The folder; it has to exist.
    pub folder: PathBuf,
    /// Octets of all evidence files together.
    pub max_octets: u64,
    /// How many evidence files there are at most; one at least.
    pub max_files: usize,
}

/// What was written, removed and not written since the program began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EvidenceCounters {
    /// Files written.
    pub written: u64,
    /// Their octets.
    pub octets: u64,
    /// Files that could not be written.
    pub failed: u64,
    /// Files removed to make room.
    pub removed: u64,
}

/// One file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where it is.
    pub path: PathBuf,
    /// Frames in it.
    pub packets: u64,
    /// Octets of the file.
    pub octets: u64,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The stream's packets are no longer there.
    #[error(
        "evidence for stream {stream}: none of its packets is among the headers that are kept; \
         keep more seconds, or give more memory"
    )]
    NothingKept {
        /// The stream's name.
        stream: String,
    },
    /// It alone would be too much.
    #[error("{path}: {octets} octets, where all evidence may have {max_octets}; raise that bound")]
    TooLarge {
        /// The file that it would have been.
        path: PathBuf,
        /// Its octets.
        octets: u64,
        /// The bound.
        max_octets: u64,
    },
    /// The disk, or what the user may have of it, is full.
    #[error("{path}: no room on the disk ({source}); make room, or lower the bound of evidence")]
    DiskFull {
        /// The file that it would have been.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be written for another reason.
    #[error(
        "{path}: cannot be written ({source}); the folder has to exist and to belong to the user of this process"
    )]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Keeps packets of streams on disk, within bounds. Nothing that goes wrong here stops anything: it is counted, and told
/// to the caller.
#[derive(Debug)]
pub struct Evidence {
    settings: EvidenceSettings,
    counters: EvidenceCounters,
}

/// What an evidence file may be to others: read by the group.
const MODE: u32 = 0o640;

impl Evidence {
    /// Writes nothing yet.
    #[must_use]
    pub fn new(settings: EvidenceSettings) -> Self {
        Self { settings, counters: EvidenceCounters::default() }
    }

    /// Removes incomplete files that a run left which was killed, and gives how many these were. To be called once, when
    /// the program starts; what it says tells whether the folder can be used.
    ///
    /// # Errors
    ///
    /// The folder does not exist, or may not be read or written.
    pub fn tidy(&mut self) -> Result<usize, EvidenceError> {
        let told = |source| EvidenceError::Write { path: self.settings.folder.clone(), source };
        let all = leftovers(&self.settings.folder).map_err(told)?;
        for path in &all {
            fs::remove_file(path).map_err(|source| EvidenceError::Write { path: path.clone(), source })?;
        }
        Ok(all.len())
    }

    /// Writes what the points have of the stream, after the oldest files have made room.
    ///
    /// # Errors
    ///
    /// There is nothing to write, or it cannot be written: that is counted, and nothing incomplete is left behind.
    pub fn write(
        &mut self,
        request: &EvidenceRequest,
        points: &[PointFrames<'_>],
    ) -> Result<Written, EvidenceError> {
        let result = self.try_to_write(request, points);
        match &result {
            Ok(written) => {
                self.counters.written += 1;
                self.counters.octets += written.octets;
            }
            Err(_) => self.counters.failed += 1,
        }
        result
    }

    fn try_to_write(
        &mut self,
        request: &EvidenceRequest,
        points: &[PointFrames<'_>],
    ) -> Result<Written, EvidenceError> {
        let sheet = Sheet::of(request, points);
        let Some(last) = sheet.last() else {
            return Err(EvidenceError::NothingKept { stream: request.stream.clone() });
        };
        let path = self.settings.folder.join(file_name(last, request.kind, &request.stream));
        let told = |source: io::Error| {
            let path = path.clone();
            match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    EvidenceError::DiskFull { path, source }
                }
                _ => EvidenceError::Write { path, source },
            }
        };
        let octets = sheet.write(io::sink()).map_err(told)?;
        if octets > self.settings.max_octets {
            let max_octets = self.settings.max_octets;
            return Err(EvidenceError::TooLarge { path, octets, max_octets });
        }
        self.make_room(octets).map_err(told)?;
        let mut file = NewFile::create(&path, Some(MODE)).map_err(told)?;
        sheet.write(&mut file).map_err(told)?;
        file.put_in_place().map_err(told)?;
        Ok(Written { path, packets: sheet.frames() as u64, octets })
    }

    fn make_room(&mut self, octets: u64) -> io::Result<()> {
        let EvidenceSettings { folder, max_octets, max_files } = &self.settings;
        let all = stored(folder)?;
        let count = too_many(&all, octets, *max_octets, (*max_files).max(1));
        for file in all.iter().take(count) {
            fs::remove_file(folder.join(&file.name))?;
            self.counters.removed += 1;
        }
        Ok(())
    }

    /// What became of everything so far.
    #[must_use]
    pub const fn counters(&self) -> EvidenceCounters {
        self.counters
    }
}
