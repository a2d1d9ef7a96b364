//! Memory that was freed is used again, or given back.

#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::hint::black_box;
use std::sync::mpsc::channel;

use hopmark::service::keep_memory_together;

const MIB: usize = 1 << 20;

/// Octets of memory that this process keeps.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

/// So many octets, in pieces that are all written to.
fn pieces(octets: usize, size: usize) -> Vec<Vec<u8>> {
    (0..octets / size).map(|_| black_box(vec![1; size])).collect()
}

/// All of them are one process, so that this is one test.
#[test]
fn what_was_freed_is_used_again_or_given_back() {
    keep_memory_together();
    let before = resident();

    // Large pieces: the C library would keep them from the second time on, below what was asked for after them.
    let mut kept = Vec::new();
    for _ in 0..4 {
        let large = pieces(32 * MIB, 4 * MIB);
        kept.push(pieces(1000, 100));
        drop(large);
    }
    let after_large = resident();
    assert!(after_large < before + 8 * MIB, "{before} octets became {after_large}");

    // Threads that keep a little: each would have a pool of its own, as large as what it needed at most.
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for _ in 0..8 {
            let (ready, is_ready) = channel();
            let (end, is_over) = channel::<()>();
            scope.spawn(move || {
                let small = pieces(8 * MIB, 4000);
                let kept = pieces(1000, 100);
                drop(small);
                ready.send(kept).unwrap();
                let _ = is_over.recv();
            });
            threads.push((is_ready.recv().unwrap(), end));
        }
        let after_threads = resident();
        assert!(after_threads < after_large + 24 * MIB, "{after_large} octets became {after_threads}");
    });
}
