//! What can time frames: the interface's own clock, or the kernel's.

use super::ethtool::Ethtool;
use super::ioctl::Command;

/// What can time received frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeStamping {
    /// The interface times every frame that it receives with its own clock.
    pub hardware_all: bool,
    /// The interface times some frames only: those of the precision time protocol.
    pub hardware_some: bool,
    /// The kernel times frames when the driver hands them over.
    pub software: bool,
    /// Number of the interface's clock, as in `/dev/ptp0`; absent where it has none.
    pub clock: Option<u32>,
}

/// `SOF_TIMESTAMPING_RX_HARDWARE`, `SOF_TIMESTAMPING_RX_SOFTWARE`, `SOF_TIMESTAMPING_RAW_HARDWARE`.
const RX_HARDWARE: u32 = 1 << 2;
const RX_SOFTWARE: u32 = 1 << 3;
const RAW_HARDWARE: u32 = 1 << 6;
/// Bit of `HWTSTAMP_FILTER_ALL`; that of `HWTSTAMP_FILTER_NONE` is the lowest.
const FILTER_ALL: u32 = 1 << 1;
const FILTER_NONE: u32 = 1 << 0;

/// What can time frames of an interface; absent where the kernel does not tell.
#[must_use]
pub fn time_stamping(name: &str) -> Option<TimeStamping> {
    let answer = Ethtool::open(name).ok()?.ask(Command::TimeStamping, &[]).ok()?;
    let (means, clock, filters) = (*answer.get(1)?, *answer.get(2)?, *answer.get(7)?);
    Some(judge(means, clock, filters))
}

fn judge(means: u32, clock: u32, filters: u32) -> TimeStamping {
    let is_hardware = means & (RX_HARDWARE | RAW_HARDWARE) == RX_HARDWARE | RAW_HARDWARE;
    let hardware_all = is_hardware && filters & FILTER_ALL != 0;
    TimeStamping {
        hardware_all,
        hardware_some: is_hardware && !hardware_all && filters & !FILTER_NONE != 0,
        software: means & RX_SOFTWARE != 0,
        // None is -1.
        clock: (clock <= i32::MAX.cast_unsigned()).then_some(clock),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_that_times_only_the_time_protocol_does_not_time_media() {
        let ptp_only = judge(RX_HARDWARE | RAW_HARDWARE | RX_SOFTWARE, 0, 1 << 12 | FILTER_NONE);
        assert!(!ptp_only.hardware_all && ptp_only.hardware_some && ptp_only.software);
        assert_eq!(ptp_only.clock, Some(0));
        let all = judge(RX_HARDWARE | RAW_HARDWARE, 3, FILTER_ALL | FILTER_NONE);
        assert!(all.hardware_all && !all.hardware_some && !all.software);
        let none = judge(RX_SOFTWARE, u32::MAX, 0);
        assert!(!none.hardware_all && !none.hardware_some);
        assert_eq!(none.clock, None);
    }
}
