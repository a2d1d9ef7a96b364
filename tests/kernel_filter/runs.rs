//! Ways to run the kernel programs: as a process, and in the kernel.

#![allow(dead_code, reason = "each test uses its own part")]

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use hopmark::capture::kernel::{Filter, FilterCounts, FilterOptions, Filtered};

/// The C program, compiled for this machine with checks for undefined behaviour, as a process that takes frames.
pub(crate) struct Host {
    process: Child,
    input: ChildStdin,
    output: ChildStdout,
    _folder: tempfile::TempDir,
}

impl Host {
    /// `media_filter`, with options.
    pub(crate) fn filter(options: &FilterOptions) -> Self {
        let mut host = Self::new("media_filter");
        for range in &options.excluded_udp_ports {
            host.ask([1, u32::from(*range.start()), u32::from(*range.end())]);
        }
        for range in &options.relay_tcp_ports {
            host.ask([2, u32::from(*range.start()), u32::from(*range.end())]);
        }
        host.ask([3, u32::from(options.payload_octets), u32::from(options.whole)]);
        host
    }

    /// `fanout`.
    pub(crate) fn fanout() -> Self {
        Self::new("fanout")
    }

    fn new(program: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(program);
        let clang = std::env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
        let status = Command::new(clang)
            .args(["-O1", "-g", "-Wall", "-Wextra", "-Werror"])
            // Traps need no library beside the compiler.
            .args([
                "-fsanitize=undefined,unsigned-shift-base",
                "-fsanitize-trap=undefined,unsigned-shift-base",
            ])
            .arg(format!("-DPROGRAM=\"{program}.c\""))
            .arg(format!("-DENTRY={program}"))
            // The kernel.h of the tests comes before that of bpf/.
            .arg("-I")
            .arg(root.join("tests/kernel_filter"))
            .arg("-I")
            .arg(root.join("bpf"))
            .arg(root.join("tests/kernel_filter/host.c"))
            .arg("-o")
            .arg(&file)
            .status()
            .expect("clang, which build.rs needs too");
        assert!(status.success(), "{program} does not compile");
        let mut process = Command::new(file).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, input, output, _folder: folder }
    }

    fn ask(&mut self, question: [u32; 3]) {
        let octets: Vec<u8> = question.iter().flat_map(|number| number.to_ne_bytes()).collect();
        self.input.write_all(&octets).unwrap();
    }

    fn answer<const N: usize>(&mut self) -> [u8; N] {
        let mut answer = [0; N];
        if let Err(error) = self.output.read_exact(&mut answer) {
            panic!("the program ended: {error}, {:?}", self.process.wait());
        }
        answer
    }

    /// What the program returns for a packet of which the kernel says that it is of this type, and which begins behind
    /// the link; or for a frame that leaves, where the type is 0.
    pub(crate) fn run(&mut self, ethertype: u16, packet: &[u8]) -> u32 {
        let protocol = u32::from(ethertype.to_be());
        self.ask([0, u32::try_from(packet.len()).unwrap(), protocol]);
        self.input.write_all(packet).unwrap();
        u32::from_ne_bytes(self.answer())
    }

    pub(crate) fn counts(&mut self) -> FilterCounts {
        self.ask([4, 0, 0]);
        let octets: [u8; 64] = self.answer();
        let word = |i: usize| u64::from_ne_bytes(octets[i * 8..][..8].try_into().unwrap());
        FilterCounts {
            seen: word(0),
            filtered: Filtered {
                excluded_port: word(1),
                tcp: word(2),
                not_ip: word(3),
                other_protocol: word(4),
            },
            snapped: word(5),
            octets_cut: word(6),
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How many octets of a frame are kept, 0 for none.
pub(crate) trait Keep {
    fn keep(&mut self, frame: &[u8]) -> usize;
}

impl Keep for Host {
    fn keep(&mut self, frame: &[u8]) -> usize {
        frame.len().min(usize::try_from(self.run(0, frame)).unwrap())
    }
}

/// A filter in the kernel, on one end of a pair of sockets: the other end sends frames as datagrams. The kernel runs
/// it over them as over packets, and that takes no privilege.
pub(crate) struct Socket {
    near: UnixDatagram,
    far: UnixDatagram,
    buffer: Vec<u8>,
}

impl Socket {
    pub(crate) fn with(filter: &Filter) -> Self {
        let (near, far) = UnixDatagram::pair().unwrap();
        filter.attach(far.as_fd()).unwrap();
        far.set_nonblocking(true).unwrap();
        Self { near, far, buffer: vec![0; 100_000] }
    }
}

impl Keep for Socket {
    fn keep(&mut self, frame: &[u8]) -> usize {
        self.near.send(frame).unwrap();
        match self.far.recv(&mut self.buffer) {
            Ok(octets) => {
                assert_eq!(self.buffer[..octets], frame[..octets]);
                octets
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => panic!("{error}"),
        }
    }
}
