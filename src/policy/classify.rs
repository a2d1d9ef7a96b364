//! Which class a stream belongs to, and what told so.

use super::rule::{PortSide, Rule};
use super::{Policy, cadence};
use crate::terms::{ClockRate, FlowKey};

/// What a stream's class was decided from, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Evidence {
    /// TURN's Allocate request named the modality (MS-Service-Quality).
    TurnModality,
    /// The client's port lies in a class's range.
    ClientPort(u16),
    /// The service's port belongs to a class.
    ServicePort(u16),
    /// The payload type is a known convention.
    PayloadType(u8),
    /// Packet interval, size and clock rate look like a class.
    Cadence,
    /// Nothing told.
    #[default]
    None,
}

/// What is known of a stream when its class is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// The 5-tuple of the stream, the sender first.
    pub flow: FlowKey,
    /// MS-Service-Quality of the flow's Allocate request, where one was heard.
    pub modality: Option<u16>,
    /// The payload type that most packets have.
    pub payload_type: Option<u8>,
    /// That payload type's clock rate, where known.
    pub clock_rate: Option<ClockRate>,
    /// Median time between packets.
    pub packet_interval_seconds: Option<f32>,
    /// Mean length of the IP packet.
    pub mean_octets: f32,
}

/// A class, and the port that names it.
type Match = (u8, u16);

impl Policy {
    /// The class of a stream, by the strongest evidence there is: TURN's modality, the client's port, the
    /// service's port, the payload type, the cadence. None where nothing tells.
    #[must_use]
    pub fn classify(&self, question: &Question) -> (Option<u8>, Evidence) {
        let payload_type = |number| self.class_of_payload_type(number, question.clock_rate);
        let decided = None
            .or_else(|| self.by_modality(question.modality?).map(|class| (class, Evidence::TurnModality)))
            .or_else(|| self.by_client_port(&question.flow).map(|(c, port)| (c, Evidence::ClientPort(port))))
            .or_else(|| {
                self.by_service_port(&question.flow).map(|(c, port)| (c, Evidence::ServicePort(port)))
            })
            .or_else(|| {
                let number = question.payload_type?;
                payload_type(number).map(|class| (class, Evidence::PayloadType(number)))
            })
            .or_else(|| self.by_cadence(question).map(|class| (class, Evidence::Cadence)));
        decided.map_or((None, Evidence::None), |(class, evidence)| (Some(class), evidence))
    }

    fn by_modality(&self, modality: u16) -> Option<u8> {
        let place = self.classes.iter().position(|class| class.turn_modality.contains(&modality))?;
        u8::try_from(place).ok()
    }

    /// The client sets the marking, so its port counts. Where both ends' ports lie in ranges, the client is the
    /// end that is managed; where both are (a call between two clients), each marks what it sends.
    fn by_client_port(&self, flow: &FlowKey) -> Option<Match> {
        let (sender, receiver) = self.match_ends(PortSide::Client, flow);
        let receiver_is_client = !self.is_managed(flow.source.ip()) && self.is_managed(flow.destination.ip());
        match (sender, receiver) {
            (Some(_), Some(at_receiver)) if receiver_is_client => Some(at_receiver),
            (sender, receiver) => sender.or(receiver),
        }
    }

    /// Where both ends' ports belong to services, the service is the end that is not managed; where that does not
    /// tell them apart and they are of different classes, nothing is said.
    fn by_service_port(&self, flow: &FlowKey) -> Option<Match> {
        let (sender, receiver) = self.match_ends(PortSide::Service, flow);
        let managed = (self.is_managed(flow.source.ip()), self.is_managed(flow.destination.ip()));
        match (sender, receiver, managed) {
            (Some(at_sender), Some(_), (false, true)) => Some(at_sender),
            (Some(_), Some(at_receiver), (true, false)) => Some(at_receiver),
            (Some(at_sender), Some(at_receiver), _) => (at_sender.0 == at_receiver.0).then_some(at_receiver),
            (sender, receiver, _) => sender.or(receiver),
        }
    }

    /// Class and port of the first rule that matches the sender, and of the first that matches the receiver.
    fn match_ends(&self, side: PortSide, flow: &FlowKey) -> (Option<Match>, Option<Match>) {
        let first = |matches: fn(&Rule, &FlowKey) -> Option<u16>| {
            self.rules
                .iter()
                .filter(|rule| rule.side == side)
                .find_map(|rule| matches(rule, flow).map(|port| (rule.class, port)))
        };
        (first(Rule::matches_sender), first(Rule::matches_receiver))
    }

    fn by_cadence(&self, question: &Question) -> Option<u8> {
        let media =
            cadence::media(question.clock_rate, question.packet_interval_seconds, question.mean_octets)?;
        self.class_of_media(media)
    }
}
