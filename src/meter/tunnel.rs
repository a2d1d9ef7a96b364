//! Sequence gaps of mirror tunnels: what a mirror sent and nobody heard.
//!
//! ERSPAN II and III number every frame that a session mirrors (RFC 2890, section 2.2). A number that never comes
//! was lost between switch and collector, not on the way that is watched. A number that comes late or twice is not
//! lost, and a switch that counts anew has lost nothing that can be counted.

mod holes;
mod track;

use std::hash::BuildHasher;
use std::net::IpAddr;

use hashbrown::HashTable;
use smallvec::SmallVec;

pub use holes::TunnelGap;
use holes::{Holes, Tally};
use track::{Place, Track};

use crate::decode::MirroredFrame;
use crate::terms::Timestamp;

/// Tunnels that are followed at a time, for each observer; frames of others are counted.
const MAX_TUNNELS: usize = 512;
/// Counters of one session that run side by side: line cards of one switch, or one before and after its restart.
const MAX_TRACKS: usize = 8;

/// What was heard of one session of one switch, and what was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelRecord {
    /// What the caller told apart by.
    pub group: u16,
    /// The switch.
    pub source: IpAddr,
    /// The collector.
    pub destination: IpAddr,
    /// ERSPAN session.
    pub session: u16,
    /// Frames heard and frames missing, by number of the file.
    pub files: Vec<(u16, TunnelCount)>,
    /// When frames were missing, in order of time; neighbours are put together where there are very many.
    pub gaps: Vec<TunnelGap>,
}

/// Frames of a mirror session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TunnelCount {
    /// Distinct sequence numbers heard.
    pub frames: u64,
    /// Sequence numbers between them that never came.
    pub lost: u64,
}

/// How far apart, at most, two numbers are that prove a track.
const FARTHEST_PROOF: u32 = 16;
/// Numbers without a track that are remembered.
const MAX_STRAYS: usize = 4;

/// Which session of which switch, to which collector, within which group.
type Key = (u16, IpAddr, IpAddr, u16);

/// Follows the sequence numbers of all mirror tunnels of one observer.
#[derive(Clone)]
pub struct Tunnels {
    followed: Vec<Tunnel>,
    index: HashTable<u16>,
    hasher: foldhash::fast::FixedState,
    last: usize,
    unfollowed: u64,
}

#[derive(Clone)]
struct Tunnel {
    key: Key,
    tracks: SmallVec<[Track; 1]>,
    /// The track that took the last frame.
    last: usize,
    /// The last numbers that fit no track: a next one may prove that counting goes on from there.
    strays: SmallVec<[Stray; MAX_STRAYS]>,
    holes: Holes,
    tally: Tally,
}

#[derive(Clone, Copy)]
struct Stray {
    hardware: u16,
    sequence: u32,
    at: Timestamp,
    file: u16,
}

impl Tunnels {
    /// None yet. The seed keeps an attacker from choosing tunnels that collide.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            followed: Vec::new(),
            index: HashTable::new(),
            hasher: foldhash::fast::FixedState::with_seed(seed),
            last: 0,
            unfollowed: 0,
        }
    }

    /// Takes in the number of one frame. `group` tells tunnels apart that must not be mixed; `file` is the file that
    /// held the frame. Per frame of a tunnel that numbers them.
    pub fn note(&mut self, (group, file): (u16, u16), frame: &MirroredFrame, at: Timestamp) {
        let key = (group, frame.source, frame.destination, frame.session);
        if self.followed.get(self.last).is_none_or(|t| t.key != key) {
            let Some(found) = self.find_or_add(key) else {
                self.unfollowed += 1;
                return;
            };
            self.last = found;
        }
        if let Some(tunnel) = self.followed.get_mut(self.last) {
            tunnel.note(Stray { hardware: frame.hardware, sequence: frame.sequence, at, file });
        }
    }

    fn find_or_add(&mut self, key: Key) -> Option<usize> {
        let hash = self.hasher.hash_one(key);
        let tunnels = &self.followed;
        let is_it = |&i: &u16| tunnels.get(usize::from(i)).is_some_and(|t| t.key == key);
        if let Some(&found) = self.index.find(hash, is_it) {
            return Some(usize::from(found));
        }
        let number = self.followed.len();
        if number >= MAX_TUNNELS {
            return None;
        }
        self.followed.push(Tunnel::new(key));
        let (tunnels, hasher) = (&self.followed, &self.hasher);
        let hash_of = |&i: &u16| tunnels.get(usize::from(i)).map_or(0, |t| hasher.hash_one(t.key));
        self.index.insert_unique(hash, u16::try_from(number).ok()?, hash_of);
        Some(number)
    }

    /// Frames of tunnels that were too many to be followed.
    #[must_use]
    pub const fn unfollowed(&self) -> u64 {
        self.unfollowed
    }

    /// What became of all tunnels, in the order in which they were first heard.
    #[must_use]
    pub fn finish(self) -> Vec<TunnelRecord> {
        self.followed.into_iter().map(Tunnel::finish).collect()
    }
}

impl Tunnel {
    fn new(key: Key) -> Self {
        let (holes, tally) = (Holes::default(), Tally::default());
        Self { key, tracks: SmallVec::new(), last: 0, strays: SmallVec::new(), holes, tally }
    }

    fn note(&mut self, frame: Stray) {
        let Stray { hardware, sequence, at, file } = frame;
        // The last track first: where a switch counted anew, both may fit.
        if let Some(track) = self.tracks.get_mut(self.last).filter(|t| t.hardware == hardware)
            && track.place(sequence) == Place::Ahead(0)
        {
            track.advance(sequence, at);
            self.tally.heard(file);
            return;
        }
        let nearest = self.tracks.iter().enumerate().filter(|(_, track)| track.hardware == hardware);
        let nearest = nearest.filter_map(|(i, track)| Some((track.place(sequence).distance()?, i))).min();
        let Some((_, i)) = nearest else {
            self.begin_or_wait(frame);
            return;
        };
        let Some(track) = self.tracks.get_mut(i) else { return };
        match track.place(sequence) {
            Place::Ahead(0) => {
                track.advance(sequence, at);
                self.tally.heard(file);
            }
            Place::Ahead(missing) => {
                // A capture's clock may step back.
                let span = (track.last.min(at), track.last.max(at));
                self.holes.open((hardware, track.next, missing), span, file);
                track.advance(sequence, at);
                self.tally.heard(file);
            }
            Place::Behind(_) if self.holes.fill(hardware, sequence) => self.tally.heard(file),
            Place::Behind(behind) => {
                let begun = track.note_again(sequence, behind, (at, file));
                if let Some(begun) = begun {
                    self.begin(begun);
                }
                return;
            }
            Place::Elsewhere => return,
        }
        self.last = i;
    }

    /// A number that belongs to no track: the first one, or the second in a row, makes a track.
    fn begin_or_wait(&mut self, frame: Stray) {
        let is_first = !self.tracks.iter().any(|track| track.hardware == frame.hardware);
        if is_first {
            self.begin(Track::new(frame.hardware, frame.sequence, frame.at, frame.file));
            return;
        }
        let proves = |stray: &Stray| {
            let behind = frame.sequence.wrapping_sub(stray.sequence);
            stray.hardware == frame.hardware && (1..=FARTHEST_PROOF).contains(&behind)
        };
        let proven = self.strays.iter().position(proves).map(|i| self.strays.remove(i));
        if let Some(stray) = proven {
            self.begin(Track::new(stray.hardware, stray.sequence, stray.at, stray.file));
            self.note(frame);
            return;
        }
        if self.strays.len() >= MAX_STRAYS {
            self.strays.remove(0);
        }
        self.strays.push(frame);
    }

    fn begin(&mut self, track: Track) {
        if self.tracks.len() >= MAX_TRACKS
            && let Some((_, oldest)) = self.tracks.iter().enumerate().map(|(i, t)| (t.last, i)).min()
        {
            let ended = self.tracks.swap_remove(oldest);
            let others = self.tracks.iter().chain([&track]);
            end_of(&ended, others, &mut self.holes, &mut self.tally);
        }
        self.last = self.tracks.len();
        self.tally.heard(track.file);
        self.tracks.push(track);
    }

    fn finish(mut self) -> TunnelRecord {
        for track in &self.tracks {
            end_of(track, self.tracks.iter(), &mut self.holes, &mut self.tally);
        }
        let (group, source, destination, session) = self.key;
        let gaps = self.holes.finish(&mut self.tally);
        TunnelRecord { group, source, destination, session, files: self.tally.into_files(), gaps }
    }
}

/// Where one track ends before another begins, the mirror was silent in between: it was cut off, or started anew.
fn end_of<'a>(ended: &Track, others: impl Iterator<Item = &'a Track>, holes: &mut Holes, tally: &mut Tally) {
    let follows =
        |t: &&Track| t.hardware == ended.hardware && t.first >= ended.last && t.begin != ended.begin;
    if let Some(next) = others.filter(follows).min_by_key(|t| t.first) {
        let missing = next.begin.wrapping_sub(ended.next);
        let frames = ended.bears(missing, next.first).then_some(u64::from(missing));
        tally.lost(next.file, frames.unwrap_or(0));
        holes.add(TunnelGap { from: ended.last, to: next.first, frames });
    }
}

#[cfg(test)]
mod tests;
