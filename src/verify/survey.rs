//! The first look at each stream: its class, its ends, most verdicts.

use super::join;
use super::judge::{Judge, classify, ends};
use super::pairing::{Ends, Pairing};
use super::plain::Plain;
use super::streams::Note;
use crate::meter::Outline;
use crate::policy::Question;
use crate::terms::Timestamp;

/// Streams that are fetched from memory ahead of the one that is looked at.
const AHEAD: u32 = 8;

/// What the first look told.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// By stream: what is remembered of it, where there seems to be nothing to be found; see [`Plain::stands`].
    pub(super) notes: Vec<Option<Note>>,
    /// First and last packet of these.
    pub(super) span: Option<(Timestamp, Timestamp)>,
}

impl Judge {
    /// Looks at all streams, tells what each is and how it stands to the others. Streams of which there is nothing to
    /// say are judged on the way, if that is all that is asked.
    pub(super) fn survey(&mut self, notes_suffice: bool) -> Survey {
        let policy = &*self.policy;
        let plain = Plain { policy, points: &self.points, round_trips: &self.round_trips };
        let streams = u32::try_from(self.joined.len()).unwrap_or(u32::MAX);
        let mut survey = Survey { notes: Vec::with_capacity(self.joined.len()), span: None };
        let mut classes = Vec::with_capacity(self.joined.len());
        let mut pairing = Pairing::new(self.joined.len());
        for number in 0..streams {
            self.joined.fetch(number + AHEAD, &self.records);
            let Some(outline) = self.joined.outline(number, &self.records) else {
                let heads = self.joined.heads(number, &self.records);
                classes.push(classify(&heads, policy));
                pairing.add(ends(&heads, policy));
                survey.notes.push(None);
                continue;
            };
            let Outline { flow, first, last, payload_type: kind, .. } = outline;
            let sides = join::sides(flow, policy);
            let (class, evidence) = policy.classify(&Question {
                flow,
                modality: None,
                payload_type: kind.map(|p| p.number),
                clock_rate: kind.and_then(|p| p.clock_rate),
                packet_interval_seconds: outline.packet_interval_seconds,
                mean_octets: outline.mean_octets,
            });
            classes.push((class, evidence));
            let direction = pairing.add(Some(ends_of(&outline, sides)));
            let note = || plain.note(&outline, (class, direction), sides == (false, true));
            survey.notes.push(notes_suffice.then(note).flatten());
            let (start, end) = survey.span.unwrap_or((first, last));
            survey.span = Some((start.min(first), end.max(last)));
        }
        let ends = |number| match self.joined.outline(number, &self.records) {
            Some(outline) => Some(ends_of(&outline, join::sides(outline.flow, policy))),
            None => ends(&self.joined.heads(number, &self.records), policy),
        };
        self.standings = pairing.finish(ends, &classes, policy);
        self.classes = classes;
        survey
    }
}

/// Where a stream of one hop is compared with others.
fn ends_of(outline: &Outline, sides: (bool, bool)) -> Ends {
    let Outline { point, flow, first, last, .. } = *outline;
    Ends { point, flow, first, last, told: join::direction_of(sides) }
}
