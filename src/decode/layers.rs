//! The layers of the frame at hand: bounded, reused, never grown.

use super::{Layer, Undecoded};

/// Headers met so far, outermost first.
#[derive(Debug)]
pub(super) struct Layers {
    stack: Vec<Layer>,
    limit: usize,
}

impl Layers {
    /// Room for `limit` layers.
    pub(super) fn new(limit: usize) -> Self {
        Self { stack: Vec::with_capacity(limit), limit }
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
