//! Whole runs of Hopmark and of others over the same captures, in turn.
//!
//!     cargo bench --bench end_to_end -- target/release/hopmark [--packets N] [--pairs N]
//!
//! The page goes to standard output, together with all figures as JSON; that of a full run also into
//! `benches/results.md`. A bound that is missed is said, and fails nothing.

#![allow(clippy::print_stdout, reason = "the page is the result")]
#![allow(clippy::print_stderr, reason = "whoever waits is told how far it is")]

mod about;
mod captures;
mod compare;
mod results;
mod used;

use std::error::Error;
use std::fs;
use std::path::Path;

use about::About;
use captures::{Captures, Maker, warm};
use compare::{Comparison, Contender};
use hopmark::synth::Format;
use results::Bound::{AtLeast, AtMost};
use results::{Promise, Results};
use used::{MEASURE, Used, measure};

/// Packets of each capture, unless told otherwise.
const PACKETS: u64 = 6_000_000;
/// tshark reads this part of them.
const TSHARK_SHARE: u64 = 4;
/// Times that each program is run, unless told otherwise.
const PAIRS: usize = 7;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == MEASURE) {
        println!("{}", measure(&arguments[1..])?);
        return Ok(());
    }
    // Cargo says so when benches are to be measured, and not when they are only tested.
    let is_bench = arguments.iter().any(|argument| argument == "--bench");
    arguments.retain(|argument| argument != "--bench");
    let Some((hopmark, options)) = arguments.split_first().filter(|_| is_bench) else { return Ok(()) };
    let (mut packets, mut pairs) = (PACKETS, PAIRS);
    for option in options.chunks(2) {
        match option {
            [name, value] if name == "--packets" => packets = value.parse()?,
            [name, value] if name == "--pairs" => pairs = value.parse()?,
            _ => return Err(format!("{option:?}: only --packets N and --pairs N are known").into()),
        }
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    let bench = Bench { hopmark, maker: Maker { hopmark, folder }, packets, pairs };
    let results = bench.run()?;
    let page = results.page();
    println!("{page}\n{}", serde_json::to_string_pretty(&results)?);
    if packets >= PACKETS && pairs >= PAIRS {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results.md"), page)?;
    }
    Ok(())
}

struct Bench<'a> {
    hopmark: &'a str,
    maker: Maker<'a>,
    packets: u64,
    pairs: usize,
}

impl Bench<'_> {
    fn run(&self) -> Result<Results, Box<dyn Error>> {
        let about = About::this_machine(&[self.hopmark, "tcpdump", "capinfos", "tshark"]);
        let few = self.against_readers("streams-100")?;
        let many = self.against_readers("streams-10000")?;
        let crowd = self.against_readers("streams-100000")?;
        let mixed = self.against_readers("background-70")?;
        let pcapng = self.pcapng_against_pcap()?;
        let points = self.two_points_against_one()?;
        let tshark = self.against_tshark()?;

        let cpu = |comparison: &Comparison, of, by| comparison.ratio(of, by, Used::cpu_seconds);
        let promises = [
            (
                "tcpdump's CPU time : hopmark's, 100 streams",
                AtLeast(3.5),
                5.5,
                cpu(&few, "tcpdump", "hopmark"),
            ),
            ("the same, 10,000 streams", AtLeast(3.0), 4.5, cpu(&many, "tcpdump", "hopmark")),
            ("the same, 100,000 streams", AtLeast(2.5), 3.5, cpu(&crowd, "tcpdump", "hopmark")),
            ("tshark's CPU time : hopmark's", AtLeast(80.0), 140.0, cpu(&tshark, "tshark", "hopmark")),
            (
                "hopmark's CPU time : read-and-walk floor, 100 streams",
                AtMost(2.5),
                1.6,
                cpu(&few, "hopmark", "walk"),
            ),
            ("the same, 100,000 streams", AtMost(4.0), 2.4, cpu(&crowd, "hopmark", "walk")),
            (
                "pcapng's CPU time : pcap's",
                AtMost(1.3),
                1.1,
                cpu(&pcapng, "hopmark, pcapng", "hopmark, pcap"),
            ),
            (
                "two points in two files : one, wall time",
                AtMost(1.2),
                1.05,
                points.ratio("hopmark, two", "hopmark, one", |used| used.wall_seconds),
            ),
            (
                "peak memory, 100,000 streams, MB",
                AtMost(60.0),
                40.0,
                crowd.median("hopmark").map(|used| used.peak_megabytes),
            ),
        ];
        let promises =
            promises.map(|(what, bound, aim, measured)| Promise { what, bound, aim, measured }).into();
        let comparisons = vec![few, many, crowd, mixed, pcapng, points, tshark];
        Ok(Results { about, rounds: self.pairs, promises, comparisons })
    }

    /// Programs that only read, and the floor.
    fn against_readers(&self, scenario: &str) -> Result<Comparison, Box<dyn Error>> {
        let captures = self.maker.make(scenario, Format::Pcap, self.packets)?;
        let packets = captures.count(self.hopmark)?;
        let file = path_of(&captures);
        let contenders = vec![
            self.replay("hopmark", &captures, packets),
            contender("tcpdump", &["tcpdump", "-n", "-r", &file, "-w", "/dev/null"], packets),
            contender("capinfos", &["capinfos", "-c", "-M", &file], packets),
            contender("walk", &[self.hopmark, "bench", "walk", &file], packets),
            contender("walk, mapped", &[self.hopmark, "bench", "walk", "--mapped", &file], packets),
        ];
        self.compare(&format!("{scenario}.pcap"), &captures, contenders)
    }

    fn pcapng_against_pcap(&self) -> Result<Comparison, Box<dyn Error>> {
        let pcap = self.maker.make("streams-100", Format::Pcap, self.packets)?;
        let pcapng = self.maker.make("streams-100", Format::Pcapng, self.packets)?;
        let packets = pcapng.count(self.hopmark)?;
        for file in &pcap.files {
            warm(file)?;
        }
        let file = path_of(&pcapng);
        let contenders = vec![
            self.replay("hopmark, pcapng", &pcapng, packets),
            self.replay("hopmark, pcap", &pcap, packets),
            contender("tcpdump", &["tcpdump", "-n", "-r", &file, "-w", "/dev/null"], packets),
            contender("walk", &[self.hopmark, "bench", "walk", &file], packets),
        ];
        self.compare("streams-100.pcapng", &pcapng, contenders)
    }

    fn two_points_against_one(&self) -> Result<Comparison, Box<dyn Error>> {
        let two = self.maker.make("two-points", Format::Pcap, self.packets)?;
        let packets = two.count(self.hopmark)?;
        let one = two.first_point();
        let contenders =
            vec![self.replay("hopmark, two", &two, packets), self.replay("hopmark, one", &one, packets / 2)];
        self.compare("two-points", &two, contenders)
    }

    fn against_tshark(&self) -> Result<Comparison, Box<dyn Error>> {
        let captures = self.maker.make("streams-100", Format::Pcap, self.packets / TSHARK_SHARE)?;
        let packets = captures.count(self.hopmark)?;
        let file = path_of(&captures);
        let streams =
            ["tshark", "-q", "-n", "-r", &file, "-z", "rtp,streams", "--enable-heuristic", "rtp_udp"];
        let contenders =
            vec![self.replay("hopmark", &captures, packets), contender("tshark", &streams, packets)];
        self.compare("streams-100.pcap, a quarter", &captures, contenders)
    }

    fn replay(&self, name: &'static str, captures: &Captures, packets: u64) -> Contender {
        let replay = [self.hopmark, "replay", "--fail-on", "never", "--format", "text", "--worst", "20"];
        let command = replay.map(str::to_owned).into_iter().chain(captures.sources()).collect();
        Contender { name, command, packets }
    }

    fn compare(
        &self,
        name: &str,
        captures: &Captures,
        contenders: Vec<Contender>,
    ) -> Result<Comparison, Box<dyn Error>> {
        let mut slowest = f64::INFINITY;
        for file in &captures.files {
            slowest = slowest.min(warm(file)?);
        }
        eprintln!("{name}: {slowest:.1} GB/s");
        Comparison::run((name, slowest), contenders, self.pairs)
    }
}

fn contender(name: &'static str, command: &[&str], packets: u64) -> Contender {
    Contender { name, command: command.iter().map(|&word| word.to_owned()).collect(), packets }
}

fn path_of(captures: &Captures) -> String {
    captures.files.iter().map(|file| file.display().to_string()).collect()
}
