//! Messages between the two processes: one JSON text, and descriptors.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::descriptors;
use super::error::MessageError;

/// Most octets of a message.
pub(super) const MOST_OCTETS: usize = 64 * 1024;
/// Most descriptors that come with an answer; none come with a request.
pub(super) const MOST_DESCRIPTORS: usize = 64;

/// A request, with the number that its answer repeats.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request<Q> {
    pub number: u64,
    pub request: Q,
}

/// The answer to the request of the same number.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer<R> {
    pub number: u64,
    pub answer: Result<R, String>,
}

/// Two sockets, each the other's end. One message is one datagram, and an end that closes is seen by the other.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Sends a message. Where the other end does not read, `flags` decide whether it waits.
pub(super) fn send<T: Serialize>(
    socket: &OwnedFd,
    message: &T,
    descriptors: &[OwnedFd],
    flags: MsgFlags,
) -> Result<(), MessageError> {
    let text = serde_json::to_vec(message)?;
    if text.len() > MOST_OCTETS {
        return Err(MessageError::TooLong { octets: text.len(), most: MOST_OCTETS });
    }
    if descriptors.len() > MOST_DESCRIPTORS {
        return Err(MessageError::TooMany { descriptors: descriptors.len(), most: MOST_DESCRIPTORS });
    }
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let rights = if numbers.is_empty() { &[] } else { &rights[..] };
    let flags = flags | MsgFlags::MSG_NOSIGNAL;
    loop {
        match sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&text)], rights, flags, None) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(MessageError::Socket(error.into())),
        }
    }
}

/// Waits for a message without end, takes it with at most `most` descriptors, and gives nothing when the other end has
/// closed.
pub(super) fn receive<T: DeserializeOwned>(
    socket: &OwnedFd,
    most: usize,
) -> Result<Option<(T, Vec<OwnedFd>)>, MessageError> {
    let mut octets = vec![0; MOST_OCTETS];
    let mut room = if most == 0 { Vec::new() } else { nix::cmsg_space!([RawFd; MOST_DESCRIPTORS]) };
    let received = match descriptors::receive(socket.as_fd(), &mut octets, &mut room) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
        received => received?,
    };
    if received.octets == 0 {
        return Ok(None);
    }
    if !received.is_whole {
        return Err(MessageError::DescriptorsLost);
    }
    let text = octets.get(..received.octets).unwrap_or_default();
    Ok(Some((serde_json::from_slice(text)?, received.descriptors)))
}

/// Waits until something can be read or the other end has closed; says whether it happened in time.
pub(super) fn wait(socket: BorrowedFd<'_>, most: Duration) -> io::Result<bool> {
    // Rounded up, so that waiting for the rest of a millisecond is not a loop without a pause.
    let most = most.saturating_add(Duration::from_micros(999));
    let most = PollTimeout::try_from(most).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(socket, PollFlags::POLLIN)], most) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether the other end has closed.
pub(super) fn is_closed(socket: BorrowedFd<'_>) -> bool {
    let mut end = PollFd::new(socket, PollFlags::empty());
    poll(std::slice::from_mut(&mut end), PollTimeout::ZERO).is_ok()
        && end.revents().is_some_and(|events| events.contains(PollFlags::POLLHUP))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Seek, Write};

    use super::*;

    const WAITS: MsgFlags = MsgFlags::empty();

    #[test]
    fn a_text_and_a_descriptor_arrive_together() {
        let (here, there) = pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"handed over").unwrap();
        file.rewind().unwrap();
        send(&here, &"open", &[file.into()], WAITS).unwrap();

        let (text, mut descriptors): (String, _) = receive(&there, MOST_DESCRIPTORS).unwrap().unwrap();
        assert_eq!((text.as_str(), descriptors.len()), ("open", 1));
        let mut read = String::new();
        File::from(descriptors.remove(0)).read_to_string(&mut read).unwrap();
        assert_eq!(read, "handed over");
    }

    #[test]
    fn as_many_descriptors_arrive_as_may_be_sent() {
        let (here, there) = pair().unwrap();
        let null: OwnedFd = File::open("/dev/null").unwrap().into();
        let many: Vec<OwnedFd> = (0..MOST_DESCRIPTORS).map(|_| null.try_clone().unwrap()).collect();
        send(&here, &0, &many, WAITS).unwrap();
        let (_, descriptors) = receive::<u8>(&there, MOST_DESCRIPTORS).unwrap().unwrap();
        assert_eq!(descriptors.len(), MOST_DESCRIPTORS);

        let more: Vec<OwnedFd> = (0..=MOST_DESCRIPTORS).map(|_| null.try_clone().unwrap()).collect();
        assert!(matches!(send(&here, &0, &more, WAITS), Err(MessageError::TooMany { descriptors: 65, .. })));
    }

    #[test]
    fn descriptors_that_are_not_wanted_are_not_taken() {
        let (here, there) = pair().unwrap();
        let (kept, given) = pair().unwrap();
        send(&here, &0, &[given], WAITS).unwrap();
        assert!(matches!(receive::<u8>(&there, 0), Err(MessageError::DescriptorsLost)));
        // The other end of what was given is closed, for nobody has it.
        assert!(receive::<u8>(&kept, 0).unwrap().is_none());
    }

    #[test]
    fn a_text_that_is_too_long_is_not_sent() {
        let (here, _there) = pair().unwrap();
        let error = send(&here, &"x".repeat(MOST_OCTETS), &[], WAITS).unwrap_err();
        assert!(
            matches!(error, MessageError::TooLong { octets, .. } if octets == MOST_OCTETS + 2),
            "{error}"
        );
    }

    #[test]
    fn an_end_that_closes_is_no_message() {
        let (here, there) = pair().unwrap();
        assert!(!is_closed(there.as_fd()));
        drop(here);
        assert!(is_closed(there.as_fd()));
        assert!(receive::<u8>(&there, 0).unwrap().is_none());
    }

    #[test]
    fn waiting_ends_in_time() {
        let (here, there) = pair().unwrap();
        assert!(!wait(there.as_fd(), Duration::ZERO).unwrap());
        send(&here, &0, &[], WAITS).unwrap();
        assert!(wait(there.as_fd(), Duration::ZERO).unwrap());
    }
}
