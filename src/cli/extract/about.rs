//! What a stream is, in words.

use std::fmt::Write;

use crate::evidence::{finding_text, hop_name, interface_name};
use crate::meter::{HopRecord, TapGap};
use crate::pipeline::UNNAMED_POINT;
use crate::terms::{Dscp, PointId};
use crate::verify::{JudgedStream, Outcome};

/// Id, flow, time and packets.
pub(super) fn in_one_line(outcome: &Outcome, number: u32) -> String {
    let id = u64::from(number) + 1;
    match outcome.streams.record(number) {
        Some(record) => {
            let packets = record.hops.iter().map(|hop| hop.packets).max().unwrap_or(0);
            let (flow, first) = (record.flow, record.first);
            format!("s{id}  {} → {}, {packets} packets from {first} on", flow.source, flow.destination)
        }
        None => format!("s{id}"),
    }
}

/// The interface of a point: its name, or its number where there are several without one.
pub(super) fn interface(outcome: &Outcome, point: PointId, number: u16) -> Option<String> {
    let known = outcome.interfaces.get(usize::from(point.0)).map_or(&[][..], Vec::as_slice);
    match known.get(usize::from(number)) {
        Some(Some(name)) => Some(name.clone()),
        _ if number == 0 && known.len() <= 1 => None,
        _ => Some(number.to_string()),
    }
}

/// A point's name.
pub(super) fn point(outcome: &Outcome, point: PointId) -> &str {
    outcome.points.get(usize::from(point.0)).map_or("", String::as_str)
}

/// What the interface is called in the file that is written: by itself where the point was given no name.
pub(super) fn written_name(outcome: &Outcome, of: PointId, interface: Option<&str>) -> String {
    let point = point(outcome, of);
    let is_named = point != UNNAMED_POINT || interface.is_none();
    interface_name(if is_named { point } else { "" }, interface)
}

/// A hop's name, as its place among the stream's hops and in words.
pub(super) fn hop(outcome: &Outcome, stream: (u32, &JudgedStream), place: usize, hop: &HopRecord) -> String {
    let number = hop.path.as_ref().map_or(0, |path| path.interface);
    let name = hop_name(point(outcome, hop.point), interface(outcome, hop.point, number).as_deref(), hop);
    let id = u64::from(stream.0) + 1;
    format!("s{id} hop {} of {} ({name})", place + 1, stream.1.record.hops.len())
}

/// Packets by codepoint: `EF(46) ×300, DF(0) ×2`.
fn codepoints(hop: &HopRecord) -> String {
    let counts = hop.dscp.iter().map(|(value, packets)| match Dscp::try_from(*value) {
        Ok(dscp) => format!("{dscp} ×{packets}"),
        Err(_) => format!("{value} ×{packets}"),
    });
    counts.collect::<Vec<_>>().join(", ")
}

/// Times in which points of these streams missed frames while they were heard there.
pub(super) fn gaps<'a>(
    outcome: &'a Outcome,
    streams: &'a [(u32, JudgedStream)],
) -> impl Iterator<Item = &'a TapGap> {
    let is_in = |gap: &&TapGap| {
        let mut hops = streams.iter().flat_map(|(_, stream)| &stream.record.hops);
        hops.any(|hop| hop.point == gap.point && gap.from <= hop.last && gap.to >= hop.first)
    };
    outcome.gaps.iter().filter(is_in)
}

/// What the streams are, what every hop counted, all findings on them, and what their points missed.
pub(super) fn in_full(outcome: &Outcome, streams: &[(u32, JudgedStream)]) -> String {
    let mut texts: Vec<String> =
        streams.iter().map(|(number, stream)| of_stream(outcome, *number, stream)).collect();
    let gaps: Vec<String> = gaps(outcome, streams)
        .map(|gap| {
            let name = point(outcome, gap.point);
            format!("{name} missed frames from {} to {} ({})", gap.from, gap.to, gap.evidence.as_str())
        })
        .collect();
    if !gaps.is_empty() {
        texts.push(format!("{}\nStatistics of interfaces stand for these times.", gaps.join("\n")));
    }
    texts.join("\n\n")
}

fn of_stream(outcome: &Outcome, number: u32, stream: &JudgedStream) -> String {
    let class = stream.class.and_then(|class| outcome.classes.get(usize::from(class)));
    let class = class.map_or("stream of no known class", String::as_str);
    let mut text =
        format!("s{}: {class}, {}, SSRC {}", u64::from(number) + 1, stream.direction, stream.record.ssrc);
    if let Some(codec) = &stream.codec {
        let _ = write!(text, ", {codec}");
    }
    if let Some(expected) = stream.expected.first() {
        let _ = write!(text, ", {expected} expected");
    }
    for ((place, hop), marking) in stream.record.hops.iter().enumerate().zip(&stream.markings) {
        let name = self::hop(outcome, (number, stream), place, hop);
        let (flow, packets, lost) = (hop.flow, hop.packets, hop.lost());
        let _ = write!(
            text,
            "\n{name}: {} → {}, {packets} packets, {lost} missing, {}, {}",
            flow.source,
            flow.destination,
            codepoints(hop),
            marking.as_str()
        );
    }
    for finding in outcome.findings.iter().filter(|finding| finding.stream == Some(number)) {
        let finding = finding_text(finding.kind, finding.severity, &finding.message, finding.advice);
        let _ = write!(text, "\n{finding}");
    }
    text
}
