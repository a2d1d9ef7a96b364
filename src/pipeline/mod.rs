//! The threads: an observer for each point, one judge, start and stop.
//!
//! Packets never cross threads; records do, over one bounded channel. However many threads run, records are put
//! into one order before anything is decided, so the outcome is the same.

mod gather;
mod interfaces;
pub mod live;
mod meters;
mod observer;
mod points;
mod scan;
mod session;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crossbeam_channel::{Receiver, bounded};

use gather::{Done, gather};
use points::Points;
pub use scan::{Heard, scan};

use crate::capture::{CaptureFile, OpenError};
use crate::meter::{Packed, Records};
use crate::policy::Policy;
use crate::terms::PointId;
use crate::verify::{Outcome, judge};

/// What a replay is to read, and how.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Files by observation point, in the order in which they were named.
    pub points: Vec<PointFiles>,
    /// What is an observation point, besides the sessions that the policy names.
    pub points_by: PointsBy,
    /// How many points are read at a time.
    pub threads: usize,
}

/// What makes an observation point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PointsBy {
    /// The files of one name.
    #[default]
    Name,
    /// Each interface of a capture.
    Interface,
    /// Each session of a mirror: ERSPAN session, VXLAN or GENEVE network, outermost VLAN tag.
    Session,
}

/// The files of one observation point.
#[derive(Debug, Clone)]
pub struct PointFiles {
    /// The point's name; empty for the point of files that were given none.
    pub name: String,
    /// Its files, merged by time. `-` is standard input.
    pub files: Vec<PathBuf>,
}

/// The name of the point of files that were given none.
pub const UNNAMED_POINT: &str = "capture";

/// How far a replay is, in octets of the files as they are on disk.
#[derive(Debug, Default)]
pub struct Progress {
    /// Octets read so far.
    pub read: AtomicU64,
    /// Octets in all; 0 while not known.
    pub total: AtomicU64,
}

/// What an observer sends to the judge.
enum Message {
    /// Records of streams that have ended, with the observer's place in the list of points.
    Streams(usize, Packed),
    /// The last message of an observer.
    Done(Box<Done>),
}

/// Points of one observer are numbered by it alone; the judge numbers them all.
fn local_point(observer: usize, point: usize) -> PointId {
    // At most 64 observers of 64 points each.
    PointId(u16::try_from(observer * MAX_LOCAL_POINTS + point).unwrap_or(u16::MAX))
}

/// Observation points that one observer may tell apart.
const MAX_LOCAL_POINTS: usize = 64;
/// Observation points of one run.
pub const MAX_POINTS: usize = 64;
/// Octets of packed records in one message, about.
const BATCH: usize = 1 << 15;

/// Reads all captures and judges what they hold.
///
/// # Errors
///
/// A file that cannot be opened, or is of a kind that is not read. Damage further on is no error: the outcome
/// says where a capture broke.
///
/// # Panics
///
/// When the system has no thread left, as [`std::thread::spawn`] does.
#[allow(clippy::expect_used, reason = "without a thread nothing can be done")]
pub fn replay(replay: &Replay, policy: &Arc<Policy>, progress: &Progress) -> Result<Outcome, OpenError> {
    let mut opened = Vec::with_capacity(replay.points.len());
    for point in &replay.points {
        let open = |path: &PathBuf| CaptureFile::open(path).map(|file| (path.display().to_string(), file));
        let files: Result<Vec<_>, _> = point.files.iter().map(open).collect();
        opened.push((point.name.as_str(), files?));
    }
    let total: Option<u64> =
        opened.iter().flat_map(|(_, files)| files).map(|(_, file)| file.total_octets()).sum();
    progress.total.store(total.unwrap_or(0), std::sync::atomic::Ordering::Relaxed);

    let seed = random_seed();
    let (jobs, work) = bounded(opened.len().max(1));
    let observers = opened.len();
    for (number, (name, files)) in opened.into_iter().enumerate() {
        let _ = jobs.send(observer::Observer {
            number,
            points: Points::new(name.to_owned(), replay.points_by, policy, MAX_POINTS / observers),
            files,
            has_other_observers: observers > 1,
            seed,
        });
    }
    drop(jobs);
    let (records, inbox) = bounded(16);
    let outcome = std::thread::scope(|scope| {
        for _ in 0..replay.threads.clamp(1, observers.max(1)) {
            let (work, records) = (work.clone(), records.clone());
            let observe = move || {
                for observer in work {
                    observer.run(policy, progress, &records);
                }
            };
            named("observer").spawn_scoped(scope, observe).expect("a thread can be started");
        }
        drop(records);
        let judge = named("judge").spawn_scoped(scope, || collect(&inbox, policy));
        judge.expect("a thread can be started").join()
    });
    Ok(outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

/// Threads have names, so that tools for processes tell what each one costs.
fn named(name: &str) -> std::thread::Builder {
    std::thread::Builder::new().name(name.to_owned())
}

/// Gathers what the observers send, and judges it.
fn collect(inbox: &Receiver<Message>, policy: &Arc<Policy>) -> Outcome {
    let mut records = Records::default();
    let mut done = Vec::new();
    for message in inbox {
        match message {
            Message::Streams(observer, packed) => records.add(observer, &packed),
            Message::Done(one) => done.push(*one),
        }
    }
    done.sort_by_key(|d| d.observer);
    judge(gather(done, records, &[]), policy)
}

/// A seed that nobody outside can know, from the standard library's source of randomness.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0_u8)
}
