//! The layers of the frame at hand: bounded, reused, never grown.

use std::net::IpAddr;

use super::{Layer, Undecoded};

/// What a mirror's own tunnel says of one frame that it carried, where it numbers them (ERSPAN II and III).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MirroredFrame {
    /// The switch: source of the outer IP header.
    pub source: IpAddr,
    /// The collector: destination of the outer IP header.
    pub destination: IpAddr,
    /// ERSPAN session, 0 to 1023.
    pub session: u16,
    /// Which of the switch's mirroring engines numbered the frame, 0 to 63; 0 in ERSPAN II, which does not say.
    pub hardware: u16,
    /// Sequence number of the GRE header (RFC 2890).
    pub sequence: u32,
}

/// Headers met so far, outermost first.
#[derive(Debug)]
pub(super) struct Layers {
    stack: Vec<Layer>,
    limit: usize,
    mirrored: Option<MirroredFrame>,
}

impl Layers {
    /// Room for `limit` layers.
    pub(super) fn new(limit: usize) -> Self {
        Self { stack: Vec::with_capacity(limit), limit, mirrored: None }
    }

    /// Adds the next layer inwards. Per frame: never allocates, as there is room for `limit`.
    #[inline]
    pub(super) fn push(&mut self, layer: Layer) -> Result<(), Undecoded> {
        if self.stack.len() >= self.limit {
            return Err(Undecoded::TooDeep);
        }
        self.stack.push(layer);
        Ok(())
    }

    /// Whether there may be any.
    pub(super) const fn has_room(&self) -> bool {
        self.limit > 0
    }

    /// How many there are.
    #[inline]
    pub(super) fn depth(&self) -> usize {
        self.stack.len()
    }

    /// Back to how it was at that depth.
    #[inline]
    pub(super) fn back_to(&mut self, depth: usize) {
        self.stack.truncate(depth);
    }

    /// Back to none, for the next frame.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.stack.clear();
        self.mirrored = None;
    }

    /// Notes the number that a mirror's tunnel gave the frame: the outermost one's, and the innermost outer header
    /// so far is its own.
    pub(super) fn note_mirrored(&mut self, session: u16, hardware: u16, sequence: Option<u32>) {
        let outer = self.stack.iter().rev().find_map(|layer| match layer {
            Layer::Ip { source, destination, .. } => Some((*source, *destination)),
            _ => None,
        });
        if let (None, Some((source, destination)), Some(sequence)) = (self.mirrored, outer, sequence) {
            self.mirrored = Some(MirroredFrame { source, destination, session, hardware, sequence });
        }
    }

    /// What was noted since the last call.
    #[inline]
    pub(super) fn take_mirrored(&mut self) -> Option<MirroredFrame> {
        if self.mirrored.is_none() { None } else { self.mirrored.take() }
    }

    /// Outermost first.
    #[inline]
    pub(super) fn as_slice(&self) -> &[Layer] {
        &self.stack
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_refuses_what_goes_beyond_its_limit() {
        let mut layers = Layers::new(2);
        assert_eq!(layers.push(Layer::Tzsp), Ok(()));
        assert_eq!(layers.push(Layer::Tzsp), Ok(()));
        assert_eq!(layers.push(Layer::Tzsp), Err(Undecoded::TooDeep));
        layers.back_to(1);
        assert_eq!(layers.as_slice(), [Layer::Tzsp]);
    }
}
