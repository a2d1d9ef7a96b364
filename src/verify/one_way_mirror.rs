//! Condition: a mirror delivers one direction only.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::context::Context;
use super::finding::{Finding, FindingKind, Place, Severity};
use super::outcome::JudgedStream;
use crate::meter::StunRecord;
use crate::policy::{Media, Policy};
use crate::terms::{Direction, PointId, Timestamp};

/// Hosts that speak with each other, the smaller address first.
type Pair = (IpAddr, IpAddr);

/// Which directions each point heard of the calls between two hosts.
#[derive(Debug, Default)]
pub(super) struct Directions {
    pairs: BTreeMap<(PointId, Pair), Heard>,
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
    /// Requests and their answers were heard.
    has_answers: bool,
    span: Option<(Timestamp, Timestamp)>,
}

/// As many pairs of hosts heard in the same direction, and none in both, are no accident.
const ENOUGH: usize = 3;
/// As many are enough where another point heard the other direction of them.
const ENOUGH_ANSWERED: usize = 2;
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
    /// Takes in a stream, with the one in the other direction.
    pub(super) fn add(&mut self, stream: &JudgedStream, reverse: Option<&JudgedStream>, policy: &Policy) {
        let media = stream.class.and_then(|class| policy.class(class)).and_then(|class| class.media);
        for hop in &stream.record.hops {
            let (source, destination) = (hop.flow.source.ip(), hop.flow.destination.ip());
            if destination.is_multicast() {
                continue;
            }
            let listener = self.points.entry(hop.point).or_default();
            let (first, last) = listener.span.unwrap_or((hop.first, hop.last));
            listener.span = Some((first.min(hop.first), last.max(hop.last)));
            let pair = (source.min(destination), source.max(destination));
            let heard = self.pairs.entry((hop.point, pair)).or_default();
            heard.from[usize::from(source > destination)] = true;
            heard.has_audio |= media == Some(Media::Audio);
            if policy.is_managed(source) != policy.is_managed(destination) {
                heard.direction = Some(stream.direction);
            }
            heard.is_answered_elsewhere |=
                reverse.is_some_and(|other| other.record.hops.iter().all(|theirs| theirs.point != hop.point));
        }
    }

    /// Takes in STUN: a request and its answer are both directions.
    pub(super) fn add_stun(&mut self, stun: &StunRecord) {
        if stun.responses > 0 {
            self.points.entry(stun.point).or_default().has_answers = true;
        }
    }

    /// The points that hear one direction only.
    pub(super) fn one_way(self) -> Vec<OneWay> {
        let mut found = Vec::new();
        for (point, listener) in self.points {
            let Some(span) = listener.span.filter(|_| !listener.has_answers) else { continue };
            let least = (IpAddr::from([0; 4]), IpAddr::from([0; 4]));
            let here = self.pairs.range((point, least)..).take_while(|((at, _), _)| *at == point);
            let here: Vec<Heard> = here.map(|(_, heard)| *heard).collect();
            let audio: Vec<&Heard> = here.iter().filter(|heard| heard.has_audio).collect();
            if here.iter().any(|heard| heard.from == [true; 2]) || audio.is_empty() {
                continue;
            }
            let direction = audio.first().and_then(|heard| heard.direction);
            let is_one = audio.iter().all(|heard| heard.direction == direction);
            let answered = audio.iter().filter(|heard| heard.is_answered_elsewhere).count();
            let is_told = is_one && direction.is_some();
            let enough = if answered >= ENOUGH_ANSWERED {
                ENOUGH_ANSWERED
            } else if is_told {
                ENOUGH
            } else {
                ENOUGH_OF_ANY
            };
            let is_contradicted = !is_told && audio.iter().any(|heard| heard.direction.is_some());
            if audio.len() >= enough && !is_contradicted {
                let is_answered_elsewhere = answered >= ENOUGH_ANSWERED;
                found.push(OneWay { point, direction, pairs: audio.len(), is_answered_elsewhere, span });
            }
        }
        found
    }
}

impl Context<'_> {
    /// Whether a point hears one direction only.
    pub(super) fn hears_one_way(&self, point: PointId) -> bool {
        self.one_way.iter().any(|one| one.point == point)
    }
}

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for one in context.one_way {
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
