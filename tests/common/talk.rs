//! Calls that are heard on cables, paced as phones do it.

#![allow(clippy::disallowed_methods, reason = "programs and senders are waited for by this machine's clock")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::cable::Sender;
use super::{Random, Stream, Udp};

/// How calls are.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    /// So many, each with a stream in both directions.
    pub(crate) count: u8,
    /// Numbers its hosts: other talks have other ones.
    pub(crate) site: u8,
    /// The codepoint that they carry.
    pub(crate) dscp: u8,
    /// Time from one packet of a stream to the next.
    pub(crate) interval: Duration,
    /// Where they are heard, in the order of the path. Each hop lowers the TTL.
    pub(crate) cables: Vec<&'static str>,
}

impl Calls {
    /// Ten calls of G.711 on these cables.
    pub(crate) fn on(cables: &[&'static str]) -> Self {
        Self { count: 10, site: 0, dscp: 46, interval: Duration::from_millis(20), cables: cables.to_vec() }
    }

    fn streams(&self) -> Vec<Stream> {
        let call = |n: u8| {
            let near = format!("10.1.{}.{}:{}", self.site, n + 1, 50_000 + 2 * u16::from(n));
            // No two calls have a host in common, so that what they share is the tap.
            let far = format!("198.51.{}.{}:{}", 100 + self.site, n + 1, 40_000 + 2 * u16::from(n));
            let ssrc = 0x5150_0000 + u32::from(self.site) * 0x1_0000 + u32::from(n) * 0x100;
            let forward = Stream::g711(Udp::new(&near, &far)).ssrc(ssrc).sequence(1000 + 77 * u16::from(n));
            let reverse = Stream { flow: forward.flow.reversed(), ..forward }.ssrc(ssrc + 1).sequence(9000);
            [forward, reverse]
        };
        (0..self.count).flat_map(call).collect()
    }

    /// Starts talking.
    pub(crate) fn start(self) -> Talk {
        let streams = self.streams();
        let senders: Vec<(Sender, u8)> = self.cables.iter().map(|cable| Sender::on(cable)).zip(0..).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let packets = Arc::new(AtomicU64::new(0));
        let (is_over, counted) = (Arc::clone(&stop), Arc::clone(&packets));
        let thread = thread::spawn(move || {
            let begun = Instant::now();
            for i in 0.. {
                let due = begun + self.interval * i;
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                for stream in &streams {
                    let flow = stream.flow.dscp(self.dscp);
                    let payload = spoken(stream, i);
                    for (sender, hop) in &senders {
                        // An interface that is down or gone takes nothing.
                        match sender.try_send(&flow.ttl(60 - hop).frame(&payload)) {
                            Ok(_) | Err(Errno::ENETDOWN | Errno::ENXIO | Errno::ENODEV | Errno::ENOBUFS) => {}
                            Err(error) => panic!("sending: {error}"),
                        }
                    }
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Talk { stop, packets, thread: Some(thread) }
    }
}

/// The i-th packet of a stream from RTP on. No two streams say the same.
fn spoken(stream: &Stream, i: u32) -> Vec<u8> {
    let mut packet = stream.payload(i);
    let mut said = Random::new(u64::from(stream.ssrc) << 32 | u64::from(i));
    for octet in packet.iter_mut().skip(12) {
        *octet = said.u8();
    }
    packet
}

/// Calls that go on until they are hung up.
pub(crate) struct Talk {
    stop: Arc<AtomicBool>,
    packets: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Talk {
    /// Packets that were sent on each cable that was up.
    pub(crate) fn packets(&self) -> u64 {
        self.packets.load(Ordering::Relaxed)
    }

    /// Ends all calls; how many packets were sent on each cable that was up.
    pub(crate) fn hang_up(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the senders end well");
        }
        self.packets()
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
