//! Packets of running streams are read, decoded and counted in no memory.
//!
//! An allocator that counts stands below everything here. What is asked of it between the thousandth packet and the last
//! is what packets cost: nothing each. A stream keeps a sample of its way now and then, in a list that grows by doubling.

#![allow(unsafe_code, reason = "an allocator is unsafe by its trait; this one only counts")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::path::Path;

use hopmark::capture::CaptureFile;
use hopmark::decode::{Decoder, Options};
use hopmark::meter::{ClockSource, Limits, Meter};
use hopmark::policy::static_clock_rate;
use hopmark::synth::{self, Format, Scenario, generate};
use hopmark::terms::{Frame, PointId};

/// The system's allocator; each thread knows how often it asked.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that ends has no counter any more, and is not measured.
    let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
}

// SAFETY: each call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps what the trait asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps what the trait asks for.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, octets: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps what the trait asks for.
        unsafe { System.realloc(memory, layout, octets) }
    }
}

const STREAMS: u64 = 50;
/// Of each stream: a stream's counters are taken over every 255 packets, so some eight times.
const PACKETS: u64 = 2_000;
/// By then every stream is known.
const WARM: u64 = 1_000;

/// How a meter keeps what tells a stream's way over several points.
#[derive(Debug, Clone, Copy)]
enum Keeping {
    /// Live at the only point: nothing.
    Nothing,
    /// A replay of one file: samples of each stream, thinned out as they become many.
    Few,
    /// A replay of several files: more samples, and packets chosen by their payload.
    Everything,
}

impl Keeping {
    fn limits(self) -> Limits {
        let (has_other_points, newest_samples) = match self {
            Self::Nothing => (false, 64),
            Self::Few => (false, 0),
            Self::Everything => (true, 0),
        };
        Limits { has_other_points, newest_samples, ..Limits::default() }
    }

    /// How often memory may be asked for, in all.
    const fn bound(self) -> u64 {
        match self {
            Self::Nothing => 0,
            // A list of a stream's begins, and grows by doubling.
            Self::Few => STREAMS * 4,
            Self::Everything => STREAMS * 8,
        }
    }
}

/// Reads a capture as a replay does; how often memory was asked for between the warm-up and the end. `each` is done with
/// every frame besides.
fn asked_by(file: &Path, keeping: Keeping, mut each: impl FnMut(&Frame<'_>)) -> u64 {
    let clock_rate = |payload_type| Some((static_clock_rate(payload_type)?, ClockSource::Static));
    let mut meter = Meter::new(PointId(0), keeping.limits(), clock_rate, 1);
    let mut decoder = Decoder::new(1, Options::default());
    let mut capture = CaptureFile::open(file).unwrap();
    let mut take = |frame: Frame<'_>, decoder: &mut Decoder| {
        each(&frame);
        if let Some((packet, path)) = decoder.decode_plain(&frame) {
            meter.observe_plain(&packet, path, decoder.paths());
        } else {
            decoder.decode_any(&frame, &mut |seen, paths| meter.observe(seen, paths)).unwrap();
        }
    };
    let mut frames = 0;
    let mut warm = None;
    loop {
        let most = if frames < WARM { WARM - frames } else { u64::MAX };
        frames +=
            capture.give_in_memory(most, |some| some.iter().for_each(|frame| take(*frame, &mut decoder)));
        if warm.is_none() && frames >= WARM {
            warm = Some(ASKED.get());
        }
        let Some(frame) = capture.next_frame() else { break };
        take(frame, &mut decoder);
        frames += 1;
    }
    let asked = ASKED.get() - warm.unwrap();
    assert_eq!(frames, STREAMS * PACKETS);
    let (mut packets, mut streams) = (0, 0);
    meter.finish(decoder.paths(), |record| {
        streams += 1;
        packets += record.hops.iter().map(|hop| hop.packets).sum::<u64>();
    });
    assert_eq!((streams, packets), (STREAMS, frames), "every packet was counted");
    asked
}

/// A capture of the streams with something around them.
fn with_capture(around: &str, format: Format, use_it: impl FnOnce(&Path)) {
    let scenario: Scenario = toml::from_str(&format!(
        "[[point]]\nname = \"tap\"\n{around}\n[[stream]]\nsource = \"10.0.0.1:50000\"\n\
         destination = \"52.114.88.40:3479\"\ncodec = \"pcma\"\ncount = {STREAMS}\npackets = {PACKETS}\n\
         order = \"random\"\n"
    ))
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = synth::Options { out: folder.path().to_owned(), format, one_file: false, truth: false };
    use_it(&generate(&scenario, &options).unwrap().files[0]);
}

#[test]
fn no_packet_of_a_running_stream_asks_for_memory() {
    for (format, around) in [
        (Format::Pcap, ""),
        (Format::Pcap, "vlan = [200, 110]"),
        (Format::Pcap, "encapsulation = [\"vxlan\"]"),
        (Format::Pcapng, "encapsulation = [\"erspan2\"]"),
    ] {
        with_capture(around, format, |file| {
            for keeping in [Keeping::Nothing, Keeping::Few, Keeping::Everything] {
                let asked = asked_by(file, keeping, |_| ());
                let packets = STREAMS * PACKETS - WARM;
                println!("{format:?}, {around:?}, {keeping:?}: {asked} times for {packets} packets");
                assert!(asked <= keeping.bound(), "{format:?}, {around:?}, {keeping:?}: {asked} times");
            }
        });
    }
}

#[test]
fn an_allocation_for_each_packet_would_be_seen() {
    with_capture("", Format::Pcap, |file| {
        let each = |frame: &Frame<'_>| drop(black_box(Box::new(frame.wire_len)));
        let asked = asked_by(file, Keeping::Nothing, each);
        let packets = STREAMS * PACKETS - WARM;
        assert_eq!(asked, packets);
    });
}
