//! Tells the service manager how the program is: `sd_notify(3)`.

use std::env;
use std::ffi::OsStr;
use std::fmt::Write;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;

/// The connection to the service manager, or none where no manager asked for one: then all it is told is left.
///
/// A message that the manager does not take is left too, for a program does not stop listening because nobody asks how
/// it is.
#[derive(Debug)]
pub struct Notifier {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// Connects to the manager that the environment names.
    ///
    /// To be called before the process is locked, after which nothing can be connected to.
    ///
    /// # Errors
    ///
    /// The manager named a socket to which nothing can be sent.
    pub fn from_environment() -> io::Result<Self> {
        let socket = env::var_os("NOTIFY_SOCKET").map(|name| connect(&name)).transpose()?;
        Ok(Self { socket, watchdog: sd_notify::watchdog_enabled() })
    }

    /// How often the manager wants [`is_alive`](Self::is_alive): half of the time after which it restarts the program.
    #[must_use]
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.socket.as_ref().and(self.watchdog).map(|most| most / 2)
    }

    /// It listens, and can be scraped. Also the end of a reload, whether the new configuration was taken or not.
    pub fn is_ready(&self, status: &str) {
        self.send(&[NotifyState::Ready, NotifyState::Status(&in_one_line(status))]);
    }

    /// It reads its configuration again.
    pub fn is_reloading(&self) {
        // The manager holds the moment against its own, to know this reload from an earlier one.
        if let Ok(moment) = NotifyState::monotonic_usec_now() {
            self.send(&[NotifyState::Reloading, moment]);
        }
    }

    /// It writes its last records and ends.
    pub fn is_stopping(&self) {
        self.send(&[NotifyState::Stopping]);
    }

    /// One line for whoever asks the manager how it is.
    pub fn has_status(&self, status: &str) {
        self.send(&[NotifyState::Status(&in_one_line(status))]);
    }

    /// It is not stuck.
    pub fn is_alive(&self) {
        self.send(&[NotifyState::Watchdog]);
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.socket else { return };
        let mut message = String::new();
        for state in states {
            let _ = writeln!(message, "{state}");
        }
        let _ = socket.send(message.as_bytes());
    }
}

/// The longest that a message waits for room.
const LONGEST_SENDING: Duration = Duration::from_millis(100);

/// A second line would be another assignment.
fn in_one_line(status: &str) -> String {
    status.replace(['\n', '\r'], " ")
}

fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // A manager that is busy is waited for; one that reads nothing holds up neither the watchdog nor a reload.
    socket.set_write_timeout(Some(LONGEST_SENDING))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(tell: impl FnOnce(&Notifier)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        tell(&Notifier { socket: Some(connect(path.as_os_str()).unwrap()), watchdog: None });
        let mut octets = [0; 256];
        let length = manager.recv(&mut octets).unwrap();
        String::from_utf8(octets[..length].to_vec()).unwrap()
    }

    #[test]
    fn the_manager_is_told_in_its_words() {
        let ready = told(|notifier| notifier.is_ready("2 points\nMAINPID=1"));
        assert_eq!(ready, "READY=1\nSTATUS=2 points MAINPID=1\n");
        assert_eq!(told(Notifier::is_stopping), "STOPPING=1\n");
        assert_eq!(told(Notifier::is_alive), "WATCHDOG=1\n");
        let reloading = told(Notifier::is_reloading);
        let moment = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(moment.trim_end().parse::<u64>().unwrap() > 0, "{reloading}");
    }

    #[test]
    fn a_name_with_an_at_sign_is_no_path() {
        let name = format!("hopmark-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        let socket = connect(OsStr::new(&format!("@{name}"))).unwrap();
        Notifier { socket: Some(socket), watchdog: None }.is_alive();
        let mut octets = [0; 64];
        assert_eq!(manager.recv(&mut octets).unwrap(), "WATCHDOG=1\n".len());
    }

    #[test]
    fn the_watchdog_is_fed_twice_as_often_as_asked() {
        let (socket, _manager) = UnixDatagram::pair().unwrap();
        let watchdog = Some(Duration::from_secs(30));
        let notifier = Notifier { socket: Some(socket), watchdog };
        assert_eq!(notifier.watchdog_interval(), Some(Duration::from_secs(15)));
        assert_eq!(Notifier { socket: None, watchdog }.watchdog_interval(), None);
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "what is tested is that it takes no time")]
    fn a_manager_that_reads_nothing_holds_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let socket = connect(path.as_os_str()).unwrap();
        socket.set_nonblocking(true).unwrap();
        while socket.send(b"full").is_ok() {}
        socket.set_nonblocking(false).unwrap();
        let started = std::time::Instant::now();
        Notifier { socket: Some(socket), watchdog: None }.is_alive();
        assert!(started.elapsed() < Duration::from_secs(5));
        drop(manager);
    }
}
