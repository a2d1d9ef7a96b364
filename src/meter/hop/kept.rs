//! Packets of a hop that are kept, to compare it with others by.

use super::{Cold, Digest, Hot};
use crate::meter::payload::{CLOSED, PayloadMark, Sketch};
use crate::meter::samples::{Most, NEVER, Sample, Samples, is_chosen, sample};

/// Those that were chosen by their number, and those that were chosen by their payload.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    samples: Samples,
    sketch: Sketch,
}

impl Kept {
    fn new(most: Most) -> Self {
        Self { samples: Samples::new(most), sketch: Sketch::default() }
    }
}

impl Cold {
    /// Keeps no packets, until [`Hot::sample_from_now`].
    pub(in crate::meter) fn sample_no_more(&mut self, hot: &mut Hot) {
        hot.set_level(NEVER);
        hot.set_gate(CLOSED);
        self.kept = None;
    }

    /// Keeps the packet that was counted last. Most are not kept: a call, so that the loop that counts stays small.
    #[inline(never)]
    pub(in crate::meter) fn choose_last(&mut self, hot: &mut Hot, d: &Digest) {
        self.choose(hot, d, hot.highest);
    }

    /// Keeps the packet if it is one that every hop chooses: by its number, or by its payload.
    pub(super) fn choose(&mut self, hot: &mut Hot, d: &Digest, sequence: u32) {
        let Some(part) = self.rare().part_to_sample().filter(|_| !hot.keeps_nothing()) else { return };
        let (ssrc, level, most) = (hot.key.ssrc(), hot.level(), self.most_samples);
        let (is_rare, is_sample) = (d.print.passes(hot.gate()), is_chosen(ssrc, d.sequence, level));
        if !is_rare && !is_sample {
            return;
        }
        let kept = self.kept.get_or_insert_with(|| Box::new(Kept::new(most)));
        if is_rare {
            hot.set_gate(kept.sketch.keep(d, sequence, part, most.marks()));
        }
        if is_sample {
            hot.set_level(kept.samples.keep(sample(d, sequence, part), ssrc, level));
        }
    }

    /// Takes out what was kept, by number and by payload; nothing of it where nobody compares.
    pub(in crate::meter) fn take_kept(&mut self, is_compared: bool) -> (Vec<Sample>, Vec<PayloadMark>) {
        let kept = self.kept.take().filter(|_| is_compared);
        kept.map(|kept| (kept.samples.into_kept(), kept.sketch.into_kept())).unwrap_or_default()
    }
}
