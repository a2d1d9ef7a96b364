//! The packets of a stream, chosen and commented, as a file holds them.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::notes::Notes;
use super::pick::{Picked, Picker};
use super::words::{finding_text, hop_name, interface_name};
use crate::capture::{EXCERPT_APPLICATION, PcapngWriter, WrittenInterface};
use crate::decode::{Decoder, Options};
use crate::meter::{Limits, Meter};
use crate::terms::{FlowKey, Frame, LinkType, PointId, Ssrc, Timestamp};
use crate::verify::{FindingKind, Severity};

/// For what packets are to be kept.
#[derive(Debug, Clone)]
pub struct EvidenceRequest {
    /// What was found.
    pub kind: FindingKind,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, in one sentence.
    pub message: String,
    /// What to look at, in one sentence.
    pub advice: String,
    /// The name of the stream that it is about.
    pub stream: String,
    /// Flow and SSRC of the stream at each of its hops.
    pub views: Vec<(FlowKey, Ssrc)>,
}

impl EvidenceRequest {
    /// Whether a frame is one of the stream's. Decodes it: for a thread that has a ring of its own, to be given to
    /// [`super::HeaderRing::clip`].
    pub fn is_wanted(&self) -> impl FnMut(&Frame<'_>) -> bool {
        let mut picker = self.picker();
        let mut decoder = decoder();
        move |frame| {
            let mut is_wanted = false;
            // What cannot be decoded is not wanted.
            let _ = decoder.decode(frame, |o, _| is_wanted |= picker.pick(PointId(0), o).is_some());
            is_wanted
        }
    }

    fn picker(&self) -> Picker {
        let mut picker = Picker::default();
        for &(flow, ssrc) in &self.views {
            picker.add_view(flow, ssrc);
        }
        picker
    }
}

/// What one point has of the time in question.
#[derive(Debug)]
pub struct PointFrames<'a> {
    /// The point's name.
    pub point: &'a str,
    /// Names of its interfaces, by their number in the frames; none for one without a name.
    pub interfaces: &'a [Option<String>],
    /// Frames, also of other streams, the oldest first.
    pub frames: Vec<Frame<'a>>,
}

/// Frames in order of time, with what there is to say of them.
#[derive(Debug)]
pub struct Sheet<'a> {
    comment: String,
    interfaces: Vec<(String, LinkType)>,
    lines: Vec<Line<'a>>,
}

#[derive(Debug)]
struct Line<'a> {
    frame: Frame<'a>,
    /// Its place in the list of points.
    point: usize,
    /// Its place in the list of interfaces.
    interface: u32,
    comments: Vec<String>,
}

/// Paths and hashes of one file live as long as it is put together.
fn decoder() -> Decoder {
    use std::hash::{BuildHasher, RandomState};
    Decoder::new(RandomState::new().hash_one(0_u8), Options::default())
}

/// One stream, with another that may have had its flow.
const LIMITS: Limits = Limits {
    max_streams: 256,
    max_candidates: 256,
    max_hops: 16,
    max_transactions: 1,
    max_stun_pairs: 1,
    max_addresses: 1024,
    has_other_points: false,
    newest_samples: 0,
    samples_per_second: 0,
    stream_timeout_ns: 60_000_000_000,
    stun_timeout_ns: 1,
};

/// What the file as a whole is about.
fn comment(request: &EvidenceRequest) -> String {
    let mut comment = finding_text(request.kind, request.severity, &request.message, &request.advice);
    let _ = write!(comment, "\nStream {}", request.stream);
    for (flow, ssrc) in &request.views {
        let _ = write!(comment, "\n{} → {} {}, SSRC {ssrc}", flow.source, flow.destination, flow.transport);
    }
    comment
}

impl<'a> Sheet<'a> {
    /// Chooses the stream's frames out of what the points have, and says of each what there is to say.
    #[must_use]
    pub fn of(request: &EvidenceRequest, points: &[PointFrames<'a>]) -> Self {
        let mut sheet = Self { comment: comment(request), interfaces: Vec::new(), lines: Vec::new() };
        let mut picker = request.picker();
        let mut notes = Notes::default();
        let mut decoders: Vec<Decoder> = Vec::with_capacity(points.len());
        let mut numbers = HashMap::new();
        for (place, point) in points.iter().enumerate() {
            let number = PointId(u16::try_from(place).unwrap_or(u16::MAX));
            let mut decoder = decoder();
            let mut meter = Meter::new(number, LIMITS, |_| None, 0);
            for frame in &point.frames {
                let mut is_picked = false;
                let _ = decoder.decode(frame, |o, paths| {
                    if let Some(picked) = picker.pick(number, o) {
                        is_picked = true;
                        if picked != Picked::Control {
                            meter.observe(o, paths);
                        }
                    }
                });
                if is_picked {
                    let interface = sheet.interface(&mut numbers, place, point, frame);
                    sheet.lines.push(Line { frame: *frame, point: place, interface, comments: Vec::new() });
                }
            }
            meter.finish(decoder.paths(), |record| {
                for hop in &record.hops {
                    let interface = hop.path.as_ref().map_or(0, |path| usize::from(path.interface));
                    let interface = point.interfaces.get(interface).and_then(|name| name.as_deref());
                    notes.add_hop(hop_name(point.point, interface, hop), hop);
                }
            });
            decoders.push(decoder);
        }
        // Those of one moment stay in the order of their points.
        sheet.lines.sort_by_key(|line| line.frame.timestamp);
        for line in &mut sheet.lines {
            let number = PointId(u16::try_from(line.point).unwrap_or(u16::MAX));
            let Some(decoder) = decoders.get_mut(line.point) else { continue };
            let comments = &mut line.comments;
            let _ = decoder.decode(&line.frame, |o, paths| {
                if let Some(Picked::Media(header)) = picker.pick(number, o) {
                    comments.extend(notes.on(number, o, &header, paths));
                }
            });
        }
        sheet
    }

    /// The number of a frame's interface in the file.
    fn interface(
        &mut self,
        numbers: &mut HashMap<(usize, u16, LinkType), u32>,
        place: usize,
        point: &PointFrames<'_>,
        frame: &Frame<'_>,
    ) -> u32 {
        *numbers.entry((place, frame.interface, frame.link)).or_insert_with(|| {
            let name = point.interfaces.get(usize::from(frame.interface)).and_then(|name| name.as_deref());
            self.interfaces.push((interface_name(point.point, name), frame.link));
            u32::try_from(self.interfaces.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// How many frames there are.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.lines.len()
    }

    /// When the last frame was heard; none where there is none.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        self.lines.last().map(|line| line.frame.timestamp)
    }

    /// Writes everything as pcapng, and gives how many octets that are.
    ///
    /// # Errors
    ///
    /// What `out` says.
    pub fn write(&self, out: impl Write) -> io::Result<u64> {
        let mut writer = PcapngWriter::new(out, EXCERPT_APPLICATION, Some(&self.comment))?;
        for (name, link) in &self.interfaces {
            writer.interface(&WrittenInterface { name, link: *link, ..WrittenInterface::default() })?;
        }
        for line in &self.lines {
            writer.frame(line.interface, &line.frame, None, &line.comments)?;
        }
        Ok(writer.octets())
    }
}
