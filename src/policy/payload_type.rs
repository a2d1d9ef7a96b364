//! What RTP payload types mean: RFC 3551's table, and the policy's own.

use super::{Media, Policy};
use crate::terms::ClockRate;

/// What a payload type means, by configuration or by convention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadTypeRule {
    /// 0 to 127.
    pub number: u8,
    /// Name of the encoding.
    pub codec: Option<String>,
    /// Ticks of the timestamp in a second.
    pub clock_rate: Option<ClockRate>,
    /// The class that it speaks for.
    pub class: Option<u8>,
    /// A convention, which sessions may renegotiate: believed only where it agrees with the clock rate that was
    /// found. A rule that is no hint is the operator's word.
    pub hint: bool,
}

impl PayloadTypeRule {
    /// Whether a hint agrees with a clock rate that was found.
    fn agrees(&self, clock_rate: ClockRate) -> bool {
        self.clock_rate.is_none_or(|own| own == clock_rate)
    }
}

impl Policy {
    /// The clock rate of a payload type where the operator configured it; hints of a profile do not count.
    #[must_use]
    pub fn configured_clock_rate(&self, payload_type: u8) -> Option<ClockRate> {
        self.word(payload_type).and_then(|rule| rule.clock_rate)
    }

    /// The name of the encoding: the operator's, RFC 3551's, or that of a convention that has the same clock rate.
    #[must_use]
    pub fn codec(&self, payload_type: u8, clock_rate: Option<ClockRate>) -> Option<&str> {
        let configured = self.word(payload_type).and_then(|rule| rule.codec.as_deref());
        configured.or_else(|| static_codec(payload_type)).or_else(|| {
            let clock_rate = clock_rate?;
            self.hints(payload_type)
                .find(|rule| rule.agrees(clock_rate))
                .and_then(|rule| rule.codec.as_deref())
        })
    }

    /// The class that a payload type names. A convention must agree with the clock rate; where that is not known,
    /// all conventions of the number must name the same class.
    pub(super) fn class_of_payload_type(
        &self,
        payload_type: u8,
        clock_rate: Option<ClockRate>,
    ) -> Option<u8> {
        let configured = self.word(payload_type).and_then(|rule| rule.class);
        let assigned = || self.class_of_media(static_media(payload_type)?);
        configured.or_else(assigned).or_else(|| self.class_by_hint(payload_type, clock_rate))
    }

    fn class_by_hint(&self, payload_type: u8, clock_rate: Option<ClockRate>) -> Option<u8> {
        if let Some(rate) = clock_rate {
            return self.hints(payload_type).find(|rule| rule.agrees(rate))?.class;
        }
        let mut classes = self.hints(payload_type).map(|rule| rule.class);
        let first = classes.next()??;
        classes.all(|class| class == Some(first)).then_some(first)
    }

    /// The class for which payload types and cadence of a kind of media speak.
    pub(super) fn class_of_media(&self, media: Media) -> Option<u8> {
        let place = self.classes.iter().position(|class| class.media == Some(media))?;
        u8::try_from(place).ok()
    }

    fn word(&self, payload_type: u8) -> Option<&PayloadTypeRule> {
        self.payload_types.iter().find(|rule| rule.number == payload_type && !rule.hint)
    }

    fn hints(&self, payload_type: u8) -> impl Iterator<Item = &PayloadTypeRule> {
        self.payload_types.iter().filter(move |rule| rule.number == payload_type && rule.hint)
    }
}

/// The clock rate that RFC 3551 assigns to a payload type.
///
/// Source: RFC 3551, tables 4 and 5. G722 is 8,000 Hz there, by an old error that was kept (section 4.5.2).
#[must_use]
pub fn static_clock_rate(payload_type: u8) -> Option<ClockRate> {
    ClockRate::from_hz(assignment(payload_type)?.2)
}

/// The encoding that RFC 3551 assigns to a payload type.
#[must_use]
pub fn static_codec(payload_type: u8) -> Option<&'static str> {
    Some(assignment(payload_type)?.1)
}

/// Audio or video, where RFC 3551 assigns the payload type; none for MP2T, which carries both.
#[must_use]
pub fn static_media(payload_type: u8) -> Option<Media> {
    assignment(payload_type)?.3
}

fn assignment(payload_type: u8) -> Option<&'static Assignment> {
    ASSIGNMENTS.iter().find(|row| row.0 == payload_type)
}

/// Number, encoding, clock rate in hertz, media.
type Assignment = (u8, &'static str, u32, Option<Media>);

const A: Option<Media> = Some(Media::Audio);
const V: Option<Media> = Some(Media::Video);

/// RFC 3551, tables 4 and 5. What is reserved or unassigned (1, 2, 19 to 24, ...) has no row.
#[rustfmt::skip]
const ASSIGNMENTS: &[Assignment] = &[
    (0, "PCMU", 8000, A),    (3, "GSM", 8000, A),      (4, "G723", 8000, A),    (5, "DVI4", 8000, A),
    (6, "DVI4", 16_000, A),  (7, "LPC", 8000, A),      (8, "PCMA", 8000, A),    (9, "G722", 8000, A),
    (10, "L16", 44_100, A),  (11, "L16", 44_100, A),   (12, "QCELP", 8000, A),  (13, "CN", 8000, A),
    (14, "MPA", 90_000, A),  (15, "G728", 8000, A),    (16, "DVI4", 11_025, A), (17, "DVI4", 22_050, A),
    (18, "G729", 8000, A),   (25, "CelB", 90_000, V),  (26, "JPEG", 90_000, V), (28, "nv", 90_000, V),
    (31, "H261", 90_000, V), (32, "MPV", 90_000, V),   (33, "MP2T", 90_000, None), (34, "H263", 90_000, V),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_rates_are_those_of_rfc_3551() {
        for (payload_type, expected) in [
            (0, Some(8000)),
            (5, Some(8000)),
            (6, Some(16_000)),
            (9, Some(8000)),
            (11, Some(44_100)),
            (13, Some(8000)),
            (16, Some(11_025)),
            (17, Some(22_050)),
            (19, None),
            (26, Some(90_000)),
            (34, Some(90_000)),
            (96, None),
            (127, None),
        ] {
            assert_eq!(static_clock_rate(payload_type).map(ClockRate::hz), expected, "{payload_type}");
        }
    }

    #[test]
    fn a_convention_needs_its_clock_rate() {
        let rule = |codec: &str, hz, hint| PayloadTypeRule {
            number: 111,
            codec: Some(codec.to_owned()),
            clock_rate: ClockRate::from_hz(hz),
            class: Some(0),
            hint,
        };
        let mut policy = Policy {
            payload_types: vec![rule("opus", 48_000, true), rule("SIREN", 16_000, true)],
            ..Policy::default()
        };
        assert_eq!(policy.codec(111, ClockRate::from_hz(48_000)), Some("opus"));
        assert_eq!(policy.codec(111, ClockRate::from_hz(16_000)), Some("SIREN"));
        assert_eq!(policy.codec(111, ClockRate::from_hz(90_000)), None);
        assert_eq!(policy.codec(111, None), None);
        assert_eq!(policy.configured_clock_rate(111), None);
        assert_eq!(policy.class_of_payload_type(111, None), Some(0));
        assert_eq!(policy.class_of_payload_type(111, ClockRate::from_hz(90_000)), None);

        policy.payload_types.insert(0, rule("speex", 32_000, false));
        assert_eq!(policy.codec(111, None), Some("speex"));
        assert_eq!(policy.configured_clock_rate(111).map(ClockRate::hz), Some(32_000));
    }
}
