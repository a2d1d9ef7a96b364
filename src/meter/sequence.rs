//! Which sequence numbers of a stream were seen, and which were lost.
//!
//! Once one did not come, the last 128 extended sequence numbers are kept as bits; what is older is final, since RFC 3550
//! A.1 takes nothing that is more than 100 behind. So a stream's whole loss record takes the same few octets, however
//! long it runs.

use std::collections::VecDeque;

use super::record::{MAX_RUNS, MissingRun};

/// RFC 3550 A.1: a step forward below this is loss.
pub(super) const MAX_DROPOUT: u16 = 3000;
/// RFC 3550 A.1: a step back up to this is a late packet.
pub(super) const MAX_MISORDER: u16 = 100;
/// Where a part's extended numbers start, so that a late packet can lie below the first one.
const FIRST_CYCLE: u32 = 1 << 16;

/// The extended sequence number with which a part begins.
pub(super) const fn first_extended(sequence: u16) -> u32 {
    FIRST_CYCLE + sequence as u32
}

/// The sequence number of a packet as it is on the wire.
#[inline]
pub(super) const fn on_the_wire(extended: u32) -> u16 {
    (extended & 0xFFFF) as u16
}

/// How a sequence number stands to the highest one so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The number after it, or one behind a gap of less than [`MAX_DROPOUT`].
    Forward(u16),
    /// The same number, or one at most [`MAX_MISORDER`] before it.
    Back(u16),
    /// Anything else: a restart, an outage, or a packet that does not belong here.
    Jump,
}

impl Step {
    /// From extended `highest` to the `sequence` of a packet.
    pub(super) const fn between(highest: u32, sequence: u16) -> Self {
        let ahead = sequence.wrapping_sub(on_the_wire(highest));
        if ahead != 0 && ahead < MAX_DROPOUT {
            Self::Forward(ahead)
        } else if ahead.wrapping_neg() <= MAX_MISORDER {
            Self::Back(ahead.wrapping_neg())
        } else {
            Self::Jump
        }
    }
}

/// The newest 128 sequence numbers of a part, and what the older ones came to.
#[derive(Debug, Clone)]
pub(super) struct Window {
    newest: u32,
    lowest: u32,
    /// None as long as every number came, in one part and fewer than 2^31: most streams are so to their end.
    breaks: Option<Box<Breaks>>,
}

/// When a run of numbers stayed out: milliseconds since the part began, rounded outward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Silence {
    /// The last packet before it.
    pub(super) since_ms: u32,
    /// The first packet after it.
    pub(super) until_ms: u32,
}

impl Silence {
    /// Between two arrivals, of a part that began at `begin`; all in nanoseconds.
    pub(super) fn between(begin: i64, last: i64, now: i64) -> Self {
        const MS: u64 = 1_000_000;
        let since = |at: i64| u64::try_from(at.saturating_sub(begin)).unwrap_or(0);
        let ms = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let (from, to) = (since(last.min(now)), since(now.max(last)));
        Self { since_ms: ms(from / MS), until_ms: ms(to.div_ceil(MS)) }
    }
}

/// A step over numbers, some of which may still come.
#[derive(Debug, Clone, Copy)]
struct Jump {
    first: u32,
    silence: Silence,
}

/// What broke the count: numbers that did not come in order, and parts that have ended.
#[derive(Debug, Clone)]
struct Breaks {
    /// Bit i: `newest - i` was seen, or lies below the part's lowest.
    seen: u128,
    /// The run of lost numbers that has left the window last.
    open_first: u32,
    open_run: u32,
    /// `highest - lowest + 1` of the parts before this one, and how far `lowest` was moved.
    expected_before: u64,
    /// Runs of this part.
    runs: Vec<MissingRun>,
    /// Steps whose numbers are in the window, and the one before: at most one for two numbers of it.
    jumps: VecDeque<Jump>,
    /// Numbers in runs for which there was no room.
    unlisted: u64,
    /// How many runs may still be kept, of this part and those to come.
    room: usize,
    /// Runs by length, of this part and those before.
    bursts: [u32; 6],
}

impl Default for Breaks {
    fn default() -> Self {
        Self {
            seen: u128::MAX,
            open_first: 0,
            open_run: 0,
            expected_before: 0,
            runs: Vec::new(),
            jumps: VecDeque::new(),
            unlisted: 0,
            room: MAX_RUNS,
            bursts: [0; 6],
        }
    }
}

impl Window {
    /// A part that begins with this number.
    pub(super) const fn new(first: u32) -> Self {
        Self { newest: first, lowest: first, breaks: None }
    }

    /// Takes in all numbers up to `highest`, every one of which was seen.
    pub(super) fn extend_seen(&mut self, highest: u32) {
        let n = highest.wrapping_sub(self.newest);
        if n != 0 {
            self.shift(n, true);
            self.newest = highest;
            self.shorten();
        }
    }

    /// Takes in `ahead` numbers, of which only the last was seen.
    pub(super) fn jump_ahead(&mut self, ahead: u32, silence: Silence) {
        if ahead > 1 {
            self.note_jump(silence);
            self.shift(ahead - 1, false);
            self.newest = self.newest.wrapping_add(ahead - 1);
        }
        self.shift(1, true);
        self.newest = self.newest.wrapping_add(1);
        self.shorten();
    }

    /// Keeps in mind when the numbers after the newest did not come.
    fn note_jump(&mut self, silence: Silence) {
        let first = self.newest.wrapping_add(1);
        let oldest = self.newest.wrapping_sub(127);
        let jumps = &mut self.breaks_mut().jumps;
        while jumps.get(1).is_some_and(|next| !is_at_or_after(next.first, oldest)) {
            jumps.pop_front();
        }
        jumps.push_back(Jump { first, silence });
    }

    /// Moves the lowest number after the newest, so that they never are further apart than 32 bits can say. Numbers
    /// themselves may pass 2^32: only how far they are apart counts.
    fn shorten(&mut self) {
        const FAR: u32 = 1 << 31;
        const HALFWAY: u32 = FAR / 2;
        if self.newest.wrapping_sub(self.lowest) >= FAR {
            self.lowest = self.lowest.wrapping_add(HALFWAY);
            self.breaks_mut().expected_before += u64::from(HALFWAY);
        }
    }

    /// How far a number lies below the lowest; 0 where it does not.
    const fn below_lowest(&self, number: u32) -> u32 {
        let below = self.lowest.wrapping_sub(number);
        if below.cast_signed() > 0 { below } else { 0 }
    }

    /// Marks the number `behind` the newest as seen; false where it was seen before.
    ///
    /// `behind` is at most [`MAX_MISORDER`], so it lies in the window.
    pub(super) fn fill(&mut self, behind: u16) -> bool {
        let number = self.newest.wrapping_sub(u32::from(behind));
        let below = self.below_lowest(number);
        if below > 0 {
            // All between it and what was the lowest becomes missing.
            for i in 1..below {
                self.breaks_mut().seen &= !(1 << (u32::from(behind) - i));
            }
            self.lowest = number;
            return true;
        }
        let Some(breaks) = &mut self.breaks else { return false };
        let bit = 1_u128 << behind;
        let is_new = breaks.seen & bit == 0;
        breaks.seen |= bit;
        is_new
    }

    /// Whether this 16-bit number was seen in this part. Of numbers older than the window it is taken to have been.
    pub(super) fn has(&self, sequence: u16) -> bool {
        let behind = on_the_wire(self.newest).wrapping_sub(sequence);
        let number = self.newest.wrapping_sub(u32::from(behind));
        let was_seen = |breaks: &Breaks| behind >= 128 || breaks.seen >> behind & 1 == 1;
        self.below_lowest(number) == 0 && self.breaks.as_deref().is_none_or(was_seen)
    }

    /// How many numbers lie between the part's lowest and its newest, both counted.
    pub(super) const fn span(&self) -> u64 {
        self.newest.wrapping_sub(self.lowest) as u64 + 1
    }

    /// Highest minus lowest plus one, summed over all parts.
    pub(super) fn expected(&self) -> u64 {
        self.breaks.as_ref().map_or(0, |breaks| breaks.expected_before) + self.span()
    }

    /// The part's lowest number.
    pub(super) const fn lowest(&self) -> u32 {
        self.lowest
    }

    /// Ends the part and begins another. The old one must be closed.
    pub(super) fn restart(&mut self, first: u32) {
        let expected = self.expected();
        let breaks = self.breaks_mut();
        (breaks.seen, breaks.expected_before) = (u128::MAX, expected);
        (self.newest, self.lowest) = (first, first);
    }

    /// Ends the part: what is missing in the window is lost. Gives the runs, and how many numbers lie in runs for
    /// which there was no room.
    pub(super) fn close(&mut self) -> (Vec<MissingRun>, u64) {
        let newest = self.newest;
        let Some(breaks) = &mut self.breaks else { return Default::default() };
        breaks.shift(newest, 128, true);
        breaks.close_run();
        breaks.jumps.clear();
        (std::mem::take(&mut breaks.runs), std::mem::take(&mut breaks.unlisted))
    }

    /// Runs of loss by length, of all parts that are closed.
    pub(super) fn bursts(&self) -> [u32; 6] {
        self.breaks.as_ref().map_or([0; 6], |breaks| breaks.bursts)
    }

    /// Moves `n` numbers, all seen or all missing, into the window, and as many of the oldest out of it.
    fn shift(&mut self, n: u32, are_seen: bool) {
        let newest = self.newest;
        if !are_seen {
            self.breaks_mut().shift(newest, n, false);
        } else if let Some(breaks) = &mut self.breaks {
            breaks.shift(newest, n, true);
        }
    }

    fn breaks_mut(&mut self) -> &mut Breaks {
        self.breaks.get_or_insert_default()
    }
}

impl Breaks {
    /// As [`Window::shift`], where this is the newest number.
    fn shift(&mut self, newest: u32, n: u32, are_seen: bool) {
        if self.seen == u128::MAX && are_seen {
            self.close_run();
            return;
        }
        let leaving = n.min(128);
        let mut out =
            if leaving == 128 { self.seen } else { self.seen >> (128 - leaving) << (128 - leaving) };
        let mut left = leaving;
        let mut number = newest.wrapping_sub(127);
        while left > 0 {
            let ones = out.leading_ones().min(left);
            if ones > 0 {
                self.close_run();
                left -= ones;
                number = number.wrapping_add(ones);
                out = out.checked_shl(ones).unwrap_or(0);
            } else {
                let zeros = out.leading_zeros().min(left);
                self.lose(number, zeros);
                left -= zeros;
                number = number.wrapping_add(zeros);
                out = out.checked_shl(zeros).unwrap_or(0);
            }
        }
        if n > 128 {
            if are_seen {
                self.close_run();
            } else {
                self.lose(number, n - 128);
            }
        }
        let fill = if !are_seen {
            0
        } else if leaving == 128 {
            u128::MAX
        } else {
            (1 << leaving) - 1
        };
        self.seen = self.seen.checked_shl(leaving).unwrap_or(0) | fill;
    }

    /// These numbers are lost for good.
    const fn lose(&mut self, first: u32, count: u32) {
        if self.open_run == 0 {
            self.open_first = first;
        }
        self.open_run = self.open_run.saturating_add(count);
    }

    fn close_run(&mut self) {
        if self.open_run == 0 {
            return;
        }
        let class = match self.open_run {
            1 => 0,
            2 => 1,
            3..=4 => 2,
            5..=9 => 3,
            10..=19 => 4,
            _ => 5,
        };
        self.bursts[class] += 1;
        if self.room > 0 {
            self.room -= 1;
            let (first, length) = (self.open_first, self.open_run);
            // What is missing below the first packet was never stepped over: it belongs to the beginning.
            let jump = self.jumps.iter().rev().find(|jump| is_at_or_after(first, jump.first));
            let Silence { since_ms, until_ms } = jump.map_or_else(Silence::default, |jump| jump.silence);
            self.runs.push(MissingRun { first, length, since_ms, until_ms });
        } else {
            self.unlisted += u64::from(self.open_run);
        }
        self.open_run = 0;
    }
}

/// Whether a number is another one or comes after it; they are less than half of all numbers apart.
const fn is_at_or_after(number: u32, other: u32) -> bool {
    number.wrapping_sub(other).cast_signed() >= 0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Bursts, and the runs of the last part, if it ended here.
    fn closed(window: &Window) -> ([u32; 6], Vec<MissingRun>) {
        let mut end = window.clone();
        let (runs, _) = end.close();
        (end.bursts(), runs)
    }

    fn run(first: u32, length: u32) -> MissingRun {
        MissingRun { first, length, since_ms: 0, until_ms: 0 }
    }

    #[test]
    fn runs_have_the_time_of_the_step_that_left_them_out() {
        let mut window = Window::new(first_extended(10));
        let at = |n: u32| Silence { since_ms: n, until_ms: n + 1 };
        assert!(window.fill(3), "9 and 8 are missing below the first");
        for n in 0..200 {
            // Of three numbers the second comes late.
            window.jump_ahead(4, at(100 + n));
            assert!(window.fill(2));
        }
        let (runs, _) = window.close();
        let times: Vec<_> = runs.iter().map(|r| (r.length, r.since_ms, r.until_ms)).collect();
        let mut expected = vec![(2, 0, 0)];
        expected.extend((0..200).flat_map(|n| [(1, 100 + n, 101 + n); 2]));
        assert_eq!(times, expected);
    }

    #[test]
    fn a_silence_is_rounded_outward() {
        for ((begin, last, now), (since_ms, until_ms)) in [
            ((0, 1_999_999, 2_000_001), (1, 3)),
            ((5, 0, 10), (0, 1)),
            ((0, 3_000_000, 2_000_000), (2, 3)),
            ((i64::MIN, i64::MAX, 0), (u32::MAX, u32::MAX)),
        ] {
            assert_eq!(Silence::between(begin, last, now), Silence { since_ms, until_ms });
        }
    }

    #[test]
    fn steps_follow_rfc_3550_a1() {
        let highest = first_extended(65_535);
        for (sequence, step) in [
            (0, Step::Forward(1)),
            (2998, Step::Forward(2999)),
            (2999, Step::Jump),
            (65_535, Step::Back(0)),
            (65_435, Step::Back(100)),
            (65_434, Step::Jump),
        ] {
            assert_eq!(Step::between(highest, sequence), step, "{sequence}");
        }
    }

    #[test]
    fn a_gap_is_one_run_until_it_is_filled() {
        let mut window = Window::new(first_extended(10));
        window.jump_ahead(5, Silence::default());
        assert_eq!(closed(&window).0, [0, 0, 1, 0, 0, 0]);
        assert!(window.fill(2));
        assert!(!window.fill(2), "the second copy is a duplicate");
        assert_eq!(closed(&window).0, [1, 1, 0, 0, 0, 0]);
        assert_eq!(window.expected(), 6);
    }

    #[test]
    fn a_packet_below_the_first_lowers_the_base() {
        let mut window = Window::new(first_extended(3));
        assert!(window.fill(3));
        assert_eq!(window.expected(), 4);
        assert_eq!(closed(&window).0, [0, 1, 0, 0, 0, 0]);
        assert!(!window.has(1));
        assert!(window.has(0));
    }

    #[test]
    fn runs_have_their_numbers_wherever_the_window_ends() {
        for gap in 1..200 {
            let mut window = Window::new(first_extended(0));
            window.jump_ahead(3, Silence::default());
            window.extend_seen(first_extended(10));
            window.jump_ahead(gap + 1, Silence::default());
            let runs = closed(&window).1;
            assert_eq!(runs[0], run(first_extended(1), 2), "gap {gap}");
            assert_eq!(runs[1], run(first_extended(11), gap), "gap {gap}");
        }
    }

    #[test]
    fn a_long_gap_is_one_long_run() {
        let mut window = Window::new(first_extended(0));
        window.jump_ahead(2999, Silence::default());
        window.extend_seen(first_extended(0) + 2999 + 500);
        assert_eq!(closed(&window).0, [0, 0, 0, 0, 0, 1]);
        assert_eq!(window.expected(), 3500);
    }

    #[test]
    fn a_restart_adds_up_the_parts() {
        let mut window = Window::new(first_extended(0));
        window.jump_ahead(3, Silence::default());
        window.close();
        window.restart(first_extended(40_000));
        window.extend_seen(first_extended(40_000) + 9);
        assert_eq!(window.expected(), 4 + 10);
        assert_eq!(closed(&window).0, [0, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn a_part_of_more_numbers_than_32_bits_hold_is_counted_to_the_end() {
        let mut window = Window::new(first_extended(0));
        let steps = 1_500_000_u64;
        for _ in 0..steps {
            window.jump_ahead(2999, Silence::default());
        }
        assert_eq!(window.expected(), steps * 2999 + 1);
        assert!(window.fill(1) && !window.fill(1) && !window.fill(0));
        window.extend_seen(window.newest.wrapping_add(100));
        assert_eq!(window.expected(), steps * 2999 + 101);
        // What is left of the last gap is one number shorter, and still a long run.
        window.close();
        assert_eq!(window.bursts().map(u64::from), [0, 0, 0, 0, 0, steps]);
    }

    /// Runs of missing numbers between the smallest and the largest of a set.
    fn runs(seen: &BTreeSet<u32>) -> [u32; 6] {
        let mut bursts = [0; 6];
        for (a, b) in seen.iter().zip(seen.iter().skip(1)) {
            match b - a - 1 {
                0 => {}
                1 => bursts[0] += 1,
                2 => bursts[1] += 1,
                3..=4 => bursts[2] += 1,
                5..=9 => bursts[3] += 1,
                10..=19 => bursts[4] += 1,
                _ => bursts[5] += 1,
            }
        }
        bursts
    }

    proptest! {
        #[test]
        fn agrees_with_a_set_of_all_numbers(steps in prop::collection::vec((0_u8..10, 1_u16..3000, 0_u16..=100), 1..400)) {
            let first = first_extended(50_000);
            let mut window = Window::new(first);
            let mut seen = BTreeSet::from([first]);
            let mut highest = first;
            for (kind, ahead, behind) in steps {
                match kind {
                    0..=4 => {
                        let n = u32::from(ahead % 200);
                        seen.extend(highest + 1..=highest + n);
                        highest += n;
                        window.extend_seen(highest);
                    }
                    5 => {
                        highest += u32::from(ahead);
                        seen.insert(highest);
                        window.jump_ahead(u32::from(ahead), Silence::default());
                    }
                    6 => {
                        let n = u32::from(ahead % 6) + 1;
                        highest += n;
                        seen.insert(highest);
                        window.jump_ahead(n, Silence::default());
                    }
                    _ => {
                        let is_new = seen.insert(highest - u32::from(behind));
                        prop_assert_eq!(window.fill(behind), is_new);
                    }
                }
            }
            let lowest = *seen.first().unwrap();
            prop_assert_eq!(window.expected(), u64::from(highest - lowest) + 1);
            let (bursts, missing) = closed(&window);
            prop_assert_eq!(bursts, runs(&seen));
            let gaps = seen.iter().zip(seen.iter().skip(1)).filter(|(a, b)| *b - *a > 1);
            let gaps: Vec<_> = gaps.map(|(a, b)| run(a + 1, b - a - 1)).collect();
            prop_assert_eq!(missing, gaps);
        }
    }
}
