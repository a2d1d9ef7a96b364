//! What runs came to: medians, ratios of neighbours, a table.

use std::fmt::Write as _;

use serde::Serialize;

use crate::about::About;

/// What a receiver says of one run.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Counted {
    pub(crate) seen: u64,
    pub(crate) dropped: u64,
    pub(crate) filtered: u64,
    /// RTP packets in streams.
    pub(crate) media: u64,
    pub(crate) streams: u64,
}

impl Counted {
    pub(crate) const fn all(&self) -> u64 {
        self.seen + self.dropped + self.filtered
    }
}

/// Processor time for each packet that was sent, in nanoseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Used {
    pub(crate) all: f64,
    /// Of it, by the thread that reads frames.
    pub(crate) observer: f64,
    /// Of it, by the thread that judges streams.
    pub(crate) judge: f64,
}

/// One run of one receiver.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Run {
    pub(crate) sent: u64,
    /// How long sending took.
    pub(crate) seconds: f64,
    pub(crate) counted: Counted,
    pub(crate) used: Used,
}

impl Run {
    fn dropped_share(&self) -> f64 {
        self.counted.dropped as f64 / self.sent as f64
    }
}

/// What the loads and the receiver beside the usual ones are called.
pub(crate) const FROM_KERNEL: &str = "none, from the kernel";
pub(crate) const DIGESTS: &str = "hopmark, xdp";

/// All runs of one receiver under one load.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) background: &'static str,
    pub(crate) receiver: &'static str,
    pub(crate) runs: Vec<Run>,
}

impl Row {
    fn of(&self, figure: impl Fn(&Run) -> f64) -> Spread {
        Spread::of(self.runs.iter().map(figure))
    }

    /// Packets a second that reach this receiver by those that reach another, in runs that stood next to each other.
    fn rate_by(&self, other: &Self) -> Spread {
        let rate = |run: &Run| run.sent as f64 / run.seconds;
        Spread::of(self.runs.iter().zip(&other.runs).map(|(one, other)| rate(one) / rate(other)))
    }

    /// This receiver's processor time by another's, of runs that stood next to each other.
    pub(crate) fn by(&self, other: &Self) -> Spread {
        Spread::of(self.runs.iter().zip(&other.runs).map(|(one, other)| one.used.all / other.used.all))
    }
}

/// Median, least and most.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = figures.collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |n: usize| sorted.get(n).copied().unwrap_or(f64::NAN);
        Self { median: at(sorted.len() / 2), least: at(0), most: at(sorted.len().saturating_sub(1)) }
    }
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) about: About,
    pub(crate) packets: u64,
    pub(crate) streams: u32,
    pub(crate) pairs: usize,
    pub(crate) rows: Vec<Row>,
}

/// More dropped packets than this share count, where tcpdump dropped fewer.
const DROPS: f64 = 0.0001;
/// tcpdump's processor time is at least so many times that of Hopmark as it comes.
const CPU: f64 = 0.5;
/// Digests come at so many times the rate that tcpdump takes, at least.
const RATE: f64 = 2.0;

impl Results {
    pub(crate) fn row(&self, background: &str, receiver: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.background == background && row.receiver == receiver)
    }

    /// What was promised and did not hold, of what was measured.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.broken_by_frames().into_iter().chain(self.broken_by_digests()).collect()
    }

    fn broken_by_frames(&self) -> Vec<String> {
        let (Some(ours), Some(theirs)) = (self.row("none", "hopmark"), self.row("none", "tcpdump")) else {
            return Vec::new();
        };
        let (ratio, [ours, theirs]) = (ours.by(theirs), [ours, theirs].map(|row| row.of(Run::dropped_share)));
        let mut broken = Vec::new();
        if ratio.median > CPU {
            broken.push(format!("Hopmark takes {:.2} of tcpdump's processor time", ratio.median));
        }
        if ours.median > theirs.median.max(DROPS) {
            broken.push(format!("Hopmark drops {:.4} %", ours.median * 100.0));
        }
        broken
    }

    fn broken_by_digests(&self) -> Option<String> {
        let (digests, theirs) = (self.row(FROM_KERNEL, DIGESTS)?, self.row(FROM_KERNEL, "tcpdump")?);
        let (ratio, dropped) = (digests.rate_by(theirs).median, digests.of(Run::dropped_share).median);
        let is_broken = ratio < RATE || dropped > DROPS;
        is_broken
            .then(|| format!("digests at {ratio:.2} of tcpdump's rate, {:.4} % dropped", dropped * 100.0))
    }

    pub(crate) fn table(&self) -> String {
        let Self { about, packets, streams, pairs, .. } = self;
        let About { date, processor, processors, kernel, load, versions, commit } = about;
        let versions = versions.join("; ");
        let mut text = format!(
            "# Live, against tcpdump\n\n\
             Written by `./dev bench` on {date}, commit {commit}: {processor}, {processors} processors, Linux {kernel}, load {load};\n\
             {versions}.\n\n\
             `hopmark run` on one end of a veth pair finds, measures and judges {streams} streams of G.711; `tcpdump -n -B 65536\n\
             -w /dev/null` only copies. A sender in another namespace sends {packets} packets at full speed (a quarter of that\n\
             with background), in turn to each, {pairs} times. Sender and kernel are on one processor, the receiver on the\n\
             other. Time is that of the receiving process, user and system, over packets sent; setting up is not in it. In\n\
             every run what was sent, by the sending interface's own counter, is what Hopmark saw, reported as dropped and\n\
             reported as filtered, to the packet. What comes from the kernel (BPF_PROG_TEST_RUN, at least 10,000 streams) comes\n\
             as fast as sender and receiving kernel get along on their processor: the rate is what each way of receiving leaves\n\
             room for.\n\n\
             | background | receiver | ns/packet | least | most | observer | judge | dropped % | most % | filtered % | sender ns/packet | by tcpdump's | least | most | rate by tcpdump's | least | most |\n\
             |---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
        );
        for row in &self.rows {
            let of = |figure: fn(&Run) -> f64| row.of(figure);
            let used = of(|run| run.used.all);
            let dropped = of(|run| run.dropped_share() * 100.0);
            let _ = write!(
                text,
                "| {} | {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.4} | {:.4} | {:.1} | {:.0} |",
                row.background,
                row.receiver,
                used.median,
                used.least,
                used.most,
                of(|run| run.used.observer).median,
                of(|run| run.used.judge).median,
                dropped.median,
                dropped.most,
                of(|run| run.counted.filtered as f64 / run.sent as f64 * 100.0).median,
                of(|run| run.seconds * 1e9 / run.sent as f64).median,
            );
            let theirs = self.row(row.background, "tcpdump");
            for ratio in [theirs.map(|theirs| row.by(theirs)), theirs.map(|theirs| row.rate_by(theirs))] {
                let _ = match ratio {
                    Some(Spread { median, least, most }) => {
                        write!(text, " {median:.2} | {least:.2} | {most:.2} |")
                    }
                    None => write!(text, "  |  |  |"),
                };
            }
            text.push('\n');
        }
        text
    }
}
