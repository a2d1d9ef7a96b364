//! The captures: made by `hopmark synth`, and warm in the page cache.

use std::error::Error;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use hopmark::synth::{Format, Scenario};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

/// Captures of one scenario: a file for each point.
pub(crate) struct Captures {
    pub(crate) files: Vec<PathBuf>,
    /// RTP packets in all files.
    media: u64,
}

/// Makes captures.
pub(crate) struct Maker<'a> {
    pub(crate) hopmark: &'a str,
    pub(crate) folder: PathBuf,
}

impl Maker<'_> {
    /// The captures of a scenario in `fixtures/load`, cut or stretched to about so many packets at each point.
    pub(crate) fn make(&self, name: &str, format: Format, packets: u64) -> Result<Captures, Box<dyn Error>> {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/load/{name}.toml"));
        let mut scenario = Scenario::read(&fixture)?;
        let media = resize(&mut scenario, packets) * scenario.points.len() as u64;
        let (format, extension) = match format {
            Format::Pcap => ("pcap", "pcap"),
            Format::Pcapng => ("pcapng", "pcapng"),
        };
        let folder = self.folder.join(format!("whole-{packets}"));
        let files =
            scenario.points.iter().map(|point| folder.join(format!("{}.{extension}", point.name))).collect();
        let captures = Captures { files, media };
        let text = toml::to_string(&scenario)?;
        let made = folder.join(format!("{name}.{extension}.toml"));
        let is_made = captures.files.iter().all(|file| file.exists());
        if is_made && fs::read_to_string(&made).is_ok_and(|before| before == text) {
            return Ok(captures);
        }
        fs::create_dir_all(&folder)?;
        // Under its own name only once the captures are whole.
        let unmade = made.with_extension("unmade");
        fs::write(&unmade, text)?;
        let status = Command::new(self.hopmark)
            .args(["synth", "--format", format, "--truth", "none", "--out"])
            .args([&folder, &unmade])
            .stderr(Stdio::null())
            .status()?;
        if !status.success() {
            return Err(format!("{name}: hopmark synth: {status}").into());
        }
        fs::rename(unmade, made)?;
        Ok(captures)
    }
}

/// Makes the streams of a scenario longer or shorter, so that it has about so many packets, background and all; how many
/// of them are media.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "millions of packets"
)]
fn resize(scenario: &mut Scenario, packets: u64) -> u64 {
    let share = scenario.background.as_ref().map_or(0.0, |background| background.share);
    let of = |stream: &hopmark::synth::Stream| {
        u64::from(stream.count.unwrap_or(1)) * stream.packets.unwrap_or_default()
    };
    let media: u64 = scenario.streams.iter().map(of).sum();
    let wanted = packets as f64 * (1.0 - share) / media as f64;
    for stream in &mut scenario.streams {
        stream.packets = stream.packets.map(|packets| (packets as f64 * wanted).round().max(1.0) as u64);
    }
    scenario.streams.iter().map(of).sum()
}

impl Captures {
    /// Arguments for `hopmark replay`: each file a point where there are several.
    pub(crate) fn sources(&self) -> Vec<String> {
        let path = |file: &PathBuf| file.display().to_string();
        if self.files.len() == 1 {
            return self.files.iter().map(path).collect();
        }
        (1..).zip(&self.files).map(|(number, file)| format!("point-{number}={}", path(file))).collect()
    }

    /// The first point's alone.
    pub(crate) fn first_point(&self) -> Self {
        let files: Vec<PathBuf> = self.files.iter().take(1).cloned().collect();
        Self { media: self.media / self.files.len().max(1) as u64, files }
    }

    /// Packets of all files, after a look at whether Hopmark finds all that are RTP in streams, and no other: a run
    /// that misses streams must not look fast.
    pub(crate) fn count(&self, hopmark: &str) -> Result<u64, Box<dyn Error>> {
        let output = Command::new(hopmark)
            .args(["replay", "--fail-on", "never", "--format", "json"])
            .args(self.sources())
            .output()?;
        let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let sum = |list: &serde_json::Value| -> u64 {
            list.as_array().into_iter().flatten().filter_map(|each| each["packets"].as_u64()).sum()
        };
        let streams = report["streams"].as_array().into_iter().flatten();
        let in_streams: u64 = streams.map(|stream| sum(&stream["hops"])).sum();
        if in_streams == self.media {
            Ok(sum(&report["captures"]))
        } else {
            Err(format!("{:?}: {in_streams} of {} packets in streams", self.files, self.media).into())
        }
    }
}

/// Has a file in the page cache as it comes there from disk, and says how many billion octets a second a plain read of it
/// gives. What was written, or came back page by page after other programs needed the memory, lies in small pieces, which
/// costs who maps the file as much as a third.
pub(crate) fn warm(path: &Path) -> Result<f64, Box<dyn Error>> {
    let file = File::open(path)?;
    file.sync_all()?;
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_SEQUENTIAL)?;
    read_whole(file)?;
    best_rate(path)
}

fn best_rate(path: &Path) -> Result<f64, Box<dyn Error>> {
    let mut best: f64 = 0.0;
    for _ in 0..3 {
        best = best.max(read_rate(path)?);
    }
    Ok(best)
}

/// Reads a file as Hopmark does, 256 KiB at a time, and says how many billion octets a second that gave.
#[allow(clippy::disallowed_methods, reason = "a bench measures time")]
#[allow(clippy::cast_precision_loss, reason = "billions of octets")]
fn read_rate(path: &Path) -> Result<f64, Box<dyn Error>> {
    let file = File::open(path)?;
    let begin = Instant::now();
    let octets = read_whole(file)?;
    Ok(octets as f64 / begin.elapsed().as_secs_f64() / 1e9)
}

fn read_whole(mut file: File) -> Result<u64, Box<dyn Error>> {
    let mut piece = vec![0; 256 << 10];
    let mut all = 0;
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(all),
            octets => all += octets as u64,
        }
    }
}
