//! What was read: files, damage, drops, and what could not be decoded.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;

use super::numbers::{count, counted, octets, span};
use super::page::{Look, Page};
use crate::meter::{CaptureRecord, MeterCounters};
use crate::report::view::View;

/// How many files are listed; those that are damaged or lack frames come first.
const MOST: usize = 20;

/// How many reasons for not decoding a frame are named.
const REASONS: usize = 8;

/// How many mirror sessions that did not come whole are named.
const SESSIONS: usize = 4;

/// Writes the section.
pub(super) fn write(view: &View<'_>, page: &mut Page<'_>) -> io::Result<()> {
    let captures = &view.outcome.captures;
    page.heading("WHAT WAS READ")?;
    if captures.is_empty() {
        page.sentence("Nothing.")?;
    }
    let mut listed: Vec<&CaptureRecord> = captures.iter().collect();
    if captures.len() > MOST {
        // Stable: otherwise in the order in which they were read.
        let missed = |c: &CaptureRecord| c.dropped.unwrap_or(0) > 0 || c.tunnel_lost().unwrap_or(0) > 0;
        listed.sort_by_key(|c| Reverse((c.damage.is_some(), missed(c))));
        listed.truncate(MOST);
        let frames = captures.iter().map(|c| c.packets).sum();
        let bytes = captures.iter().map(|c| c.bytes).sum();
        let files = counted(captures.len() as u64, "file");
        let damaged = captures.iter().filter(|c| c.damage.is_some()).count() as u64;
        page.sentence(&format!(
            "{files}, {}, {}, {} damaged; of these files:",
            counted(frames, "frame"),
            octets(bytes),
            count(damaged)
        ))?;
    }
    for capture in listed {
        write_capture(view, capture, page)?;
    }
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for (reason, number) in captures.iter().flat_map(|c| &c.undecoded) {
        *reasons.entry(reason).or_default() += number;
    }
    if !reasons.is_empty() {
        page.entry(Look::Faint, "  not decoded  ", &most_frequent(reasons))?;
    }
    for (number, words) in dropped(&view.outcome.counters) {
        if number > 0 {
            page.entry(Look::Faint, "  not counted  ", &format!("{} {words}.", count(number)))?;
        }
    }
    Ok(())
}

fn write_capture(view: &View<'_>, capture: &CaptureRecord, page: &mut Page<'_>) -> io::Result<()> {
    let when = match (capture.first, capture.last) {
        (Some(first), Some(last)) => format!(", {}", span(first, last)),
        _ => String::new(),
    };
    let (file, point) = (view.file(&capture.file), view.point(capture.point));
    let (frames, bytes) = (counted(capture.packets, "frame"), octets(capture.bytes));
    page.sentence(&format!("{file} ({}, point {point}): {frames}, {bytes}{when}", capture.format))?;
    if let Some(damage) = &capture.damage {
        page.entry(Look::Warning, "    damaged    ", &view.text_about(&capture.file, damage))?;
    }
    if let Some(dropped) = capture.dropped.filter(|&dropped| dropped > 0) {
        let words =
            format!("{} by the machine that captured: losses may not be real.", counted(dropped, "frame"));
        page.entry(Look::Warning, "    dropped    ", &words)?;
    }
    match capture.tunnel_lost() {
        Some(lost) if lost > 0 => page.entry(Look::Warning, "    mirror     ", &missing(view, capture, lost)),
        _ => Ok(()),
    }
}

/// Which mirror sessions did not come whole, the worst first.
fn missing(view: &View<'_>, capture: &CaptureRecord, lost: u64) -> String {
    let mut broken: Vec<_> = capture.tunnels.iter().filter(|tunnel| tunnel.count.lost > 0).collect();
    broken.sort_by_key(|tunnel| (Reverse(tunnel.count.lost), tunnel.source, tunnel.session));
    let named = broken.iter().take(SESSIONS).map(|tunnel| {
        let all = counted(tunnel.count.frames.saturating_add(tunnel.count.lost), "frame");
        let (session, switch) = (tunnel.session, view.ip(tunnel.source));
        format!("{} of {all} of ERSPAN session {session} from {switch}", count(tunnel.count.lost))
    });
    let mut words: Vec<String> = named.collect();
    if let Some(rest) = broken.get(SESSIONS..).filter(|rest| !rest.is_empty()) {
        words.push(format!("the rest of {}", counted(rest.len() as u64, "other session")));
    }
    format!(
        "{} lost between switch and here, by the tunnel's own numbers: losses may not be real. {}.",
        counted(lost, "frame"),
        words.join(", ")
    )
}

fn most_frequent(reasons: BTreeMap<&str, u64>) -> String {
    let mut reasons: Vec<(&str, u64)> = reasons.into_iter().collect();
    reasons.sort_by_key(|&(reason, number)| (Reverse(number), reason));
    let mut words: Vec<String> =
        reasons.iter().take(REASONS).map(|(reason, number)| format!("{} {reason}", count(*number))).collect();
    if let Some(rest) = reasons.get(REASONS..).filter(|rest| !rest.is_empty()) {
        words.push(format!("{} for {} other reasons", count(rest.iter().map(|r| r.1).sum()), rest.len()));
    }
    format!("{}: {}.", counted(reasons.iter().map(|r| r.1).sum(), "frame"), words.join(", "))
}

/// What the meter dropped or refused, in words behind the number.
const fn dropped(counters: &MeterCounters) -> [(u64, &'static str); 10] {
    [
        (counters.unconfirmed_rtp_packets, "packets with the form of RTP that never made a stream"),
        (counters.orphan_fragments, "fragments whose first fragment was not heard"),
        (counters.candidates_evicted, "beginnings of streams pushed out of the full table"),
        (counters.streams_evicted, "streams ended early because the table was full: raise its bound"),
        (counters.transactions_evicted, "STUN transactions pushed out of the full table"),
        (counters.packets_beyond_hop_limit, "packets at more hops of a stream than are kept"),
        (counters.records_refused, "streams that are not in this report: max_record_octets was reached"),
        (counters.paths_overflowed, "frames with tags and tunnels beyond the table's bound"),
        (
            counters.packets_beyond_point_limit,
            "packets of mirror sessions beyond 64 points, which stay at the point of their capture",
        ),
        (
            counters.tunnel_frames_unfollowed,
            "frames of more mirror tunnels than are followed: whether some are missing is not known",
        ),
    ]
}
