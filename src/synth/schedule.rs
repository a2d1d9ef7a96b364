//! Which stream of a block sends next, and when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::media::nanoseconds;
use super::plan::PlannedSender;
use super::random::Random;
use super::scenario::Order;

/// The packets of a block in the order of time; the same at every tap.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Packets of a stream, and nanoseconds between them.
    packets: u64,
    interval: i64,
    streams: u32,
    turns: Turns,
}

#[derive(Debug)]
enum Turns {
    /// All streams send in every interval.
    Together { order: Vec<u32>, shuffled: Option<Random>, tick: u64, place: usize },
    /// Streams start one after the other over so many nanoseconds; only those that run are kept.
    Spread { over: i64, begun: u32, running: BinaryHeap<Reverse<(i64, u32, u64)>> },
}

impl Schedule {
    /// The schedule of a block.
    pub(super) fn new(sender: &PlannedSender) -> Self {
        let turns = match sender.stream.spread {
            Some(spread) => Turns::Spread { over: nanoseconds(spread), begun: 0, running: BinaryHeap::new() },
            None => Turns::Together {
                order: (0..sender.count).collect(),
                shuffled: (sender.stream.order == Some(Order::Random))
                    .then(|| Random::new(sender.seed, &[8, sender.number as u64])),
                tick: 0,
                place: 0,
            },
        };
        Self { packets: sender.packets, interval: sender.interval, streams: sender.count, turns }
    }

    /// When the next packet comes, in nanoseconds after the block's first. Per frame.
    pub(super) fn next_at(&self) -> Option<i64> {
        match &self.turns {
            Turns::Together { tick, place, .. } => {
                let ticks = i64::try_from(*tick).unwrap_or(i64::MAX);
                let within = i64::try_from(*place).unwrap_or(0) * self.interval / i64::from(self.streams);
                (*tick < self.packets).then(|| ticks * self.interval + within)
            }
            Turns::Spread { over, begun, running } => {
                let starts = (*begun < self.streams && self.packets > 0).then(|| self.start(*over, *begun));
                let goes_on = running.peek().map(|Reverse((at, _, _))| *at);
                starts.into_iter().chain(goes_on).min()
            }
        }
    }

    fn start(&self, over: i64, stream: u32) -> i64 {
        let part = i128::from(over) * i128::from(stream) / i128::from(self.streams);
        i64::try_from(part).unwrap_or(i64::MAX)
    }

    /// Takes the next packet: its stream, and its number in it. Only while there is a next. Per frame.
    pub(super) fn take(&mut self) -> (u32, u64) {
        let next_at = self.next_at().unwrap_or(0);
        match &mut self.turns {
            Turns::Together { order, shuffled, tick, place } => {
                if let Some(random) = shuffled.as_mut().filter(|_| *place == 0) {
                    random.shuffle(order);
                }
                let turn = (order.get(*place).copied().unwrap_or(0), *tick);
                *place += 1;
                if *place == order.len() {
                    *place = 0;
                    *tick += 1;
                }
                turn
            }
            Turns::Spread { begun, running, .. } => {
                let is_due = running.peek().is_some_and(|Reverse((at, _, _))| *at == next_at);
                let due = if is_due { running.pop() } else { None };
                let (stream, number) = if let Some(Reverse((_, stream, number))) = due {
                    (stream, number)
                } else {
                    *begun += 1;
                    (*begun - 1, 0)
                };
                if number + 1 < self.packets {
                    running.push(Reverse((next_at + self.interval, stream, number + 1)));
                }
                (stream, number)
            }
        }
    }
}
