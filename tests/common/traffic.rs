//! Traffic that is not RTP: many flows of one kind, from senders that keep to its rules.

use std::net::{Ipv4Addr, SocketAddr};

use super::run::{names, streams};
use super::{Capture, Random, Udp, ms, report, rtp, s};

/// Makes the payload of a flow's next packet, which is sent at this time.
pub(crate) type Sender = Box<dyn FnMut(&mut Random, u32, i64) -> Vec<u8>>;

/// Traffic of one kind.
pub(crate) struct Traffic {
    name: &'static str,
    flows: u32,
    packets: (i64, i64),
    /// Shortest and longest time between packets.
    interval: (i64, i64),
    port: u16,
    /// Of one flow.
    sender: fn(&mut Random) -> Sender,
}

impl Traffic {
    pub(crate) const fn new(name: &'static str, port: u16, sender: fn(&mut Random) -> Sender) -> Self {
        Self { name, flows: 120, packets: (10, 60), interval: (ms(15), ms(25)), port, sender }
    }

    pub(crate) const fn flows(self, flows: u32) -> Self {
        Self { flows, ..self }
    }

    pub(crate) const fn packets(self, least: i64, most: i64) -> Self {
        Self { packets: (least, most), ..self }
    }

    pub(crate) const fn every(self, shortest: i64, longest: i64) -> Self {
        Self { interval: (shortest, longest), ..self }
    }

    fn capture(&self, seed: u64) -> Capture {
        let mut random = Random::new(seed);
        let mut capture = Capture::new();
        for number in 0..self.flows {
            let client = Ipv4Addr::from(0x0A00_0000 + number + 1);
            let client_port = 1024 + random.below(60_000) as u16;
            let mut flow =
                Udp::between(SocketAddr::new(client.into(), client_port), ([192, 0, 2, 9], self.port).into());
            if random.below(2) == 0 {
                flow = flow.reversed();
            }
            let mut sender = (self.sender)(&mut random);
            let mut at = random.between(0, s(5));
            // A sender has its own rhythm: even, or not.
            let is_even = random.below(2) == 0;
            let rhythm = random.between(self.interval.0, self.interval.1);
            for i in 0..random.between(self.packets.0, self.packets.1) as u32 {
                capture.add(at, flow.frame(&sender(&mut random, i, at)));
                at += if is_even {
                    // No sender is exact.
                    (rhythm + random.between(-200_000, 200_000)).max(0)
                } else {
                    random.between(self.interval.0, self.interval.1)
                };
            }
        }
        capture
    }

    fn check(&self, seed: u64) -> Result<(), String> {
        let report = report(&self.capture(seed));
        let found = streams(&report);
        if found.is_empty() {
            return Ok(());
        }
        Err(format!("{}: {} streams in {} flows: {}", self.name, found.len(), self.flows, names(&report)))
    }
}

#[track_caller]
pub(crate) fn check_all(traffic: impl IntoIterator<Item = Traffic>) {
    let results = (1..).zip(traffic).map(|(seed, traffic)| traffic.check(seed));
    let wrong: Vec<String> = results.filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "reported as RTP:\n{}", wrong.join("\n"));
}

/// Payload types that a sceptic would try: those that RFC 3551 assigns, and dynamic ones.
pub(crate) const PAYLOAD_TYPES: [u8; 16] = [0, 3, 8, 9, 10, 13, 18, 26, 31, 33, 34, 96, 101, 107, 111, 127];

/// A sender of packets with the form of RTP, one payload type and one SSRC.
pub(crate) fn like_rtp(
    random: &mut Random,
    mut fields: impl FnMut(&mut Random, u32, i64) -> (u16, u32) + 'static,
) -> Sender {
    let (payload_type, ssrc) = (random.pick(&PAYLOAD_TYPES), random.u32());
    let octets = random.between(20, 300) as usize;
    Box::new(move |random, i, at| {
        let (sequence, timestamp) = fields(random, i, at);
        rtp(payload_type, sequence, timestamp, ssrc, octets)
    })
}

/// Fields in network order, then zeros or a random rest.
pub(crate) fn fields(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}
