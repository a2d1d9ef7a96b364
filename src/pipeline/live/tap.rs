//! Where the frames of a live point come from.

use std::time::Duration;

use crate::capture::CaptureFile;
use crate::pipeline::interfaces::Interfaces;
use crate::terms::Frame;

/// A source of frames that is open.
pub enum Tap {
    /// A capture that is written while it is read, on packet time.
    File(Box<CaptureFile>),
}

/// Why a tap gives nothing any more.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct TapError(pub String);

/// How reading went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Frames came.
    Busy,
    /// Nothing came in time.
    Idle,
    /// Nothing will come any more.
    End,
}

/// What a tap counted since it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TapCounters {
    pub(super) packets: u64,
    pub(super) octets: u64,
    /// Lost on the way to the program, by where.
    pub(super) dropped: Vec<(&'static str, u64)>,
    pub(super) freezes: Option<u64>,
    /// Kept away by the kernel's filter, by reason.
    pub(super) filtered: Vec<(&'static str, u64)>,
    pub(super) snapped: u64,
    pub(super) time_source: Option<&'static str>,
}

/// Frames of a file between two looks at whether to stop.
const TURN: usize = 4096;

impl Tap {
    /// Waits for frames, for at most so long, and hands over those that are there.
    pub(super) fn read(
        &mut self,
        _timeout: Duration,
        (interfaces, numbers): (&mut Interfaces, &mut Vec<u16>),
        mut take: impl FnMut(&Frame<'_>, &Interfaces),
    ) -> Result<Progress, TapError> {
        match self {
            Self::File(file) => {
                let may_add_interfaces = file.summary().format.starts_with("pcapng");
                for _ in 0..TURN {
                    if numbers.is_empty() || may_add_interfaces && file.peek_timestamp().is_some() {
                        interfaces.learn(file, numbers);
                    }
                    let Some(frame) = file.next_frame() else { return Ok(Progress::End) };
                    let number = numbers.get(usize::from(frame.interface)).copied();
                    take(&Frame { interface: number.unwrap_or(frame.interface), ..frame }, interfaces);
                }
                Ok(Progress::Busy)
            }
        }
    }

    /// What was counted since it was opened.
    pub(super) fn counters(&mut self) -> TapCounters {
        match self {
            Self::File(file) => {
                let summary = file.summary();
                let dropped = summary.dropped.map(|dropped| ("capture", dropped));
                TapCounters {
                    packets: summary.frames,
                    octets: summary.bytes,
                    dropped: dropped.into_iter().collect(),
                    time_source: Some("file"),
                    ..TapCounters::default()
                }
            }
        }
    }

    /// What kind of tap it is, in a word.
    pub(super) fn format(&self) -> String {
        match self {
            Self::File(file) => file.summary().format.to_owned(),
        }
    }

    /// Where a capture broke, in words.
    pub(super) fn damage(&self) -> Option<String> {
        match self {
            Self::File(file) => file.summary().damage.map(|damage| damage.to_string()),
        }
    }
}
