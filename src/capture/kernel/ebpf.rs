//! The eBPF programs, as clang compiled them, brought into the kernel.

use std::error::Error;
use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, OwnedFd};

use aya::maps::Map;
use aya::programs::{ProgramError, SocketFilter};
use aya::{Ebpf, EbpfLoader, VerifierLogLevel};

use super::options::FilterOptions;

/// Words of 64 bits that hold a bit for each port.
const PORT_WORDS: usize = 1024;

/// Why there is no eBPF program.
#[derive(Debug, thiserror::Error)]
pub enum EbpfError {
    /// The kernel refuses a map or the program: most often for want of `CAP_BPF`.
    #[error("the kernel does not take it: {0}")]
    Refused(String),
    /// What was built into this program is not what its source says.
    #[error("the object lacks {0}")]
    Missing(&'static str),
    /// The classic program was asked for.
    #[error("it was not asked for")]
    NotAsked,
}

impl EbpfError {
    /// The error with its causes.
    pub(super) fn refused(error: &(dyn Error + 'static)) -> Self {
        let mut told = Vec::new();
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = next {
            let text = match error.downcast_ref::<ProgramError>() {
                Some(ProgramError::LoadError { verifier_log, .. }) => said(&verifier_log.to_string()),
                _ => error.to_string().lines().next().unwrap_or_default().to_owned(),
            };
            // Some errors tell their cause in their own text.
            if !told.last().is_some_and(|last: &String| last.ends_with(&text)) {
                told.push(text);
            }
            next = error.source();
        }
        Self::Refused(told.join(": "))
    }
}

/// What the kernel says of a program that it refuses: the reason, which stands among lines of source and figures.
fn said(log: &str) -> String {
    let is_reason = |line: &&str| {
        ![";", "verification time", "stack depth", "processed"].iter().any(|w| line.starts_with(w))
    };
    let reason = log.lines().map(str::trim).filter(|line| !line.is_empty()).find(is_reason);
    match reason {
        Some(words) => format!("the program could not be loaded: {}", words.trim_end_matches('.')),
        None => "the program could not be loaded".to_owned(),
    }
}

impl From<io::Error> for EbpfError {
    fn from(error: io::Error) -> Self {
        Self::refused(&error)
    }
}

/// The filter in the kernel.
#[derive(Debug)]
pub(super) struct MediaFilter {
    pub(super) program: OwnedFd,
    pub(super) counters: OwnedFd,
}

impl MediaFilter {
    pub(super) fn load(options: &FilterOptions) -> Result<Self, EbpfError> {
        let payload_octets = u32::from(options.payload_octets);
        let keep_whole = u32::from(options.whole);
        let excluded = port_words(&options.excluded_udp_ports);
        let relays = port_words(&options.relay_tcp_ports);
        let mut object = loader()
            .override_global("PAYLOAD_OCTETS", &payload_octets, true)
            .override_global("KEEP_WHOLE", &keep_whole, true)
            .override_global("EXCLUDED_UDP", excluded.as_slice(), true)
            .override_global("RELAY_TCP", relays.as_slice(), true)
            .load(aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/media_filter.o")))
            .map_err(|error| EbpfError::refused(&error))?;
        let program = load_program(&mut object, "media_filter")?;
        let Some(Map::Array(counters)) = object.map("COUNTERS") else {
            return Err(EbpfError::Missing("COUNTERS"));
        };
        Ok(Self { program, counters: counters.fd().as_fd().try_clone_to_owned()? })
    }
}

/// The fan-out program in the kernel.
pub(super) fn fanout() -> Result<OwnedFd, EbpfError> {
    let mut object = loader()
        .load(aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/fanout.o")))
        .map_err(|error| EbpfError::refused(&error))?;
    load_program(&mut object, "fanout")
}

/// Of a program that is refused the kernel is asked once more, to say why: in words and a few figures, not for each
/// instruction that it looked at, which takes seconds.
pub(super) fn loader<'a>() -> EbpfLoader<'a> {
    let mut loader = EbpfLoader::new();
    loader.verifier_log_level(VerifierLogLevel::STATS);
    loader
}

fn load_program(object: &mut Ebpf, name: &'static str) -> Result<OwnedFd, EbpfError> {
    let program = object.program_mut(name).ok_or(EbpfError::Missing(name))?;
    let program: &mut SocketFilter =
        program.try_into().map_err(|error: ProgramError| EbpfError::refused(&error))?;
    program.load().map_err(|error| EbpfError::refused(&error))?;
    let loaded = program.fd().map_err(|error| EbpfError::refused(&error))?;
    Ok(loaded.as_fd().try_clone_to_owned()?)
}

/// A bit for each port of the ranges, the lowest port in the lowest bit of the first word.
pub(super) fn port_words(ranges: &[RangeInclusive<u16>]) -> Vec<u64> {
    let mut words = vec![0_u64; PORT_WORDS];
    for port in ranges.iter().cloned().flatten() {
        if let Some(word) = words.get_mut(usize::from(port / 64)) {
            *word |= 1 << (port % 64);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_port_has_its_bit() {
        let words = port_words(&[53..=53, 63..=64, 65_535..=65_535]);
        assert_eq!((words[0], words[1], words[1023]), (1 << 53 | 1 << 63, 1, 1 << 63));
        assert_eq!(words.iter().map(|word| word.count_ones()).sum::<u32>(), 4);
        assert!(port_words(&[0..=u16::MAX]).iter().all(|word| *word == u64::MAX));
    }

    #[test]
    fn an_error_is_told_with_its_causes_on_one_line() {
        let denied = io::Error::from_raw_os_error(libc::EPERM);
        let error = aya::maps::MapError::CreateError { name: "COUNTERS".to_owned(), io_error: denied };
        assert_eq!(
            EbpfError::refused(&error).to_string(),
            "the kernel does not take it: failed to create map `COUNTERS`: \
             Operation not permitted (os error 1)"
        );
    }

    #[test]
    fn of_a_program_that_is_refused_the_kernel_says_why() {
        let figures = "verification time 59 usec\nstack depth 88+0\nprocessed 25787 insns (limit 1000000)\n";
        let because = "the program could not be loaded: ";
        for (log, reason) in [
            ("The sequence of 8193 jumps is too complex.\n", "The sequence of 8193 jumps is too complex"),
            (";  @ walk.h:109\ninfinite loop at insn 338\ncur state: R0=0\n", "infinite loop at insn 338"),
        ] {
            assert_eq!(said(&[log, figures].concat()), [because, reason].concat());
        }
        for log in ["", figures] {
            assert_eq!(said(log), "the program could not be loaded");
        }
    }
}
