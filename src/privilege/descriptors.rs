//! Receives a message and the descriptors that come with it.
#![allow(unsafe_code, reason = "recvmsg(2) hands over descriptors as bare numbers")]

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, RecvMsg, recvmsg};

/// One message, as it came.
pub(super) struct Received {
    /// Octets of it.
    pub octets: usize,
    /// Descriptors that came with it, closed when a program is started.
    pub descriptors: Vec<OwnedFd>,
    /// Whether all octets and descriptors found room.
    pub is_whole: bool,
}

/// Waits for one message, reads it into `octets`, and takes the descriptors for which `room` has room.
///
/// What finds no room is closed by the kernel.
pub(super) fn receive(socket: BorrowedFd<'_>, octets: &mut [u8], room: &mut [u8]) -> io::Result<Received> {
    let mut parts = [IoSliceMut::new(octets)];
    loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut *room), MsgFlags::MSG_CMSG_CLOEXEC) {
            Ok(message) => {
                return Ok(Received {
                    octets: message.bytes,
                    descriptors: owned(&message)?,
                    is_whole: !message.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC),
                });
            }
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Called once a message, by the one that received it.
fn owned(message: &RecvMsg<'_, '_, ()>) -> io::Result<Vec<OwnedFd>> {
    if message.flags.contains(MsgFlags::MSG_CTRUNC) {
        return Ok(Vec::new());
    }
    let own = |number: RawFd| {
        // SAFETY: the kernel made this descriptor for this process while it received this very message, so it is
        // open and nothing else in the process knows its number; each message is taken apart once.
        unsafe { OwnedFd::from_raw_fd(number) }
    };
    let mut descriptors = Vec::new();
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = part {
            descriptors.extend(numbers.into_iter().map(own));
        }
    }
    Ok(descriptors)
}
