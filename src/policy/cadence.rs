//! Audio or video, told by clock rate, packet interval and size alone.

use super::Media;
use crate::terms::ClockRate;

/// Packetisation times of speech codecs, in milliseconds.
const AUDIO_INTERVALS_MS: [f32; 5] = [10.0, 20.0, 30.0, 40.0, 60.0];

/// The median of an interval is within a tenth of the packetisation time even on a jittery path.
const INTERVAL_TOLERANCE: f32 = 0.1;

/// Twice G.711 (64 kbit/s) leaves room for stereo and redundancy; more octets a millisecond are no telephony.
const AUDIO_OCTETS_PER_MS: f32 = 16.0;

/// IP, UDP, RTP and SRTP headers with room for an extension.
const HEADER_OCTETS: f32 = 80.0;

/// Video fills its packets, or sends a frame's packets in a burst.
const VIDEO_OCTETS: f32 = 500.0;
const VIDEO_BURST_INTERVAL_MS: f32 = 5.0;

/// Clock rates of audio codecs that send at a fixed interval.
const AUDIO_CLOCKS_HZ: [u32; 6] = [8000, 12_000, 16_000, 24_000, 32_000, 48_000];

/// What the stream looks like; `None` when unsure, and always without a clock rate or an interval.
pub(super) fn media(
    clock: Option<ClockRate>,
    interval_seconds: Option<f32>,
    mean_octets: f32,
) -> Option<Media> {
    let clock = clock?.hz();
    let interval_ms = interval_seconds? * 1000.0;
    if AUDIO_CLOCKS_HZ.contains(&clock) {
        let nominal =
            AUDIO_INTERVALS_MS.into_iter().find(|n| (interval_ms - n).abs() <= n * INTERVAL_TOLERANCE)?;
        return (mean_octets <= HEADER_OCTETS + nominal * AUDIO_OCTETS_PER_MS).then_some(Media::Audio);
    }
    // The clock of every video format (RFC 3551, section 5); sharing has it too, but in small packets.
    let is_video = clock == 90_000 && (mean_octets >= VIDEO_OCTETS || interval_ms < VIDEO_BURST_INTERVAL_MS);
    is_video.then_some(Media::Video)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cadence_speaks_only_when_sure() {
        for (name, clock, interval, octets, expected) in [
            ("G.711, 20 ms", Some(8000), Some(0.0201), 200.0, Some(Media::Audio)),
            ("Opus, 60 ms", Some(48_000), Some(0.0598), 300.0, Some(Media::Audio)),
            ("SILK, 20 ms", Some(16_000), Some(0.02), 120.0, Some(Media::Audio)),
            ("an odd interval", Some(48_000), Some(0.0133), 120.0, None),
            ("far too large for audio", Some(48_000), Some(0.02), 1200.0, None),
            ("video, large packets", Some(90_000), Some(0.008), 1100.0, Some(Media::Video)),
            ("video, burst", Some(90_000), Some(0.0003), 300.0, Some(Media::Video)),
            ("90 kHz, small and slow", Some(90_000), Some(0.1), 120.0, None),
            ("no clock", None, Some(0.02), 200.0, None),
            ("no interval", Some(8000), None, 200.0, None),
            ("not a number", Some(8000), Some(f32::NAN), f32::NAN, None),
        ] {
            let clock = clock.and_then(ClockRate::from_hz);
            assert_eq!(media(clock, interval, octets), expected, "{name}");
        }
    }
}
