//! What is not RTP is not reported, however much its header looks like it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "fields are filled by their low bits"
)]
#![allow(clippy::cast_precision_loss, reason = "numbers of packets are small")]

mod common;

use common::traffic::{Sender, Traffic, check_all, like_rtp};
use common::{Random, ms};

#[test]
fn random_datagrams_are_no_streams() {
    let sender: fn(&mut Random) -> Sender = |_| {
        Box::new(|random, _, _| {
            let octets = random.between(1, 200) as usize;
            random.octets(octets)
        })
    };
    check_all([Traffic::new("random payloads", 40_000, sender).flows(20_000).packets(10, 10)]);
}

#[test]
fn random_sequence_numbers_are_no_streams() {
    let sender: fn(&mut Random) -> Sender = |random| {
        let (first, step) = (random.u32(), random.pick(&[80, 160, 240, 320, 960, 1920, 3000]));
        like_rtp(random, move |random, i, _| (random.u16(), first.wrapping_add(i.wrapping_mul(step))))
    };
    check_all([Traffic::new("random sequence numbers", 40_000, sender)
        .flows(2000)
        .packets(10, 200)
        .every(ms(20), ms(20))]);
}

#[test]
fn headers_of_the_right_form_that_count_wrong_are_no_streams() {
    check_all([
        Traffic::new("one sequence number", 40_000, |random| {
            let (sequence, first) = (random.u16(), random.u32());
            like_rtp(random, move |_, i, _| (sequence, first.wrapping_add(i * 160)))
        }),
        Traffic::new("sequence numbers among a few, in no order", 40_000, |random| {
            let (base, first, range) = (random.u16(), random.u32(), random.pick(&[4, 16, 64]));
            like_rtp(random, move |random, i, _| {
                (base.wrapping_add(random.below(range) as u16), first.wrapping_add(i * 160))
            })
        })
        .packets(10, 200),
        Traffic::new("sequence number counts down", 40_000, |random| {
            let (sequence, first) = (random.u16(), random.u32());
            like_rtp(random, move |_, i, _| (sequence.wrapping_sub(i as u16), first.wrapping_add(i * 160)))
        }),
        Traffic::new("sequence number counts in the other order of octets", 40_000, |random| {
            let (sequence, first) = (random.u16(), random.u32());
            like_rtp(random, move |_, i, _| {
                (sequence.wrapping_add(i as u16).swap_bytes(), first.wrapping_add(i * 160))
            })
        }),
        Traffic::new("random timestamps", 40_000, |random| {
            let sequence = random.u16();
            like_rtp(random, move |random, i, _| (sequence.wrapping_add(i as u16), random.u32()))
        })
        .packets(10, 200),
        Traffic::new("random 16-bit timestamps", 40_000, |random| {
            let sequence = random.u16();
            like_rtp(random, move |random, i, _| (sequence.wrapping_add(i as u16), random.u16().into()))
        })
        .packets(10, 200),
        Traffic::new("timestamps that run back", 40_000, |random| {
            let (sequence, first) = (random.u16(), random.u32());
            like_rtp(random, move |_, i, _| (sequence.wrapping_add(i as u16), first.wrapping_sub(i * 160)))
        }),
        Traffic::new("one header again and again", 40_000, |random| {
            let (sequence, timestamp) = (random.u16(), random.u32());
            like_rtp(random, move |_, _, _| (sequence, timestamp))
        }),
        Traffic::new("one timestamp", 40_000, |random| {
            let (sequence, timestamp) = (random.u16(), random.u32());
            like_rtp(random, move |_, i, _| (sequence.wrapping_add(i as u16), timestamp))
        }),
        Traffic::new("two counters", 40_000, |random| {
            let (sequence, timestamp, step) = (random.u16(), random.u32(), random.pick(&[1, 2, 16]));
            like_rtp(random, move |_, i, _| {
                (sequence.wrapping_add(i as u16), timestamp.wrapping_add(i * step))
            })
        })
        .packets(10, 200),
        Traffic::new("a counter of packets and one of octets", 40_000, |random| {
            let (sequence, timestamp) = (random.u16(), random.u32());
            like_rtp(random, move |_, i, _| {
                (sequence.wrapping_add(i as u16), timestamp.wrapping_add(i * 1200))
            })
        })
        .packets(10, 200)
        .every(ms(1) / 10, ms(4)),
    ]);
}

/// A counter and a clock that is read when the packet is sent, in this many ticks a second.
fn clocked(random: &mut Random, ticks_per_second: f64) -> Sender {
    let (sequence, start) = (random.u16(), random.u32());
    like_rtp(random, move |_, i, at| {
        let ticks = (at as f64 / 1e9 * ticks_per_second) as u64 as u32;
        (sequence.wrapping_add(i as u16), start.wrapping_add(ticks))
    })
}

#[test]
fn counters_beside_clocks_of_other_kinds_are_no_streams() {
    check_all([
        Traffic::new("seconds", 40_000, |random| clocked(random, 1.0)).packets(10, 200),
        Traffic::new("game ticks", 40_000, |random| clocked(random, 60.0)).packets(10, 200),
        Traffic::new("milliseconds", 40_000, |random| clocked(random, 1e3)).packets(10, 200),
        Traffic::new("milliseconds, at 5 ms", 40_000, |random| clocked(random, 1e3)).every(ms(4), ms(6)),
        Traffic::new("milliseconds, at 100 ms", 40_000, |random| clocked(random, 1e3)).every(ms(50), ms(150)),
        Traffic::new("milliseconds, in bursts", 40_000, |random| clocked(random, 1e3)).every(0, ms(1)),
        Traffic::new("units of NTP, 1/65536 s", 40_000, |random| clocked(random, 65_536.0)).packets(10, 200),
        Traffic::new("microseconds", 40_000, |random| clocked(random, 1e6)).packets(10, 200),
        Traffic::new("microseconds, at 1 ms", 40_000, |random| clocked(random, 1e6)).every(ms(1) / 2, ms(2)),
        Traffic::new("tenths of a microsecond", 40_000, |random| clocked(random, 1e7)),
        Traffic::new("nanoseconds", 40_000, |random| clocked(random, 1e9)),
        Traffic::new("seconds as a floating-point number", 40_000, |random| {
            let (sequence, start) = (random.u16(), random.between(10, 2000) as f32);
            like_rtp(random, move |_, i, at| {
                let time = start + at as f32 / 1e9;
                (sequence.wrapping_add(i as u16), time.to_bits())
            })
        })
        .packets(10, 200),
    ]);
}
