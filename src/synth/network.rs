//! The way of one datagram past every tap, and what befalls it.

use super::datagram::{Arrival, Datagram, Tally};
use super::error::SynthError;
use super::frame::ip_packet;
use super::media::nanoseconds;
use super::plan::{Plan, Tap, span};
use super::random::Random;
use super::rewrite::Rewriter;
use super::scenario::{Interval, Segment};
use super::turn;

/// A relay sends packets of its own, with a time to live of its own.
const RELAY_TTL: u8 = 64;

/// The path, with what every sender's packets left behind on it.
#[derive(Debug)]
pub(super) struct Network<'a> {
    plan: &'a Plan,
    /// By carrier, then by segment; the last is the first mile.
    legs: Vec<Vec<Leg>>,
    /// By carrier: streams, blocks, then what has no name.
    names: Vec<Option<&'a str>>,
    /// By tap.
    mirrors: Vec<Random>,
    rewriter: Rewriter,
}

/// What one sender's packets leave behind on one segment.
#[derive(Debug)]
struct Leg {
    random: Random,
    /// When its last packet left: packets queue, so none leaves before.
    last: i64,
}

/// One copy of a datagram under way.
#[derive(Debug, Clone, Copy)]
struct Flight {
    at: i64,
    dscp: u8,
    ecn: u8,
    ttl: u8,
    /// Out of the queue: it was overtaken, or is a second copy.
    apart: bool,
}

impl<'a> Network<'a> {
    pub(super) fn new(plan: &'a Plan, carriers: usize) -> Self {
        let leg = |carrier: usize, segment: usize| Leg {
            random: Random::new(plan.seed, &[2, carrier as u64, segment as u64]),
            last: i64::MIN,
        };
        let segments = plan.taps.len() + 1;
        Self {
            plan,
            legs: (0..carriers).map(|c| (0..segments).map(|s| leg(c, s)).collect()).collect(),
            names: plan
                .senders
                .iter()
                .chain(&plan.blocks)
                .map(|sender| sender.stream.name.as_deref())
                .collect(),
            mirrors: (0..plan.taps.len()).map(|tap| Random::new(plan.seed, &[3, tap as u64])).collect(),
            rewriter: Rewriter::new(plan.seed),
        }
    }

    /// Sends one datagram and says where and when it is heard.
    pub(super) fn carry(&mut self, datagram: &Datagram, heard: &mut Vec<Arrival>) -> Result<(), SynthError> {
        let plan = self.plan;
        let Some(flow) = plan.flows.get(datagram.flow) else { return Ok(()) };
        let relay = flow.relay.as_ref().map(|relay| relay.position);
        let reach = relay.filter(|_| datagram.to_relay).unwrap_or(plan.taps.len());
        let start = Flight {
            at: datagram.at,
            dscp: datagram.dscp,
            ecn: datagram.ecn,
            ttl: datagram.ttl,
            apart: false,
        };
        let mut flights = vec![start];
        if let Some(stream) = plan.senders.get(datagram.carrier).map(|sender| &sender.stream)
            && let Some(first_mile) = &stream.first_mile
        {
            flights = self.cross(datagram, plan.taps.len(), std::slice::from_ref(first_mile), flights);
        }
        let mut datagram = std::borrow::Cow::Borrowed(datagram);
        for step in 0..reach {
            let place = if datagram.reverse { reach - 1 - step } else { step };
            let beyond = if datagram.reverse { place + 1 } else { place };
            let from_relay =
                relay.is_some_and(|at| at == beyond && at < plan.taps.len() && !datagram.to_relay);
            if from_relay {
                for flight in &mut flights {
                    flight.ttl = RELAY_TTL;
                }
            }
            // Against the path, the segment to cross stands with the tap just left.
            if !datagram.reverse || step > 0 {
                flights = self.cross_to(&datagram, beyond, flights);
                // A relay counts what comes to it.
                if let Some(rewrite) = plan.taps.get(beyond).and_then(|tap| tap.rewrite)
                    && !flights.is_empty()
                {
                    self.rewriter.write(beyond, rewrite, datagram.to_mut());
                }
            }
            for flight in &flights {
                self.hear(&datagram, place, *flight, heard)?;
            }
        }
        Ok(())
    }

    /// Over the segment that stands with tap `segment`: routers, delay, then everything else.
    fn cross_to(&mut self, datagram: &Datagram, segment: usize, mut flights: Vec<Flight>) -> Vec<Flight> {
        let Some(tap) = self.plan.taps.get(segment) else { return flights };
        let drop = tap.ttl_drop + longer_way(tap, datagram);
        for flight in &mut flights {
            flight.at += tap.delay;
            flight.ttl = flight.ttl.saturating_sub(drop);
        }
        self.cross(datagram, segment, &tap.segments, flights)
    }

    fn cross(
        &mut self,
        datagram: &Datagram,
        segment: usize,
        rules: &[Segment],
        mut flights: Vec<Flight>,
    ) -> Vec<Flight> {
        let name = self.names.get(datagram.carrier).copied().flatten();
        let Some(leg) = self.legs.get_mut(datagram.carrier).and_then(|legs| legs.get_mut(segment)) else {
            return flights;
        };
        let applies = |rule: &&Segment| {
            rule.direction.covers(datagram.reverse)
                && (rule.streams.is_empty()
                    || name.is_some_and(|name| rule.streams.iter().any(|meant| meant == name)))
        };
        for rule in rules.iter().filter(applies) {
            let start = self.plan.start;
            let is_down = |at: i64| {
                let meets = |interval: &Interval| {
                    let (from, to) = span(start, *interval);
                    (from..to).contains(&at)
                };
                rule.down.iter().any(meets)
            };
            flights.retain(|flight| !is_down(flight.at));
            flights = flights.into_iter().flat_map(|flight| leg.cross(datagram, rule, flight)).collect();
        }
        for flight in flights.iter_mut().filter(|flight| !flight.apart) {
            flight.at = flight.at.max(leg.last.saturating_add(1_000));
            leg.last = flight.at;
        }
        flights
    }

    fn hear(
        &mut self,
        datagram: &Datagram,
        place: usize,
        flight: Flight,
        heard: &mut Vec<Arrival>,
    ) -> Result<(), SynthError> {
        let plan = self.plan;
        let (Some(tap), Some(flow)) = (plan.taps.get(place), plan.flows.get(datagram.flow)) else {
            return Ok(());
        };
        let Some(mirror) = self.mirrors.get_mut(place) else { return Ok(()) };
        if !tap.mirror_direction.covers(datagram.reverse) {
            return Ok(());
        }
        let missed = (!datagram.calm && mirror.chance(tap.mirror_loss)) || tap.is_silent(flight.at);
        let doubled = !datagram.calm && mirror.chance(tap.mirror_duplicates);
        let (source, destination) = flow.ends(place, datagram.reverse);
        let packet = if missed {
            Vec::new()
        } else {
            let is_media = !matches!(datagram.tally, Tally::Stun(_)) && !datagram.to_relay;
            let relay = flow.framed(place).filter(|_| is_media);
            let framed = relay.map(|relay| turn::frame(relay, flow.far, &datagram.payload, datagram.reverse));
            let payload = framed.as_ref().unwrap_or(&datagram.payload);
            let class = flight.dscp << 2 | flight.ecn;
            ip_packet(source, destination, class, flight.ttl, datagram.identification, payload)?
        };
        let arrival = Arrival {
            at: flight.at,
            tap: place,
            flow: datagram.flow,
            reverse: datagram.reverse,
            ttl: flight.ttl,
            dscp: flight.dscp,
            ecn: flight.ecn,
            packet,
            tally: datagram.tally,
        };
        if doubled && !missed {
            heard.push(Arrival { at: flight.at + 3_000, ..arrival.clone() });
        }
        heard.push(arrival);
        Ok(())
    }
}

impl Leg {
    /// What one segment makes of one copy: none, one or two.
    fn cross(&mut self, datagram: &Datagram, rule: &Segment, mut flight: Flight) -> Vec<Flight> {
        let listed = datagram.number.is_some_and(|number| {
            rule.lose.contains(&number)
                || rule.bursts.iter().any(|run| (run.at..run.at + run.packets).contains(&number))
        });
        if listed || (!datagram.calm && self.random.chance(rule.loss)) {
            return Vec::new();
        }
        if let Some(remark) = rule.remark.iter().find(|remark| remark.from.fits(flight.dscp)) {
            flight.dscp = remark.to.0.value();
        }
        if flight.ecn != 0 && self.random.chance(rule.congestion) {
            flight.ecn = 3;
        }
        if !datagram.calm && self.random.chance(rule.reorder) {
            // Half an interval more than the packets that shall overtake it need.
            let by = i64::from(rule.reorder_by.unwrap_or(2));
            flight.at += by * datagram.spacing + datagram.spacing / 2;
            flight.apart = true;
        } else if rule.jitter > 0.0 {
            flight.at += nanoseconds(self.random.normal().abs() * rule.jitter);
        }
        if !datagram.calm && self.random.chance(rule.duplicates) {
            let later = i64::try_from(self.random.between(20_000, 400_000)).unwrap_or(0);
            return vec![flight, Flight { at: flight.at + later, apart: true, ..flight }];
        }
        vec![flight]
    }
}

/// Routers that this packet passes and others do not.
fn longer_way(tap: &Tap, datagram: &Datagram) -> u8 {
    let Some(number) = datagram.number else { return 0 };
    let balanced = u8::from(tap.ecmp && number % 2 == 1);
    let rerouted = if tap.reroute_at.is_some_and(|at| number >= at) { 2 } else { 0 };
    balanced + rerouted
}
