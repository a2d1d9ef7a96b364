//! Which segments are to blame, and for what.

use serde::Serialize;

use super::figures::Figures;
use super::segments::SegmentTruth;

/// Changed packets from which on a segment is to blame.
const ENOUGH_MARKINGS: u64 = 10;
/// Packets and seconds from which on loss is judged.
const ENOUGH_PACKETS: u64 = 100;
const ENOUGH_SECONDS: f64 = 5.0;
/// Lost of those that went in.
const TOO_MANY_LOST: f64 = 0.001;

/// What a right verdict says of one segment of one stream.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Blame {
    /// `remarked`, `bleached` or `loss`.
    pub kind: &'static str,
    /// Places in the stream's list of hops.
    from: usize,
    to: usize,
    pub direction: &'static str,
    /// As `46>0`: the change of most packets.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<String>,
    packets: u64,
}

/// Everything that a segment is to blame for, with default thresholds. `expected`: codepoints that are right.
pub(super) fn blame(segments: &[SegmentTruth], hops: &[&Figures], expected: &[u8]) -> Vec<Blame> {
    let mut blame = Vec::new();
    for segment in segments {
        let says = |kind, change, packets| Blame {
            kind,
            from: segment.from,
            to: segment.to,
            direction: "",
            change,
            packets,
        };
        let most = segment.remarked.iter().max_by_key(|(_, change)| change.packets);
        if let Some((change, remarked)) = most
            && let Some((from, to)) = change.split_once('>')
            && remarked.packets >= ENOUGH_MARKINGS
        {
            let is_right = |text: &str| text.parse().is_ok_and(|dscp| expected.contains(&dscp));
            let kind = if to == "0" { "bleached" } else { "remarked" };
            // A segment that mends the marking is to be praised.
            if is_right(from) || !is_right(to) {
                blame.push(says(kind, Some(change.clone()), remarked.packets));
            }
        }
        let is_enough = [segment.from, segment.to].iter().all(|&hop| is_long(hops[hop]));
        if is_enough && to_f64(segment.missing_here) > TOO_MANY_LOST * to_f64(segment.packets_in) {
            blame.push(says("loss", None, segment.missing_here));
        }
    }
    blame
}

fn is_long(hop: &Figures) -> bool {
    let time = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let lasted = match (time(&hop.first), time(&hop.last)) {
        (Some(first), Some(last)) => last.duration_since(first).as_secs_f64(),
        _ => 0.0,
    };
    hop.expected >= ENOUGH_PACKETS && lasted >= ENOUGH_SECONDS
}

#[allow(clippy::cast_precision_loss, reason = "counts of packets")]
fn to_f64(count: u64) -> f64 {
    count as f64
}
