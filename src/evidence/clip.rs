//! Frames copied out of a ring, to be handed to another thread.

use crate::terms::Frame;

/// Some frames with their octets, in the order in which they were added.
#[derive(Debug, Clone, Default)]
pub struct Clip {
    octets: Vec<u8>,
    /// Frames without their octets, with where these end.
    frames: Vec<(Frame<'static>, usize)>,
}

impl Clip {
    /// The frames.
    pub fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        let mut begin = 0;
        self.frames.iter().map(move |&(frame, end)| {
            let data = self.octets.get(begin..end).unwrap_or_default();
            begin = end;
            Frame { data, ..frame }
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

impl<'a> FromIterator<Frame<'a>> for Clip {
    fn from_iter<I: IntoIterator<Item = Frame<'a>>>(frames: I) -> Self {
        let mut clip = Self::default();
        for frame in frames {
            clip.octets.extend_from_slice(frame.data);
            let Frame { timestamp, wire_len, link, interface, .. } = frame;
            clip.frames.push((Frame { timestamp, data: &[], wire_len, link, interface }, clip.octets.len()));
        }
        clip
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::{LinkType, Timestamp};

    #[test]
    fn frames_come_out_as_they_went_in() {
        let frame = |at, data, wire_len| Frame {
            timestamp: Timestamp(at),
            data,
            wire_len,
            link: LinkType::RAW,
            interface: 2,
        };
        let frames = [frame(3, &b"abc"[..], 60), frame(4, b"", 0), frame(1, b"de", 9)];
        let clip: Clip = frames.into_iter().collect();
        let shown: Vec<String> = clip.frames().map(|frame| format!("{frame:?}")).collect();
        assert_eq!(shown, frames.map(|frame| format!("{frame:?}")));
        assert_eq!((clip.len(), clip.is_empty(), Clip::default().is_empty()), (3, false, true));
    }
}
