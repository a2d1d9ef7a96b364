//! Facts about sequence numbers of mirror tunnels.

use proptest::prelude::*;

use super::*;

/// Numbers, one a millisecond, of one session.
fn heard(numbers: impl IntoIterator<Item = u32>) -> TunnelRecord {
    heard_by(numbers.into_iter().map(|n| (0, n)))
}

fn heard_by(numbers: impl IntoIterator<Item = (u16, u32)>) -> TunnelRecord {
    timed(numbers.into_iter().zip(0..).map(|((hardware, n), ms)| (hardware, n, ms * 1_000_000)))
}

fn timed(numbers: impl IntoIterator<Item = (u16, u32, i64)>) -> TunnelRecord {
    let mut tunnels = Tunnels::new(7);
    for (hardware, sequence, at) in numbers {
        tunnels.note((0, 0), &frame(hardware, 12, sequence), Timestamp(at));
    }
    let mut records = tunnels.finish();
    assert_eq!(records.len(), 1);
    records.remove(0)
}

fn frame(hardware: u16, session: u16, sequence: u32) -> MirroredFrame {
    let (source, destination) = ([10, 0, 0, 1].into(), [10, 0, 0, 9].into());
    MirroredFrame { source, destination, session, hardware, sequence }
}

fn count(record: &TunnelRecord) -> (u64, u64) {
    record.files.iter().fold((0, 0), |(frames, lost), (_, c)| (frames + c.frames, lost + c.lost))
}

fn gap(from_ms: i64, to_ms: i64, frames: Option<u64>) -> TunnelGap {
    TunnelGap { from: Timestamp(from_ms * 1_000_000), to: Timestamp(to_ms * 1_000_000), frames }
}

#[test]
fn what_never_comes_is_lost() {
    let record = heard((0..100).chain(103..200).chain(201..300));
    assert_eq!(count(&record), (296, 4));
    assert_eq!(record.gaps, [gap(99, 100, Some(3)), gap(196, 197, Some(1))]);
}

#[test]
fn late_and_doubled_frames_are_not_lost() {
    let reordered = (0..900).map(|n| if n % 3 == 0 { n + 2 } else { n - 1 });
    assert_eq!(
        count(&heard(reordered)),
        (898, 0),
        "each third frame overtakes two; nothing is known before the first"
    );
    let doubled = (0..900).flat_map(|n| [n, n]);
    assert_eq!((count(&heard(doubled)), 0), ((900, 0), 0));
    let copies = (0..30).flat_map(|burst| (0..2).flat_map(move |_| burst * 30..(burst + 1) * 30));
    let record = heard(copies);
    assert_eq!((count(&record), record.gaps), ((900, 0), vec![]), "copies come in bursts");
    let late = (0..100).chain(101..1500).chain([100]).chain(1500..1600);
    let record = heard(late);
    assert_eq!((count(&record), record.gaps), ((1600, 0), vec![]), "one frame comes very late");
    assert_eq!(count(&heard([5; 100])), (1, 0), "a switch that does not count");
}

#[test]
fn a_number_that_comes_late_is_taken_out_of_its_gap() {
    let record = heard((0..10).chain(20..30).chain([14, 10, 19, 14]).chain(30..40));
    assert_eq!(count(&record), (33, 7));
    assert_eq!(record.gaps, [gap(9, 10, Some(7))]);
}

#[test]
fn numbers_wrap() {
    let record = heard((0..200_u32).filter(|n| *n != 60).map(|n| n.wrapping_sub(50)));
    assert_eq!(count(&record), (199, 1));
    let record = heard((0..200_u32).filter(|n| !(45..55).contains(n)).map(|n| n.wrapping_sub(50)));
    assert_eq!(count(&record), (190, 10), "a gap over the wrap");
}

#[test]
fn a_restart_is_a_gap_of_unknown_length() {
    for (name, before) in [("far", 4_000_000_000..4_000_000_100_u32), ("near", 1_u32..3_000)] {
        let frames = u64::from(before.end - before.start);
        let silent = i64::from(before.end - before.start);
        let numbers = before.zip(0..).map(|(n, ms)| (0, n, ms * 1_000_000));
        let after = (0..5_000).zip(silent + 2_000..).map(|(n, ms)| (0, n, ms * 1_000_000));
        let record = timed(numbers.chain(after));
        let (heard, lost) = count(&record);
        assert_eq!(lost, 0, "{name}");
        assert!(heard + 16 >= frames + 5_000, "{name}: {heard}");
        assert_eq!(record.gaps, [gap(silent - 1, silent + 2_000, None)], "{name}");
    }
}

#[test]
fn an_outage_is_counted_where_the_pace_bears_it_out() {
    let before = (0..10_000).zip(0..);
    let after = (1_010_000..1_020_000).zip(1_010_000..);
    let record = timed(before.chain(after).map(|(n, ms)| (0, n, ms * 1_000_000)));
    assert_eq!(count(&record), (20_000, 1_000_000));
    assert_eq!(record.gaps, [gap(9_999, 1_010_000, Some(1_000_000))]);
    let at_once = heard((0..10_000).chain(1_010_000..1_020_000));
    assert_eq!(count(&at_once), (20_000, 0), "a million frames in a millisecond");
    assert_eq!(at_once.gaps, [gap(9_999, 10_000, None)]);
}

#[test]
fn one_damaged_number_is_nothing() {
    let record = heard((0..500).chain([0xDEAD_BEEF]).chain(500..1_000));
    assert_eq!((count(&record), record.gaps), ((1_000, 0), vec![]));
}

#[test]
fn line_cards_count_side_by_side() {
    let cards = |step: u32| (0..3_000).flat_map(move |n| [n, n + step, n + 2 * step]);
    let record = heard(cards(1_000_000_000));
    assert_eq!((count(&record), record.gaps), ((9_000, 0), vec![]), "told by their numbers");
    let hardware = (0..3_000).flat_map(|n| [(0, n), (1, n + 40), (2, n)]);
    let record = heard_by(hardware);
    assert_eq!((count(&record), record.gaps), ((9_000, 0), vec![]), "told by their names");
}

#[test]
fn gaps_are_bounded_and_still_hold_all_that_is_lost() {
    let record = heard((0..20_000).filter(|n| n % 10 != 5));
    assert_eq!(count(&record), (18_000, 2_000));
    assert!(record.gaps.len() <= 512, "{}", record.gaps.len());
    assert_eq!(record.gaps.iter().filter_map(|g| g.frames).sum::<u64>(), 2_000);
    assert!(record.gaps.windows(2).all(|pair| pair[0].to <= pair[1].from));
}

#[test]
fn a_clock_that_steps_back_turns_no_gap_around() {
    let record = timed([(0, 1, 900), (0, 5, 300)]);
    assert_eq!(record.gaps, [TunnelGap { from: Timestamp(300), to: Timestamp(900), frames: Some(3) }]);
}

#[test]
fn sessions_are_counted_apart_and_bounded() {
    let mut tunnels = Tunnels::new(7);
    for n in 0..10 {
        for session in 0..600 {
            tunnels.note((0, 0), &frame(0, session, n * 2), Timestamp(i64::from(n)));
        }
    }
    assert_eq!(tunnels.unfollowed(), (600 - MAX_TUNNELS as u64) * 10);
    let records = tunnels.finish();
    assert_eq!(records.len(), MAX_TUNNELS);
    assert!(records.iter().all(|record| count(record) == (10, 9)));
}

#[test]
fn losses_belong_to_the_file_that_goes_on() {
    let mut tunnels = Tunnels::new(7);
    for n in (0..100).chain(110..200) {
        tunnels.note((0, u16::from(n >= 110)), &frame(0, 1, n), Timestamp(i64::from(n)));
    }
    let files = tunnels.finish().remove(0).files;
    let expected = [(0, 100, 0), (1, 90, 10)].map(|(f, frames, lost)| (f, TunnelCount { frames, lost }));
    assert_eq!(files, expected);
}

proptest! {
    /// Whatever comes: no panic, and no more is lost than numbers lie between those that were heard.
    #[test]
    fn any_numbers_are_counted(numbers in prop::collection::vec((0_u16..3, any::<u32>(), 0_i64..1_000), 1..400)) {
        let record = timed(numbers.iter().copied());
        prop_assert!(count(&record).0 <= numbers.len() as u64);
        prop_assert!(record.gaps.iter().all(|g| g.from <= g.to));
        let known: u64 = record.gaps.iter().filter_map(|g| g.frames).sum();
        let are_known = record.gaps.iter().all(|g| g.frames.is_some());
        let (_, lost) = count(&record);
        prop_assert!(known == lost || (known < lost && !are_known), "{record:?}");
    }

    /// Shuffled within a window, with copies: exactly what was left out is lost.
    #[test]
    fn losses_are_exact_in_any_order(
        start in any::<u32>(),
        lost in prop::collection::btree_set(20_u32..980, 0..60),
        jitter in prop::collection::vec(0_u32..12, 1000),
    ) {
        let mut order: Vec<(u32, u32)> = (0..1000).map(|n| (n + jitter[n as usize], n)).collect();
        order.sort_unstable();
        // Neither end moves: before the first and behind the last nothing can be missed.
        order.retain(|(_, n)| *n != 0 && *n != 999 && !lost.contains(n));
        let all = [0].into_iter().chain(order.into_iter().map(|(_, n)| n)).chain([999]);
        let record = heard(all.flat_map(|n| [n, n]).map(|n| start.wrapping_add(n)));
        prop_assert_eq!(count(&record), (1000 - lost.len() as u64, lost.len() as u64));
        let in_gaps: u64 = record.gaps.iter().filter_map(|g| g.frames).sum();
        prop_assert_eq!(in_gaps, lost.len() as u64);
    }
}
