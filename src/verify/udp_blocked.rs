//! Condition: relay requests over UDP stay without an answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::context::Context;
use super::finding::{Finding, FindingKind, Place, Severity};
use crate::meter::StunRecord;
use crate::terms::Transport;

/// As many transactions without a single answer are no accident of loss.
const ENOUGH: u64 = 3;
/// RFC 8489, section 18.6, and the ports of Microsoft's transport relays.
const RELAY_PORTS: std::ops::RangeInclusive<u16> = 3478..=3481;

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut by_server: BTreeMap<SocketAddr, Vec<&StunRecord>> = BTreeMap::new();
    for record in &context.outcome.stun {
        if record.transport == Transport::Udp && RELAY_PORTS.contains(&record.server.port()) {
            by_server.entry(record.server).or_default().push(record);
        }
    }
    for (server, records) in by_server {
        let sum = |figure: fn(&StunRecord) -> u64| records.iter().map(|r| figure(r)).sum::<u64>();
        let tries = sum(|r| r.unanswered) + sum(|r| r.retransmitted);
        if sum(|r| r.responses) > 0 || sum(|r| r.unmatched) > 0 || tries < ENOUGH {
            continue;
        }
        let (Some(first), Some(last)) =
            (records.iter().map(|r| r.first).min(), records.iter().map(|r| r.last).max())
        else {
            continue;
        };
        let mut clients: Vec<_> = records.iter().map(|r| r.client.ip()).collect();
        clients.sort_unstable();
        clients.dedup();
        let who =
            if clients.len() == 1 { "1 client".to_owned() } else { format!("{} clients", clients.len()) };
        findings.push(Finding {
            kind: FindingKind::UdpBlocked,
            // One client may have a firewall of its own; several share the network's.
            severity: if clients.len() > 1 { Severity::Error } else { Severity::Warning },
            stream: None,
            call: None,
            place: records.first().map_or(Place::Everywhere, |r| Place::Point(r.point)),
            direction: None,
            from: None,
            to: None,
            packets: tries,
            first,
            last,
            message: format!("relay {server} answers none of the STUN requests of {who} ({tries} tries)"),
            advice: "Check that the firewall lets UDP 3478 to 3481 out to the relay and the answers back in.",
        });
    }
}
