//! Has the network card stamp what it receives, where it can.

use std::io;
use std::os::fd::BorrowedFd;

use super::kernel;

/// Asks for the card's own times. That a card has no clock is no error: the frames say who stamped them.
pub(super) fn ask_hardware(socket: BorrowedFd<'_>, interface: &str) -> io::Result<()> {
    let mut config = libc::hwtstamp_config { flags: 0, tx_type: 0, rx_filter: 0 };
    let none = libc::HWTSTAMP_FILTER_NONE.cast_signed();
    // Another program may need what is set: sending is left as it is, and so is a card that stamps something already.
    let is_known = kernel::hardware_stamps(socket, interface, libc::SIOCGHWTSTAMP, &mut config).is_ok();
    if is_known && config.rx_filter == none {
        config.rx_filter = libc::HWTSTAMP_FILTER_ALL.cast_signed();
        let _ = kernel::hardware_stamps(socket, interface, libc::SIOCSHWTSTAMP, &mut config);
    }
    kernel::set(socket, libc::PACKET_TIMESTAMP, &libc::SOF_TIMESTAMPING_RAW_HARDWARE)
}
