//! One kind of STUN request between two addresses as JSON.

use std::borrow::Cow;
use std::net::SocketAddr;

use serde::Serialize;

use super::stream::Modality;
use super::{Counts, Text};
use crate::meter::StunRecord;
use crate::report::view::View;
use crate::terms::{Timestamp, Transport};

/// One item of `stun`.
#[derive(Serialize)]
pub(super) struct Stun<'a> {
    client: SocketAddr,
    server: SocketAddr,
    point: Cow<'a, str>,
    transport: Text<Transport>,
    kind: &'static str,
    first: Text<Timestamp>,
    last: Text<Timestamp>,
    requests: u64,
    responses: u64,
    errors: u64,
    error_codes: Counts<'a, u16>,
    unanswered: u64,
    retransmitted: u64,
    unmatched: u64,
    consent_checks: u64,
    round_trip_seconds: Option<RoundTripFigures>,
    /// Of the requests.
    dscp: Counts<'a, u8>,
    dscp_responses: Counts<'a, u8>,
    relayed: Option<SocketAddr>,
    mapped: Option<SocketAddr>,
    peer: Option<SocketAddr>,
    modality: Option<Text<Modality>>,
}

#[derive(Serialize)]
struct RoundTripFigures {
    min: f64,
    mean: f64,
    p99: f64,
    max: f64,
    samples: u64,
}

impl<'a> Stun<'a> {
    pub(super) fn of(record: &'a StunRecord, view: &'a View<'a>) -> Self {
        let address = |a: Option<SocketAddr>| a.map(|a| view.address(a));
        Self {
            client: view.address(record.client),
            server: view.address(record.server),
            point: view.point(record.point),
            transport: Text(record.transport),
            kind: record.kind,
            first: Text(record.first),
            last: Text(record.last),
            requests: record.requests,
            responses: record.responses,
            errors: record.errors,
            error_codes: Counts(&record.error_codes),
            unanswered: record.unanswered,
            retransmitted: record.retransmitted,
            unmatched: record.unmatched,
            consent_checks: record.consent_checks,
            round_trip_seconds: record.round_trip.map(|r| RoundTripFigures {
                min: r.min,
                mean: r.mean,
                p99: r.p99,
                max: r.max,
                samples: r.samples,
            }),
            dscp: Counts(&record.dscp_requests),
            dscp_responses: Counts(&record.dscp_responses),
            relayed: address(record.facts.relayed),
            mapped: address(record.facts.mapped),
            peer: address(record.facts.peer),
            modality: record.facts.modality.map(|number| Text(Modality(number))),
        }
    }
}
