//! Condition: a mirror delivers one direction only.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hashbrown::HashMap;

use super::context::Context;
use super::finding::{Finding, FindingKind, Place, Severity};
use super::outcome::JudgedStream;
use crate::meter::{HopRecord, StunRecord};
use crate::policy::{Media, Policy};
use crate::terms::{Direction, FlowKey, PointId, Timestamp};

/// Hosts that speak with each other, the smaller address first.
type Pair = (IpAddr, IpAddr);

/// Which directions each point heard of the calls between two hosts. Of a point that heard both of any two hosts,
/// nothing more is kept.
#[derive(Debug, Default)]
pub(super) struct Directions {
    pairs: HashMap<(PointId, Pair), Heard>,
    points: BTreeMap<PointId, Listener>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    /// From the smaller address, and from the greater.
    from: [bool; 2],
    /// What the policy calls it, where one end is managed and the other is not.
    direction: Option<Direction>,
    has_audio: bool,
    /// The other direction was heard at another point.
    is_answered_elsewhere: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Listener {
    /// Packets of two hosts were heard both ways.
    hears_both: bool,
    /// Pairs of hosts that are kept.
    pairs: usize,
    span: Option<(Timestamp, Timestamp)>,
}

impl Listener {
    const fn wants_more(&self) -> bool {
        !self.hears_both && self.pairs < MOST
    }
}

/// A hop, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passage {
    pub(super) point: PointId,
    pub(super) flow: FlowKey,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl Passage {
    pub(super) const fn of(hop: &HopRecord) -> Self {
        let HopRecord { point, flow, first, last, .. } = *hop;
        Self { point, flow, first, last }
    }
}

/// A stream, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub(super) class: Option<u8>,
    pub(super) direction: Direction,
    /// The stream in the other direction.
    pub(super) reverse_of: Option<u32>,
}

impl Way {
    pub(super) const fn of(stream: &JudgedStream) -> Self {
        let JudgedStream { class, direction, reverse_of, .. } = *stream;
        Self { class, direction, reverse_of }
    }
}

/// As many pairs of hosts heard in the same direction, and none in both, are no accident.
const ENOUGH: usize = 3;
/// As many are enough where another point heard the other direction of them.
const ENOUGH_ANSWERED: usize = 2;
/// Of more pairs of hosts at a point the others are not looked at: so many tell.
const MOST: usize = 4096;
/// As many are enough where it is not known which side each host is on.
const ENOUGH_OF_ANY: usize = 8;

/// A point that hears one direction only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OneWay {
    point: PointId,
    /// Which one, where the hosts' sides are known.
    direction: Option<Direction>,
    pairs: usize,
    is_answered_elsewhere: bool,
    span: (Timestamp, Timestamp),
}

impl Directions {
    /// Takes in one hop of a stream; `points_of` says at which points another one was heard.
    pub(super) fn add<P: IntoIterator<Item = PointId>>(
        &mut self,
        hop: &Passage,
        way: &Way,
        points_of: impl Fn(u32) -> P,
        policy: &Policy,
    ) {
        let (source, destination) = (hop.flow.source.ip(), hop.flow.destination.ip());
        let listener = self.points.entry(hop.point).or_default();
        if !listener.wants_more() || destination.is_multicast() {
            return;
        }
        let (first, last) = listener.span.unwrap_or((hop.first, hop.last));
        listener.span = Some((first.min(hop.first), last.max(hop.last)));
        let pair = (source.min(destination), source.max(destination));
        let key = (hop.point, pair);
        let heard = self.pairs.entry(key).or_insert_with(|| {
            listener.pairs += 1;
            Heard::default()
        });
        heard.from[usize::from(source > destination)] = true;
        listener.hears_both = heard.from == [true; 2];
        let media = way.class.and_then(|class| policy.class(class)).and_then(|class| class.media);
        heard.has_audio |= media == Some(Media::Audio);
        if policy.is_managed(source) != policy.is_managed(destination) {
            heard.direction = Some(way.direction);
        }
        heard.is_answered_elsewhere |= way
            .reverse_of
            .is_some_and(|other| points_of(other).into_iter().all(|theirs| theirs != hop.point));
    }

    /// Whether a hop at a point may tell anything new.
    pub(super) fn are_wanted(&self, point: PointId) -> bool {
        self.points.get(&point).is_none_or(Listener::wants_more)
    }

    /// Takes in STUN: a request and its answer are both directions.
    pub(super) fn add_stun(&mut self, stun: &StunRecord) {
        self.points.entry(stun.point).or_default().hears_both |= stun.responses > 0;
    }

    /// The points that hear one direction only, in their order.
    pub(super) fn one_way(self) -> Vec<OneWay> {
        let mut calls: BTreeMap<PointId, Calls> = BTreeMap::new();
        for ((point, _), heard) in self.pairs.iter().filter(|(_, heard)| heard.has_audio) {
            let calls = calls.entry(*point).or_default();
            match heard.direction {
                Some(Direction::Forward) => calls.forward += 1,
                Some(Direction::Reverse) => calls.reverse += 1,
                None => calls.untold += 1,
            }
            calls.answered += usize::from(heard.is_answered_elsewhere);
        }
        let found = self.points.into_iter().filter(|(_, listener)| !listener.hears_both);
        found.filter_map(|(point, listener)| calls.get(&point)?.one_way(point, listener.span?)).collect()
    }
}

/// Pairs of hosts with audio that a point heard in one direction.
#[derive(Debug, Clone, Copy, Default)]
struct Calls {
    forward: usize,
    reverse: usize,
    /// Both ends are managed, or none is.
    untold: usize,
    /// Whose other direction was heard at another point.
    answered: usize,
}

impl Calls {
    fn one_way(self, point: PointId, span: (Timestamp, Timestamp)) -> Option<OneWay> {
        let (direction, usually_enough) = match (self.forward, self.reverse, self.untold) {
            (_, 0, 0) => (Some(Direction::Forward), ENOUGH),
            (0, _, 0) => (Some(Direction::Reverse), ENOUGH),
            (_, 0, _) | (0, _, _) => (None, ENOUGH_OF_ANY),
            _ => return None,
        };
        let is_answered_elsewhere = self.answered >= ENOUGH_ANSWERED;
        let enough = if is_answered_elsewhere { ENOUGH_ANSWERED } else { usually_enough };
        let pairs = self.forward + self.reverse + self.untold;
        (pairs >= enough).then_some(OneWay { point, direction, pairs, is_answered_elsewhere, span })
    }
}

impl Context<'_> {
    /// Whether a point hears one direction only.
    pub(super) fn hears_one_way(&self, point: PointId) -> bool {
        self.mirrors.one_way.iter().any(|one| one.point == point)
    }
}

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for one in &context.mirrors.one_way {
        let point = context.outcome.points.get(usize::from(one.point.0)).map_or("?", String::as_str);
        let direction = one.direction.map_or("one", |direction| match direction {
            Direction::Forward => "the forward",
            Direction::Reverse => "the reverse",
        });
        let elsewhere = if one.is_answered_elsewhere { "; another point hears the other one" } else { "" };
        findings.push(Finding {
            kind: FindingKind::OneWayMirror,
            severity: Severity::Warning,
            stream: None,
            call: None,
            place: Place::Point(one.point),
            direction: one.direction,
            from: None,
            to: None,
            packets: 0,
            first: one.span.0,
            last: one.span.1,
            message: format!(
                "the mirror of {point} delivers {direction} direction only: so it is with the calls of all {} \
                 pairs of hosts{elsewhere}",
                one.pairs
            ),
            advice: "Mirror both directions of the port (rx and tx), or the port of the way back if that is another one.",
        });
    }
}
