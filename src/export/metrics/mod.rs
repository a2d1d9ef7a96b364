//! `/metrics`: written once for a picture, then lent to all who scrape.

mod families;
mod family;
mod negotiate;
mod reference;
mod samples;
mod source;
mod writer;

use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use prometheus::process_collector::ProcessCollector;
use tokio::time::Instant;

pub(super) use negotiate::{format, takes_gzip};
pub use reference::metrics_reference;
pub(super) use source::{direction, hop_names, no_class};
pub(super) use writer::Format;

use self::families::{FAMILIES, LIMITED};
use self::source::{Beside, Source};
use self::writer::Writer;
use super::counters::Counters;
use crate::status::{HopFigures, Picture, Reload, Status};

/// What was written for the last scrapes.
#[derive(Debug)]
pub(super) struct Metrics {
    max_series: usize,
    process: ProcessCollector,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Used again for each text.
    text: String,
    /// By format, then plain and compressed.
    bodies: [[Option<Body>; 2]; 2],
}

/// A body, and what it was made of. The picture may go: only its name is held.
#[derive(Debug, Clone)]
struct Body {
    picture: Weak<Picture>,
    reload: Reload,
    at: Instant,
    octets: Bytes,
}

/// Figures of the process and the server may be so old, where no new picture came.
const FRESH: Duration = Duration::from_secs(1);

impl Metrics {
    pub(super) fn new(max_series: usize) -> Self {
        Self { max_series, process: ProcessCollector::for_self(), kept: Mutex::default() }
    }

    /// The body in a format, compressed if asked.
    pub(super) fn body(
        &self,
        status: &Status,
        counters: &Counters,
        format: Format,
        is_compressed: bool,
    ) -> Bytes {
        let picture = status.picture();
        let reload = status.reload();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { text, bodies: [texts, open_metrics] } = &mut *kept;
        let [plain, compressed] = match format {
            Format::Text => texts,
            Format::OpenMetrics => open_metrics,
        };
        let is_fresh = |body: &&Body| body.is_of(&picture, &reload);
        if let Some(body) = if is_compressed { &*compressed } else { &*plain }.as_ref().filter(is_fresh) {
            return body.octets.clone();
        }
        let source = plain.as_ref().filter(is_fresh).cloned().unwrap_or_else(|| {
            self.write(status, &picture, counters, format, text);
            Body {
                picture: Arc::downgrade(&picture),
                reload: reload.clone(),
                at: Instant::now(),
                octets: Bytes::copy_from_slice(text.as_bytes()),
            }
        });
        let octets = source.octets.clone();
        *plain = Some(source.clone());
        if !is_compressed {
            return octets;
        }
        // Writing into memory does not fail; if it did, an empty body would be refused by who scrapes.
        let octets = gzip(&octets).unwrap_or_default();
        *compressed = Some(Body { octets: octets.clone(), ..source });
        octets
    }

    fn write(
        &self,
        status: &Status,
        picture: &Picture,
        counters: &Counters,
        format: Format,
        text: &mut String,
    ) {
        let zero = HopFigures::default();
        let beside = Beside {
            reload: status.reload(),
            is_opener_gone: status.is_opener_gone.load(Ordering::Relaxed),
            findings_forgotten: status.findings_dropped.load(Ordering::Relaxed),
            evidence_files: status.evidence.files(),
            evidence_octets: status.evidence.octets(),
            counters,
            process: &self.process,
        };
        let source = Source::new(picture, &zero, beside);
        let mut writer = Writer::new(text, format, self.max_series);
        for family in FAMILIES {
            writer.family(family, &source);
        }
        // The most in one scrape only goes up, as a counter must.
        let before = counters.limited.fetch_max(writer.limited(), Ordering::Relaxed);
        writer.always(&LIMITED, picture.figures.series_limited + before.max(writer.limited()));
        writer.end();
    }
}

impl Body {
    fn is_of(&self, picture: &Arc<Picture>, reload: &Reload) -> bool {
        std::ptr::eq(self.picture.as_ptr(), Arc::as_ptr(picture))
            && self.reload == *reload
            && self.at.elapsed() < FRESH
    }
}

/// Compresses for speed: a scrape comes over a network that is faster than a good compression.
pub(super) fn gzip(octets: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(octets.len() / 8), Compression::fast());
    encoder.write_all(octets)?;
    encoder.finish().map(Bytes::from)
}
