//! What is true of mirrors that number their frames.

use serde::Serialize;

use crate::synth::frame::{outer_ends, tunnel_id};
use crate::synth::plan::{Plan, Tap};
use crate::synth::scenario::Encapsulation;

/// What one place's mirror has seen and delivered.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::synth) struct Mirror {
    /// Frames seen: those of a numbered tunnel count from 0.
    pub(in crate::synth) seen: u32,
    /// Frames delivered.
    pub(in crate::synth) heard: u64,
    /// Numbers of the first and the last frame delivered.
    pub(in crate::synth) span: Option<(u32, u32)>,
}

/// One session of a mirror that numbers its frames.
#[derive(Debug, Clone, Serialize)]
pub(in crate::synth) struct TunnelTruth {
    point: String,
    erspan_session: u16,
    source: String,
    destination: String,
    frames: u64,
    lost: u64,
}

/// Those of the taps that are meant, by place.
pub(in crate::synth) fn tunnels(
    plan: &Plan,
    mirrors: &[Mirror],
    is_here: impl Fn(&Tap) -> bool,
) -> Vec<TunnelTruth> {
    let mut tunnels = Vec::new();
    for ((place, tap), mirror) in plan.taps.iter().enumerate().zip(mirrors) {
        let is_numbered = |e: &&Encapsulation| matches!(e, Encapsulation::Erspan2 | Encapsulation::Erspan3);
        let (Some(encapsulation), Some((first, last)), true) =
            (tap.encapsulation.iter().find(is_numbered), mirror.span, is_here(tap))
        else {
            continue;
        };
        let (source, destination) = outer_ends(*encapsulation, place, false);
        tunnels.push(TunnelTruth {
            point: plan.points[tap.point].name.clone(),
            erspan_session: tunnel_id(place),
            source: source.to_string(),
            destination: destination.to_string(),
            frames: mirror.heard,
            lost: u64::from(last - first) + 1 - mirror.heard,
        });
    }
    tunnels
}
