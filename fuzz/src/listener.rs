//! Everything that a replay does with what it hears, in one call.

use std::hint::black_box;

use hopmark::decode::stun::StunMessage;
use hopmark::decode::{Decoder, Message, Observation, Options, Path, PathTable};
use hopmark::meter::{
    ClockSource, Limits, Meter, MeterCounters, StreamRecord, StunRecord, TunnelRecord, Tunnels,
};
use hopmark::policy::static_clock_rate;
use hopmark::terms::{Frame, PointId};

use crate::laws;

/// Bounds so small that a short input meets them, and one point alone.
pub const NARROW: Limits = Limits {
    max_streams: 3,
    max_candidates: 4,
    max_hops: 3,
    max_transactions: 4,
    max_stun_pairs: 4,
    max_addresses: 6,
    has_other_points: false,
    newest_samples: 0,
    samples_per_second: 2,
    stream_timeout_ns: 60_000_000_000,
    stun_timeout_ns: 39_500_000_000,
};

/// What a listener heard.
pub struct Heard {
    /// All streams, in the order in which they ended.
    pub streams: Vec<StreamRecord>,
    /// All pairs of STUN client and server.
    pub stun: Vec<StunRecord>,
    /// What was dropped on the way.
    pub counters: MeterCounters,
    /// Mirrors that number their frames.
    pub tunnels: Vec<TunnelRecord>,
}

/// Hears the frames of one observation point.
pub struct Listener {
    decoder: Decoder,
    meter: Meter,
    tunnels: Tunnels,
    rtp_packets: u64,
}

/// A meter that knows the clock rates of RFC 3551.
#[must_use]
pub fn meter(point: PointId, limits: Limits, seed: u64) -> Meter {
    let rate_of = |payload_type| static_clock_rate(payload_type).map(|rate| (rate, ClockSource::Static));
    Meter::new(point, limits, rate_of, seed)
}

impl Listener {
    /// One that has heard nothing.
    #[must_use]
    pub fn new(point: PointId, limits: Limits, seed: u64) -> Self {
        let decoder = Decoder::new(seed, Options::default());
        Self { decoder, meter: meter(point, limits, seed), tunnels: Tunnels::new(seed), rtp_packets: 0 }
    }

    /// Hears a frame; `look` sees what it was decoded to.
    pub fn hear(&mut self, frame: &Frame<'_>, mut look: impl FnMut(&Observation<'_>, &PathTable)) {
        let Self { decoder, meter, tunnels, rtp_packets } = self;
        let heard = decoder.decode(frame, |o, paths| {
            touch(o, paths);
            look(o, paths);
            *rtp_packets += u64::from(matches!(o.message, Message::Rtp(_)));
            meter.observe(o, paths);
        });
        if let Err(reason) = heard {
            black_box(reason.as_str());
        }
        if let Some(mirrored) = decoder.take_mirrored() {
            tunnels.note((frame.interface, 0), &mirrored, frame.timestamp);
        }
    }

    /// Ends everything. Panics where a record breaks a law.
    #[must_use]
    pub fn finish(self) -> Heard {
        let tunnels = self.tunnels.finish();
        tunnels.iter().for_each(laws::of_tunnel);
        Heard { tunnels, ..finish(self.meter, self.decoder.paths(), self.rtp_packets) }
    }
}

/// Ends a meter that took in so many RTP packets. Panics where a record breaks a law.
#[must_use]
pub fn finish(mut meter: Meter, paths: &PathTable, rtp_packets: u64) -> Heard {
    let mut streams = meter.take_ended();
    let (stun, counters) = meter.finish(paths, |record| streams.push(record.clone()));
    for stream in &streams {
        laws::of_stream(stream);
    }
    stun.iter().for_each(laws::of_stun);
    laws::of_sum(&streams, &counters, rtp_packets);
    Heard { streams, stun, counters, tunnels: Vec::new() }
}

/// Reads everything that can be read of an observation.
fn touch(o: &Observation<'_>, paths: &PathTable) {
    let path = paths.path(o.path);
    black_box((o.flow(), path.and_then(Path::pcp), path.and_then(Path::user_priority)));
    for layer in path.map_or(&[][..], |p| &p.layers) {
        black_box(layer.to_string());
    }
    if let Message::Stun(message) = o.message {
        touch_stun(&message);
    }
}

fn touch_stun(m: &StunMessage<'_>) {
    let attributes: usize = m.attributes().map(|a| 4 + a.value.len()).sum();
    assert!(20 + attributes <= m.bytes().len(), "attributes of {attributes} octets in {}", m.bytes().len());
    assert!(m.data().is_none_or(|data| data.len() <= m.bytes().len()));
    black_box((m.format(), m.class(), m.method(), m.kind(), m.transaction_id(), m.ms_version()));
    black_box((m.mapped_address(), m.relayed_address(), m.peer_address(), m.channel_number()));
    black_box((m.lifetime_seconds(), m.error_code(), m.requested_transport(), m.has_username()));
    black_box((m.use_candidate(), m.ice_role(), m.software(), m.realm(), m.ms_service_quality()));
}
