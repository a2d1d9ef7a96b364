//! The paths of the worst calls, drawn hop by hop in both directions.

use std::collections::BTreeSet;
use std::io;

use super::numbers::{count, millis, percent};
use super::page::{Look, Page};
use super::picture::{Lane, Link, Seen, Station, draw};
use super::place::of_hop_in_words;
use super::streams::at_hop;
use crate::meter::HopRecord;
use crate::policy::Expectation;
use crate::report::view::{CallId, StreamId, View};
use crate::report::worst::worst_of_calls;
use crate::terms::Direction;
use crate::verify::{JoinedBy, JudgedStream, Marking, Segment};

/// How many calls are drawn.
const CALLS: usize = 3;

/// How many hops of a stream are drawn.
const HOPS: usize = 16;

/// Segments whose doubts are spelled out.
const DOUBTS: usize = 4;

/// Draws the worst calls of which a stream was seen at several hops.
pub(super) fn write(view: &View<'_>, page: &mut Page<'_>) -> io::Result<()> {
    let calls = CALLS.min(view.options.worst);
    let worst = worst_of_calls(view.outcome, calls, |note| note.has_segments);
    let mut legend = Legend::default();
    for number in &worst {
        let Some(stream) = view.outcome.streams.get(*number) else { continue };
        let class = view.class(stream.class).map(|class| format!(", {class}")).unwrap_or_default();
        page.heading(&format!("PATH of call {}{class}", CallId(stream.call)))?;
        let back = stream.reverse_of.and_then(|number| Some((number, view.outcome.streams.get(number)?)));
        let back = back.as_ref().map(|(number, stream)| (*number, &**stream));
        let (forward, reverse) = match stream.direction {
            Direction::Forward => (Some((*number, &*stream)), back),
            Direction::Reverse => (back, Some((*number, &*stream))),
        };
        write_call(view, forward, reverse, &mut legend, page)?;
    }
    legend.write(page)
}

type Numbered<'a> = (u32, &'a JudgedStream);

fn write_call(
    view: &View<'_>,
    forward: Option<Numbered<'_>>,
    reverse: Option<Numbered<'_>>,
    legend: &mut Legend,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let there = forward.map(|one| (stations(one.1, view), lane(one, legend)));
    let back = reverse.map(|one| (stations(one.1, view), lane(one, legend)));
    match (there, back) {
        (Some((stations, lane)), Some((mut others, back))) => {
            others.reverse();
            if stations == others {
                draw(&stations, &[lane, backwards(back)], page)?;
            } else {
                others.reverse();
                draw(&stations, &[lane], page)?;
                page.blank()?;
                draw(&others, &[back], page)?;
            }
        }
        (Some((stations, lane)), None) => {
            draw(&stations, &[lane], page)?;
            page.blank()?;
            page.line(&[(Look::Plain, "  reverse    not heard")])?;
        }
        (None, Some((stations, lane))) => {
            page.line(&[(Look::Plain, "  forward    not heard")])?;
            page.blank()?;
            draw(&stations, &[lane], page)?;
        }
        (None, None) => {}
    }
    page.blank()?;
    for one in [forward, reverse].into_iter().flatten() {
        write_flows(view, one, page)?;
        write_doubts(view, one, page)?;
    }
    Ok(())
}

fn hops(stream: &JudgedStream) -> &[HopRecord] {
    stream.record.hops.get(..HOPS).unwrap_or(&stream.record.hops)
}

fn stations(stream: &JudgedStream, view: &View<'_>) -> Vec<Station> {
    let station = |hop: &HopRecord| Station {
        name: view.point(hop.point).into_owned(),
        place: of_hop_in_words(hop, view),
    };
    hops(stream).iter().map(station).collect()
}

/// A stream in the order of travel.
fn lane((number, stream): Numbered<'_>, legend: &mut Legend) -> Lane {
    let hops = hops(stream);
    let marking = |at: usize| stream.markings.get(at).copied().unwrap_or(Marking::Unclassified);
    let seen = hops.iter().enumerate().map(|(at, hop)| Seen {
        look: match marking(at) {
            Marking::Conformant => Look::Good,
            Marking::Unclassified => Look::Plain,
            Marking::Unmarked | Marking::Remarked => Look::Bad,
            Marking::Inherited | Marking::Mixed | Marking::Unexpected => Look::Warning,
        },
        marking: at_hop(hop),
        ttl: format!("TTL {}", hop.ttl()),
    });
    let links = hops.iter().zip(hops.iter().skip(1)).enumerate().map(|(at, (before, after))| {
        let is_changed = stream.main_dscp(at) != stream.main_dscp(at + 1);
        let segment = stream.segments.get(at);
        link(segment, is_changed, marking(at + 1) == Marking::Conformant, before.flow != after.flow, legend)
    });
    Lane {
        name: stream.direction.to_string(),
        stream: StreamId(number).to_string(),
        is_backwards: false,
        hops: seen.collect(),
        links: links.collect(),
    }
}

/// The lane of packets that go from right to left.
fn backwards(mut lane: Lane) -> Lane {
    lane.hops.reverse();
    lane.links.reverse();
    Lane { is_backwards: true, ..lane }
}

/// What a segment did: signs for the line, and figures.
fn link(
    segment: Option<&Segment>,
    is_changed: bool,
    is_right_after: bool,
    is_translated: bool,
    legend: &mut Legend,
) -> Link {
    let mut figures = Vec::new();
    let remarked: u64 = segment.map_or(0, |s| s.remarked.iter().map(|r| r.packets).sum());
    let is_remarked = is_changed || remarked > 0;
    let mut is_lossy = false;
    if segment.is_some_and(|segment| segment.is_alternative) {
        return Link {
            signs: Vec::new(),
            is_bad: false,
            figures: vec!["or".to_owned(), "this way".to_owned()],
        };
    }
    if let Some(segment) = segment {
        match segment.lost {
            Some(0) => figures.push("0 lost".to_owned()),
            Some(lost) => {
                is_lossy = true;
                #[allow(clippy::cast_precision_loss, reason = "packets of one stream are far below 2^53")]
                let ratio = lost as f64 / segment.packets_in.max(1) as f64;
                figures.push(format!("{} lost {} %", count(lost), percent(ratio)));
            }
            None => figures.push(match segment.lost_certain {
                Some(certain) if certain > 0 => format!("≥ {} lost", count(certain)),
                _ => "? lost".to_owned(),
            }),
        }
        legend.has_unknown |= segment.lost.is_none();
        if segment.unseen_after > 0 {
            legend.has_unseen = true;
            figures.push(format!("{} unseen", count(segment.unseen_after)));
        }
        if remarked > 0 {
            let what = if is_right_after { "marked" } else { "re-marked" };
            figures.push(format!("{} {what}", count(remarked)));
        }
        match (segment.delay, segment.delay_variation) {
            (Some(delay), _) => figures.push(format!("{} ms", millis(delay.mean))),
            (None, Some(variation)) => {
                legend.has_variation = true;
                figures.push(format!("± {} ms", millis(variation.p99)));
            }
            (None, None) => {}
        }
    }
    if segment.is_some_and(|s| s.joined_by == JoinedBy::Payload) {
        figures.push("joined by payload".to_owned());
    }
    if is_translated {
        figures.push("new 5-tuple".to_owned());
    }
    let is_spoilt = is_remarked && !is_right_after;
    let known = [(is_spoilt, '✗'), (is_remarked && is_right_after, '✓'), (is_lossy, '!')];
    let signs: Vec<char> = known.iter().filter(|(is_so, _)| *is_so).map(|&(_, sign)| sign).collect();
    legend.signs.extend(&signs);
    Link { signs, is_bad: is_spoilt || is_lossy, figures }
}

/// Who sends to whom, from hop to hop where that changes, and which marking is expected.
fn write_flows(view: &View<'_>, (number, stream): Numbered<'_>, page: &mut Page<'_>) -> io::Result<()> {
    let lead = format!("  {}  ", StreamId(number));
    let mut before = None;
    for (at, hop) in hops(stream).iter().enumerate() {
        if before.replace((hop.flow, hop.ssrc)) == Some((hop.flow, hop.ssrc)) {
            continue;
        }
        let is_sender = stream.record.hops.first().is_some_and(|first| first.ssrc == hop.ssrc);
        let own = if is_sender { String::new() } else { format!(", SSRC {}", hop.ssrc) };
        let ends = format!("{} → {}", view.address(hop.flow.source), view.address(hop.flow.destination));
        if at == 0 {
            let expected: Vec<String> = stream.expected.iter().map(ToString::to_string).collect();
            let expected = match expected.join(" or ") {
                none if none.is_empty() => none,
                codepoints if stream.expectation == Expectation::ClassOrUnmarked => {
                    format!(", {codepoints} expected, from outside also unmarked")
                }
                codepoints => format!(", {codepoints} expected"),
            };
            page.entry(Look::Faint, &lead, &format!("{ends}{expected}"))?;
        } else {
            let from = format!("from {} (TTL {}) on:", view.point(hop.point), hop.ttl());
            page.entry(Look::Plain, &" ".repeat(lead.len()), &format!("{from} {ends}{own}"))?;
        }
    }
    match stream.record.hops.len().saturating_sub(HOPS) {
        0 => Ok(()),
        more => page.sentence(&format!("And {more} more hops: the JSON report has them all.")),
    }
}

/// Why the loss of a segment is not told.
fn write_doubts(view: &View<'_>, (number, stream): Numbered<'_>, page: &mut Page<'_>) -> io::Result<()> {
    let hops = hops(stream);
    let segments = hops.iter().zip(hops.iter().skip(1)).zip(&stream.segments);
    for ((before, after), segment) in segments.filter(|(_, s)| !s.suspect.is_empty()).take(DOUBTS) {
        let (from, to) = (view.point(before.point), view.point(after.point));
        let (old, new, reasons) = (before.ttl(), after.ttl(), segment.suspect.join(", "));
        let stream = StreamId(number);
        let text = format!("{stream}, {from} (TTL {old}) → {to} (TTL {new}): {reasons}.");
        page.entry(Look::Warning, "  ?   ", &text)?;
    }
    Ok(())
}

/// What the signs mean, of those that were drawn.
#[derive(Debug, Default)]
struct Legend {
    signs: BTreeSet<char>,
    has_unknown: bool,
    has_unseen: bool,
    has_variation: bool,
}

impl Legend {
    fn write(&self, page: &mut Page<'_>) -> io::Result<()> {
        let known = [
            (self.signs.contains(&'✗'), "✗ re-marked"),
            (self.signs.contains(&'!'), "! packets lost"),
            (self.signs.contains(&'✓'), "✓ marked right from here on"),
            (self.has_unknown, "? cannot be told"),
            (self.has_unseen, "unseen: missed by the mirror, seen later"),
            (self.has_variation, "± delay over the fastest packet, 99th percentile: the clocks are not one"),
        ];
        let words: Vec<&str> = known.iter().filter(|(is_there, _)| *is_there).map(|(_, w)| *w).collect();
        if words.is_empty() {
            return Ok(());
        }
        page.blank()?;
        page.sentence(&words.join("; "))
    }
}
