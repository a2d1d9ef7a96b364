//! The head of the text report: what is right, and where to look.

use std::io;

use super::groups::Group;
use super::numbers::{count, counted, share, span};
use super::page::{Look, Page};
use super::place::Spot;
use crate::report::summary::{Summary, Tally};
use crate::report::view::View;
use crate::verify::{FindingKind, Severity};

/// How many streams, how many marked right in both directions, which hop to look at first.
pub(super) fn write(
    view: &View<'_>,
    summary: &Summary,
    groups: &[Group<'_>],
    page: &mut Page<'_>,
) -> io::Result<()> {
    page.line(&[(Look::Strong, &found(view, summary))])?;
    page.blank()?;
    let Tally { streams, conformant } = summary.all;
    let look = if conformant == streams { Look::Good } else { Look::Bad };
    let right = format!(
        "{} of {} ({}) as expected at every hop: forward {}, reverse {}.",
        count(conformant),
        counted(streams, "stream"),
        share(conformant, streams),
        of(summary.forward),
        of(summary.reverse)
    );
    page.entry(look, "  Marking     ", &right)?;
    page.entry(Look::Plain, "              ", &both_ways(summary))?;
    look_first(view, groups, page)?;
    page.entry(Look::Plain, "  Quality     ", &quality(summary))
}

fn found(view: &View<'_>, summary: &Summary) -> String {
    let (first, last) = view.outcome.span.unwrap_or_default();
    let (streams, calls) = (counted(summary.all.streams, "RTP stream"), counted(summary.calls, "call"));
    format!("Hopmark {}: {streams} in {calls}, {} UTC", view.options.version, span(first, last))
}

fn of(tally: Tally) -> String {
    format!("{} of {}", count(tally.conformant), count(tally.streams))
}

fn both_ways(summary: &Summary) -> String {
    let one_way = match summary.calls - summary.two_way_calls {
        0 => String::new(),
        n => format!("; {} heard one way only", counted(n, "call")),
    };
    match summary.two_way_calls {
        0 => "No call was heard in both directions: does the mirror carry both?".into(),
        all => format!(
            "{} of {} as expected in both directions{one_way}.",
            count(summary.conformant_calls),
            counted(all, "two-way call")
        ),
    }
}

fn quality(summary: &Summary) -> String {
    let (good, poor, unclassified) = (count(summary.good), count(summary.poor), count(summary.unclassified));
    let why = if summary.unclassified > 0 { " (too short, or too few packets)" } else { "" };
    format!("{good} good, {poor} poor, {unclassified} not classified{why}.")
}

/// The place that explains the most: where, and below it what happened there.
fn look_first(view: &View<'_>, groups: &[Group<'_>], page: &mut Page<'_>) -> io::Result<()> {
    let lead = "  Look first  ";
    let blamed = |g: &&Group<'_>| g.like.severity > Severity::Info && g.like.spot != Spot::Everywhere;
    let about_marking = groups.iter().filter(blamed).find(|g| is_about_marking(g.like.kind));
    let worst = about_marking.or_else(|| groups.iter().find(blamed).map(|worst| losing(worst, groups)));
    let Some(group) = worst else {
        let none = if groups.is_empty() { "There are no findings." } else { "No hop is to blame." };
        return page.entry(Look::Good, lead, none);
    };
    let place = group.like.spot.words(group.ttls, view);
    let before = if group.like.kind == FindingKind::UnmarkedAtSource { "before " } else { "" };
    page.entry(Look::from(group.like.severity), lead, &format!("{before}{place}"))?;
    let what = [group.title(view), group.extent()].into_iter().filter(|words| !words.is_empty());
    page.entry(Look::Plain, "              ", &what.collect::<Vec<_>>().join(": "))
}

/// What a hop lost was lost before it: where it is known which segment lost most of it, that one is named.
fn losing<'a>(worst: &'a Group<'a>, groups: &'a [Group<'a>]) -> &'a Group<'a> {
    if !matches!(worst.like.kind, FindingKind::Loss | FindingKind::BurstLoss) {
        return worst;
    }
    let of_segment = groups.iter().find(|g| {
        g.like.kind == FindingKind::SegmentLoss
            && g.like.severity > Severity::Info
            && g.streams.iter().any(|stream| worst.streams.binary_search(stream).is_ok())
    });
    of_segment.unwrap_or(worst)
}

const fn is_about_marking(kind: FindingKind) -> bool {
    use FindingKind::{
        Bleached, MarkingChangedMidCall, PcpMismatch, Remarked, UnexpectedDscp, UnmarkedAtSource,
    };
    matches!(
        kind,
        Bleached | MarkingChangedMidCall | PcpMismatch | Remarked | UnexpectedDscp | UnmarkedAtSource
    )
}

/// When there is no stream: what was there instead, and what to check.
pub(super) fn write_nothing_found(view: &View<'_>, page: &mut Page<'_>) -> io::Result<()> {
    let outcome = view.outcome;
    let head = format!("Hopmark {}: no RTP stream was found.", view.options.version);
    page.line(&[(Look::Strong, &head)])?;
    page.blank()?;
    let frames: u64 = outcome.captures.iter().map(|c| c.packets).sum();
    let undecoded: u64 = outcome.captures.iter().flat_map(|c| &c.undecoded).map(|(_, n)| n).sum();
    let requests: u64 = outcome.stun.iter().map(|s| s.requests).sum();
    let responses: u64 = outcome.stun.iter().map(|s| s.responses).sum();
    let like_rtp = outcome.counters.unconfirmed_rtp_packets;
    let mut seen =
        vec![format!("{} in {}", counted(frames, "frame"), counted(outcome.captures.len() as u64, "file"))];
    for (number, words) in [
        (undecoded, format!("{} of them neither UDP nor TCP, or not readable", count(undecoded))),
        (like_rtp, format!("{} with the form of RTP that never made a stream", counted(like_rtp, "packet"))),
        (requests, format!("{}, {} answered", counted(requests, "STUN request"), count(responses))),
    ] {
        if number > 0 {
            seen.push(words);
        }
    }
    page.entry(Look::Plain, "  Seen     ", &format!("{}.", seen.join("; ")))?;
    for (place, hint) in hints(frames, undecoded, like_rtp, requests, responses).into_iter().enumerate() {
        page.entry(Look::Plain, if place == 0 { "  Check    " } else { "           " }, hint)?;
    }
    Ok(())
}

fn hints(frames: u64, undecoded: u64, like_rtp: u64, requests: u64, responses: u64) -> Vec<&'static str> {
    if frames == 0 {
        return vec![
            "Whether the mirror session is up and the capture ran while calls were on: no frame was read.",
        ];
    }
    let mut hints = Vec::new();
    if requests > 0 && responses == 0 {
        hints.push("The firewall: no STUN request was answered, so media may be blocked over UDP.");
    } else if requests > 0 {
        hints.push("Whether the mirror carries the media too: STUN was answered, but no media followed.");
    }
    if like_rtp > 0 {
        hints.push("The length of the capture: a stream needs several packets in order to be one.");
    }
    if undecoded > frames / 2 {
        hints.push(
            "The link type and the snap length: most frames could not be read (see the reasons below).",
        );
    }
    hints.push(
        "The mirror: does it carry the voice VLAN, and both directions? Does its filter pass UDP in VLANs?",
    );
    hints.push("The way of the media: over TCP, inside a VPN or inside another tunnel it cannot be seen.");
    hints
}
