//! The order of travel: by TTL, the configured path, then time.

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::identity::{Common, JoinedBy, Match, are_in_order, matches};
use super::joined::Placed;
use super::marks::pairs;
use crate::meter::{HopRecord, PayloadMark, Sample};
use crate::policy::Policy;
use crate::terms::{Direction, FlowKey};

/// Clocks that are further apart than this say nothing of order.
const LONGEST_NS: i64 = 1_000_000_000;

/// Puts hops into the order of travel.
pub(super) fn by_travel(hops: &mut [Placed<'_>], points: &[String], policy: &Policy) {
    let told = told_direction(hops.iter().map(|h| h.counted.flow), policy);
    let direction = told.unwrap_or(Direction::Forward);
    let name = |hop: &HopRecord| points.get(usize::from(hop.point.0)).map_or("", String::as_str);
    let by_path = |a: &HopRecord, b: &HopRecord| {
        policy.order(name(a), name(b), direction).filter(|order| order.is_ne())
    };
    let as_named = |a: &HopRecord, b: &HopRecord| match direction {
        Direction::Forward => a.point.cmp(&b.point),
        Direction::Reverse => b.point.cmp(&a.point),
    };
    let within_leg = |a: &HopRecord, b: &HopRecord| {
        b.ttl()
            .cmp(&a.ttl())
            .then_with(|| by_path(a, b).or_else(|| by_time(a, b)).unwrap_or_else(|| as_named(a, b)))
    };
    let own = |hop: &Placed<'_>| (hop.counted.flow, hop.counted.ssrc);
    if hops.iter().skip(1).all(|hop| hops.first().is_some_and(|first| own(first) == own(hop))) {
        insertion_sort(hops, |a, b| within_leg(a.counted, b.counted));
        return;
    }
    let mut legs: Vec<Vec<Placed<'_>>> = Vec::new();
    for &hop in &*hops {
        match legs.iter_mut().find(|leg| leg.first().is_some_and(|first| own(first) == own(&hop))) {
            Some(leg) => leg.push(hop),
            None => legs.push(vec![hop]),
        }
    }
    for leg in &mut legs {
        insertion_sort(leg, |a, b| within_leg(a.counted, b.counted));
    }
    let between_legs = |a: &Vec<Placed<'_>>, b: &Vec<Placed<'_>>| {
        let (Some((a_first, a_last)), Some((b_first, b_last))) = (ends(a), ends(b)) else {
            return Ordering::Equal;
        };
        let by_ttl = || fallen(a_first, a_last, b_first, b_last);
        // A relay that writes RTP anew sends with a TTL of its own, and so does one that keeps the SSRC.
        let is_one_sender = a_first.ssrc == b_first.ssrc;
        relayed(a_first.flow, b_first.flow)
            .or_else(|| by_path(a_last, b_first))
            .or_else(|| told.and_then(|told| by_side(a_first.flow, b_first.flow, told, policy)))
            .or_else(|| (is_one_sender && have_one_end(a_first.flow, b_first.flow)).then(by_ttl)?)
            .or_else(|| by_time(a_last, b_first))
            .or_else(|| is_one_sender.then(by_ttl)?)
            .unwrap_or_else(|| as_named(a_last, b_first))
    };
    insertion_sort(&mut legs, between_legs);
    for (place, hop) in hops.iter_mut().zip(legs.into_iter().flatten()) {
        *place = hop;
    }
}

fn ends<'a>(leg: &[Placed<'a>]) -> Option<(&'a HopRecord, &'a HopRecord)> {
    Some((leg.first()?.counted, leg.last()?.counted))
}

/// A few items by a comparison that need not be an order of all of them.
fn insertion_sort<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    for i in 1..items.len() {
        let mut k = i;
        while k > 0 && compare(&items[k - 1], &items[k]) == Ordering::Greater {
            items.swap(k - 1, k);
            k -= 1;
        }
    }
}

/// Forward is from the managed side, at the first hop that tells; none where no hop does.
pub(in crate::verify) fn told_direction(
    flows: impl Iterator<Item = FlowKey>,
    policy: &Policy,
) -> Option<Direction> {
    flows.map(|flow| sides(flow, policy)).find_map(direction_of)
}

/// Whether the sender and the receiver of a flow are managed.
pub(in crate::verify) fn sides(flow: FlowKey, policy: &Policy) -> (bool, bool) {
    (policy.is_managed(flow.source.ip()), policy.is_managed(flow.destination.ip()))
}

/// Which way goes what is sent from one side to the other; none where both or neither are managed.
pub(in crate::verify) fn direction_of(sides: (bool, bool)) -> Option<Direction> {
    match sides {
        (true, false) => Some(Direction::Forward),
        (false, true) => Some(Direction::Reverse),
        _ => None,
    }
}

/// A relay receives one leg and sends the other.
fn relayed(a: FlowKey, b: FlowKey) -> Option<Ordering> {
    match (a.destination.ip() == b.source.ip(), b.destination.ip() == a.source.ip()) {
        (true, false) => Some(Ordering::Less),
        (false, true) => Some(Ordering::Greater),
        _ => None,
    }
}

/// On its way out a stream comes from the managed side: a leg with more managed ends comes first, on its way in last.
/// Only for what a relay sends: a translation's legs are told by their TTLs.
fn by_side(a: FlowKey, b: FlowKey, direction: Direction, policy: &Policy) -> Option<Ordering> {
    let managed = |flow: FlowKey| [flow.source, flow.destination].map(|end| policy.is_managed(end.ip()));
    let count = |flow| managed(flow).into_iter().filter(|&is_managed| is_managed).count();
    let outwards = count(b).cmp(&count(a));
    let order = match direction {
        Direction::Forward => outwards,
        Direction::Reverse => outwards.reverse(),
    };
    (!have_one_end(a, b) && order.is_ne()).then_some(order)
}

/// A translation leaves one end as it is.
fn have_one_end(a: FlowKey, b: FlowKey) -> bool {
    a.source.ip() == b.source.ip() || a.destination.ip() == b.destination.ip()
}

/// A translation does not raise the TTL.
fn fallen(
    a_first: &HopRecord,
    a_last: &HopRecord,
    b_first: &HopRecord,
    b_last: &HopRecord,
) -> Option<Ordering> {
    if a_last.ttl() > b_first.ttl() {
        Some(Ordering::Less)
    } else if b_last.ttl() > a_first.ttl() {
        Some(Ordering::Greater)
    } else {
        None
    }
}

/// By the median time between the same packets, where the clocks seem to be one.
fn by_time(a: &HopRecord, b: &HopRecord) -> Option<Ordering> {
    let mut apart = delays(a, b);
    apart.sort_unstable();
    let median = *apart.get(apart.len() / 2)?;
    let is_told = median != 0 && median.saturating_abs() < LONGEST_NS;
    is_told.then_some(if median > 0 { Ordering::Less } else { Ordering::Greater })
}

/// From the one to the other, in nanoseconds by the captures' own clocks, for every packet that both chose.
pub(in crate::verify) fn delays(a: &HopRecord, b: &HopRecord) -> Vec<i64> {
    timed(a, b).into_iter().map(|(_, delay)| delay).collect()
}

/// The same, with the time at the first of the two.
pub(in crate::verify) fn timed(a: &HopRecord, b: &HopRecord) -> Vec<(i64, i64)> {
    timed_by(&matches(a, b), a, b)
}

/// The same, where it is known what the hops have in common.
pub(in crate::verify) fn timed_by(common: &Common, a: &HopRecord, b: &HopRecord) -> Vec<(i64, i64)> {
    let both = chosen_by_both(common, a, b, |s| s.arrival.0, |m| m.arrival.0);
    both.into_iter().map(|(here, there)| (here, there.saturating_sub(here))).collect()
}

/// What the packets that two hops chose alike were at the one and at the other: their samples, or where a relay numbers
/// packets its own way, their marks.
pub(in crate::verify) fn chosen_by_both<T: Copy>(
    (found, joined_by): &Common,
    a: &HopRecord,
    b: &HopRecord,
    of_sample: impl Fn(&Sample) -> T,
    of_mark: impl Fn(&PayloadMark) -> T,
) -> Vec<(T, T)> {
    if *joined_by == JoinedBy::Payload {
        return pairs(&a.marks, &b.marks).iter().map(|(x, y)| (of_mark(x), of_mark(y))).collect();
    }
    let in_order = match found[..] {
        [m] => chosen_in_order(m, &a.samples, &b.samples, &of_sample),
        _ => None,
    };
    in_order.unwrap_or_else(|| chosen_anyhow(found, &a.samples, &b.samples, &of_sample))
}

/// The same of any samples.
fn chosen_anyhow<T: Copy>(
    found: &[Match],
    ours: &[Sample],
    theirs: &[Sample],
    of_sample: &impl Fn(&Sample) -> T,
) -> Vec<(T, T)> {
    let mut theirs: SmallVec<[((u16, u32), T); 16]> =
        theirs.iter().map(|s| ((s.part, s.sequence), of_sample(s))).collect();
    theirs.sort_by_key(|&(number, _)| number);
    let mut at = 0;
    ours.iter()
        .filter_map(|s| {
            let m = found.iter().find(|m| m.one == usize::from(s.part))?;
            let part = u16::try_from(m.other).ok()?;
            let number = (part, s.sequence.wrapping_add(m.shift));
            at = first_from(&theirs, at, number);
            theirs.get(at).filter(|(same, _)| *same == number).map(|(_, there)| (of_sample(s), *there))
        })
        .collect()
}

/// The same of samples of one part each that stand in order at both hops, and do so with the one's numbers as they are at
/// the other: most are such, and need no sorting. `None` of all others.
fn chosen_in_order<T>(
    m: Match,
    ours: &[Sample],
    theirs: &[Sample],
    of_sample: &impl Fn(&Sample) -> T,
) -> Option<Vec<(T, T)>> {
    let number = |ours: &Sample| ours.sequence.wrapping_add(m.shift);
    let is_whole = ours.first().zip(ours.last()).is_none_or(|(first, last)| number(first) <= number(last));
    if (m.one, m.other) != (0, 0) || !is_whole || !are_in_order(ours) || !are_in_order(theirs) {
        return None;
    }
    let mut chosen = Vec::with_capacity(ours.len().min(theirs.len()));
    let mut rest = theirs.iter().peekable();
    for s in ours {
        while rest.next_if(|theirs| theirs.sequence < number(s)).is_some() {}
        if let Some(same) = rest.next_if(|theirs| theirs.sequence == number(s)) {
            chosen.push((of_sample(s), of_sample(same)));
        }
    }
    Some(chosen)
}

/// Samples that are passed one by one before the rest is searched.
const STEPS: usize = 8;

/// Where the first item stands that is not below a number. Mostly that is a step or two behind where the last one was
/// found: both hops keep their samples in order.
fn first_from<T>(items: &[((u16, u32), T)], near: usize, number: (u16, u32)) -> usize {
    let is_below = |at: usize| items.get(at).is_some_and(|item| item.0 < number);
    if near > 0 && !is_below(near - 1) {
        return items.partition_point(|item| item.0 < number);
    }
    match (near..=near + STEPS).find(|&at| !is_below(at)) {
        Some(at) => at,
        None => near + items.get(near..).unwrap_or_default().partition_point(|item| item.0 < number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_number_is_found_wherever_the_last_one_was(
            mut numbers in proptest::collection::btree_set((0_u16..3, 0_u32..200), 0..120),
            near in 0_usize..130,
            number in (0_u16..3, 0_u32..200),
        ) {
            numbers.retain(|n| n.1 % 7 > 0);
            let items: Vec<_> = numbers.into_iter().map(|n| (n, ())).collect();
            let expected = items.iter().filter(|item| item.0 < number).count();
            proptest::prop_assert_eq!(first_from(&items, near.min(items.len()), number), expected);
        }

        /// Also where the numbers of the other hop wrap, or do so with what is to be added.
        #[test]
        fn samples_in_order_are_found_as_any(
            ours in proptest::collection::btree_set(0_u32..300, 0..60),
            theirs in proptest::collection::btree_set(0_u32..300, 0..60),
            start in proptest::sample::select(vec![0_u32, 1 << 16, u32::MAX - 300, u32::MAX - 150]),
            shift in proptest::sample::select(vec![0_u32, 1, 7, 1 << 16, u32::MAX, u32::MAX - 149]),
            part in 0_u16..2,
        ) {
            let samples = |numbers: &std::collections::BTreeSet<u32>, start: u32| -> Vec<Sample> {
                let numbers = numbers.iter().filter_map(|n| start.checked_add(*n));
                let sample = |sequence| Sample {
                    arrival: crate::terms::Timestamp(i64::from(sequence) * 3),
                    sequence,
                    timestamp: crate::terms::RtpTime(sequence),
                    part,
                    traffic_class: crate::terms::TrafficClass(0),
                };
                numbers.map(sample).collect()
            };
            let (ours, theirs) = (samples(&ours, start), samples(&theirs, start.wrapping_add(shift)));
            let m = Match { one: 0, other: 0, shift, equal: 1 };
            let of = |s: &Sample| s.arrival.0;
            let expected = chosen_anyhow(&[m], &ours, &theirs, &of);
            if let Some(found) = chosen_in_order(m, &ours, &theirs, &of) {
                proptest::prop_assert_eq!(found, expected);
            } else {
                let wraps = ours.iter().any(|s| s.sequence.checked_add(shift).is_none());
                proptest::prop_assert!(part != 0 || wraps);
            }
        }
    }
}
