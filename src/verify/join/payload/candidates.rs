//! Pairs of streams that have payloads in common, by an index.

use super::Streams;

/// Streams with one payload of which each pair is looked at; of more, each with the first one: that is no longer one
/// stream through relays, and is only told.
const ALL_PAIRS: usize = 4;
/// A payload that more streams carry is in everybody's music, and says nothing.
const MOST_OF_ONE_PAYLOAD: usize = 64;
/// Payloads that a pair must have in common to be looked at.
const FEWEST: usize = 2;

/// What may belong together.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// Pairs of streams, the lower number first.
    pub(super) pairs: Vec<(usize, usize)>,
    /// Some of those that have payloads in common with too many others.
    pub(super) crowd: Vec<usize>,
}

/// Finds pairs by an index over the payloads. It grows with the marks and no faster, whatever they are: of a payload
/// that n streams carry there come no more than 1.5 n pairs.
pub(super) fn candidates(streams: &Streams<'_>) -> Candidates {
    // Views of one stream have the same marks, but for what was lost between them.
    let views = streams.iter().filter_map(|(&stream, views)| Some((stream, views.first()?)));
    let mut index: Vec<(u64, usize)> = views
        .flat_map(|(stream, view)| view.marks.iter().filter(|m| !m.repeats).map(move |m| (m.hash, stream)))
        .collect();
    index.sort_unstable();
    index.dedup();
    let mut found: Vec<(usize, usize)> = Vec::new();
    let mut crowd: Option<&[(u64, usize)]> = None;
    for same in index.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
        let Some((first, others)) = same.split_first() else { continue };
        if same.len() > MOST_OF_ONE_PAYLOAD {
            crowd.get_or_insert(same);
        } else if same.len() > ALL_PAIRS {
            found.extend(others.iter().map(|other| (first.1, other.1)));
        } else {
            let later = |i: usize| same.iter().skip(i + 1);
            found.extend(same.iter().enumerate().flat_map(|(i, a)| later(i).map(|b| (a.1, b.1))));
        }
    }
    found.sort_unstable();
    let pairs = found.chunk_by(|a, b| a == b).filter(|same| same.len() >= FEWEST);
    Candidates {
        pairs: pairs.filter_map(|same| same.first().copied()).collect(),
        crowd: crowd.unwrap_or_default().iter().map(|entry| entry.1).collect(),
    }
}
