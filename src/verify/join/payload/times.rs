//! Whether the same packets were heard at the same time.

use std::collections::BTreeMap;

use super::evidence::Meeting;
use super::way::Way;
use super::{Streams, pairs};
use crate::terms::PointId;

/// What a relay takes at most to send a packet on: with a buffer against jitter, and then some.
const LONGEST_NS: i64 = 1_000_000_000;
/// The same where nothing but the payload says that there is a relay, and one clock has timed both.
const LONGEST_OF_UNKNOWN_NS: i64 = 250_000_000;
/// Streams by which the clocks of two points are compared.
const WITNESSES: usize = 8;

/// How far the clocks of points are apart, by packets that passed both.
#[derive(Debug, Default)]
pub(super) struct Times<'m> {
    /// By RTP's identity, the lower point first.
    told: BTreeMap<(PointId, PointId), Vec<i64>>,
    /// By payload alone.
    met: BTreeMap<(PointId, PointId), Vec<&'m Meeting>>,
}

impl<'m> Times<'m> {
    pub(super) fn of(streams: &Streams<'_>, meetings: &'m [Meeting]) -> Self {
        let mut times = Self::default();
        for m in meetings.iter().filter(|m| m.here != m.there) {
            let key = (m.here.min(m.there), m.here.max(m.there));
            times.met.entry(key).or_default().push(m);
        }
        if times.met.is_empty() {
            return times;
        }
        for views in streams.values().filter(|views| views.len() > 1) {
            for (i, a) in views.iter().enumerate().take(WITNESSES) {
                for b in views.iter().skip(i + 1).filter(|b| b.point != a.point) {
                    let (a, b) = if a.point < b.point { (a, b) } else { (b, a) };
                    let key = (a.point, b.point);
                    if !times.met.contains_key(&key) {
                        continue;
                    }
                    let told = times.told.entry(key).or_default();
                    if told.len() < WITNESSES {
                        let apart = pairs(a.marks, b.marks);
                        told.extend(apart.first().map(|(x, y)| y.arrival.0.saturating_sub(x.arrival.0)));
                    }
                }
            }
        }
        for told in times.told.values_mut() {
            told.sort_unstable();
        }
        times
    }

    /// Whether what the two have in common may have gone from the one to the other.
    pub(super) fn are_near(&self, m: &Meeting) -> bool {
        if m.here == m.there {
            return at_one_point(m);
        }
        let is_up = m.here < m.there;
        let key = if is_up { (m.here, m.there) } else { (m.there, m.here) };
        let apart = if is_up { m.median } else { m.median.saturating_neg() };
        let is_close = |to: i64| apart.saturating_sub(to).saturating_abs() <= LONGEST_NS;
        let told = self.told.get(&key).and_then(|told| told.get(told.len() / 2));
        if let Some(told) = told {
            return is_close(*told);
        }
        // Where clocks differ by more and no other stream tells by how much, two pairs of streams must say the same.
        let agrees = |other: &&Meeting| {
            let is_of_others = ![other.one, other.other].iter().any(|s| [m.one, m.other].contains(s));
            let is_up = other.here < other.there;
            is_of_others && is_close(if is_up { other.median } else { other.median.saturating_neg() })
        };
        is_close(0)
            || self.met.get(&key).is_some_and(|met| met.iter().take(1024).any(|&other| agrees(&other)))
    }
}

/// By one clock what a relay sends comes after what it received.
fn at_one_point(m: &Meeting) -> bool {
    let [most_back, back, least_back] = [m.least, m.median, m.most].map(i64::saturating_neg);
    let turned = (least_back, back, most_back);
    let (least, median, most) = match m.way {
        Way::Relay { is_forward: false } => turned,
        Way::Unknown if m.median < 0 => turned,
        _ => (m.least, m.median, m.most),
    };
    match m.way {
        Way::Relay { .. } => least >= 0 && median > 0 && most <= LONGEST_NS,
        Way::Unknown => least >= 0 && median > 0 && most <= LONGEST_OF_UNKNOWN_NS,
        Way::Inline | Way::Elsewhere => median.saturating_abs() <= LONGEST_NS,
    }
}
