//! The parts of `privilege.rs`: processes that split, lock, and say.

use std::convert::Infallible;
use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use aya::programs::ProgramType;
use hopmark::privilege::{Account, FileRules, LockOptions, Locked, OpenerClient, OpenerError, lock, run};
use hopmark::service::{Order, Signals};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, recv, setsockopt, socket, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::{Pid, Uid, chown, execv, getgroups};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a part says first.
pub(crate) const READY: &str = "ready";

/// What the opener of these tests does.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Do {
    OpenPacketSocket,
    /// Tries what an opener may, and what it may not.
    Try,
}

pub(crate) fn play(part: &str) -> ExitCode {
    match part {
        "opener" => return run(open),
        "threads" => threads(),
        "reach" => reach(),
        "program" => program(),
        "packets" => packets(),
        "serve" => serve(),
        "ambient" => ambient(),
        "orders" => orders(),
        _ => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}

fn open(what: Do) -> (Value, Vec<OwnedFd>) {
    match what {
        Do::OpenPacketSocket => {
            let socket = packet_socket();
            (
                json!(tried(socket.as_ref().map(|_| ()).map_err(|error| (*error).into()))),
                socket.into_iter().collect(),
            )
        }
        Do::Try => (what_an_opener_may(), Vec::new()),
    }
}

fn what_an_opener_may() -> Value {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let kernel_program = aya::sys::is_program_supported(ProgramType::SocketFilter);
    json!({
        "load a kernel program": kernel_program.map_or_else(|error| error.to_string(), |is| is.to_string()),
        "open a UDP socket": tried(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))),
        "read of interfaces": tried(fs::read("/sys/class/net/lo/statistics/rx_packets")),
        "listen": tried(address),
        "connect": tried(TcpStream::connect((Ipv4Addr::LOCALHOST, 9))),
        "start a process": tried(Command::new("/bin/true").spawn()),
        "read a file": tried(fs::read("/etc/passwd")),
        "map code": tried(map_code()),
    })
}

/// Hears all that passes any interface of this network namespace; waits for 5 s at most.
fn packet_socket() -> nix::Result<OwnedFd> {
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::seconds(5))?;
    Ok(socket)
}

fn opener_command() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.env(super::PART, "opener");
    command
}

fn say(what: &Value) {
    println!("{what}");
}

fn begin() {
    println!("{READY}");
}

fn wait_for_order() {
    let _ = io::stdin().lock().read_line(&mut String::new());
}

fn nobody() -> Account {
    Account::find(None).unwrap()
}

fn locked_without_files() -> Locked {
    lock(&LockOptions { account: Some(nobody()), ..LockOptions::default() }).unwrap()
}

/// The folder of this part, which all may enter; whoever started the part removes it.
fn folder() -> PathBuf {
    let folder = PathBuf::from(env::var_os(super::FOLDER).unwrap());
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn status() -> String {
    fs::read_to_string("/proc/self/status").unwrap()
}

fn threads() {
    begin();
    let locked = locked_without_files();
    let (hold, holding) = mpsc::channel::<()>();
    let holding = std::sync::Arc::new(std::sync::Mutex::new(holding));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let holding = std::sync::Arc::clone(&holding);
            thread::spawn(move || holding.lock().unwrap().recv().is_err())
        })
        .collect();
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let statuses: Vec<String> =
        tasks.map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap()).collect();
    say(&json!({
        "threads": statuses,
        "groups": getgroups().unwrap_or_default().len(),
        "is_whole": locked.is_whole(),
        "locked": locked.to_string(),
    }));
    drop(hold);
    for thread in threads {
        assert!(thread.join().unwrap());
    }
}

fn reach() {
    let folder = folder();
    let place = |name: &str| {
        let place = folder.join(name);
        fs::create_dir(&place).unwrap();
        // All belong to the user that the process becomes: what is refused is refused by the lock.
        chown(&place, Some(Uid::from_raw(nobody().uid())), None).unwrap();
        place
    };
    let [configuration, evidence, other] = ["configuration", "evidence", "other"].map(place);
    fs::write(configuration.join("hopmark.toml"), "read later").unwrap();
    fs::write(other.join("file"), "not read").unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    begin();

    let account = Some(nobody());
    let _locked =
        lock(&LockOptions { account, read: vec![configuration.clone()], write: vec![evidence.clone()] })
            .unwrap();
    let (one, two) = (evidence.join("one"), evidence.join("two"));
    say(&json!({
        "read the configuration": tried(fs::read(configuration.join("hopmark.toml"))),
        "write evidence": tried(fs::write(&one, "frames").and_then(|()| File::open(&one)?.sync_all())),
        "rename evidence": tried(fs::rename(&one, &two)),
        "remove evidence": tried(fs::remove_file(&two)),
        "list interfaces": tried(fs::read_dir("/sys/class/net")
            .and_then(|_| fs::read("/sys/class/net/lo/statistics/rx_packets"))),
        "its own figures": tried(own_figures()),
        "listen": tried(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))),
        "start a thread": tried(thread::Builder::new().spawn(|| ()).map(|thread| thread.join().unwrap())),
        "write beside the evidence": tried(fs::write(other.join("new"), "")),
        "write the configuration": tried(fs::write(configuration.join("hopmark.toml"), "")),
        "read another file": tried(fs::read(other.join("file"))),
        "open a packet socket": tried(packet_socket().map_err(Into::into)),
        "open a UDP socket": tried(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))),
        "connect": tried(TcpStream::connect(address)),
        "start a process": tried(Command::new("/bin/true").spawn()),
        "signal a process": tried(kill(Pid::this(), None::<Signal>).map_err(Into::into)),
        "map code": tried(map_code()),
    }));
}

fn tried<T>(result: io::Result<T>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => error
            .raw_os_error()
            .map_or_else(|| error.to_string(), |number| format!("{:?}", Errno::from_raw(number))),
    }
}

/// What the metrics page says of the process itself.
fn own_figures() -> io::Result<()> {
    use prometheus::core::Collector;
    let families = prometheus::process_collector::ProcessCollector::for_self().collect();
    let names: Vec<&str> = families.iter().map(prometheus::proto::MetricFamily::name).collect();
    for name in ["process_open_fds", "process_resident_memory_bytes", "process_start_time_seconds"] {
        let family = families.iter().find(|family| family.name() == name);
        let value =
            family.and_then(|family| family.get_metric().first()).map(|one| one.get_gauge().get_value());
        if value.is_none_or(|value| value <= 0.0) {
            return Err(io::Error::other(format!("{name}: {value:?} of {names:?}")));
        }
    }
    Ok(())
}

/// Maps memory that could be run, as whoever brings code of his own would.
#[allow(unsafe_code, reason = "mapping memory is unsafe, whether it can be run or not")]
fn map_code() -> io::Result<()> {
    let length = NonZeroUsize::new(4096).unwrap();
    let protection = ProtFlags::PROT_READ | ProtFlags::PROT_EXEC;
    // SAFETY: the kernel chooses a place where nothing is, and nothing uses what it gives.
    let mapped = unsafe { mmap_anonymous(None, length, protection, MapFlags::MAP_PRIVATE) };
    Ok(mapped.map(|_| ())?)
}

fn program() {
    begin();
    let _locked = locked_without_files();
    let result = execv(c"/bin/true", &[c"true"]);
    say(&json!({ "went on": format!("{result:?}") }));
}

/// A network of its own with a loopback interface, and a socket that sends to itself.
fn network() -> Option<UdpSocket> {
    let is_up = || {
        unshare(CloneFlags::CLONE_NEWNET).ok()?;
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().ok()?;
        up.success().then_some(())
    };
    if is_up().is_none() {
        println!("skipped: no network namespace can be made here");
        return None;
    }
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect(socket.local_addr().unwrap()).unwrap();
    Some(socket)
}

/// Whether a packet that is sent now is heard.
fn hears(packets: &OwnedFd, sender: &UdpSocket, payload: &[u8]) -> bool {
    sender.send(payload).unwrap();
    let mut frame = [0; 2048];
    while let Ok(length) = recv(packets.as_raw_fd(), &mut frame, nix::sys::socket::MsgFlags::empty()) {
        if frame[..length].ends_with(payload) {
            return true;
        }
    }
    false
}

fn packets() {
    let Some(sender) = network() else { return };
    begin();
    let (opener, settled) = OpenerClient::start(opener_command(), Some(&nobody())).unwrap();
    assert!(settled.standing.is_filtered && settled.files == FileRules::Full, "{settled:?}");
    let open = || {
        let (answer, mut sockets) = opener.call::<_, String>(&Do::OpenPacketSocket)?;
        assert_eq!(answer, "ok");
        Ok::<_, OpenerError>(sockets.remove(0))
    };
    let first = open().unwrap();
    let _locked = locked_without_files();
    let heard = hears(&first, &sender, b"first");
    let heard_again = hears(&open().unwrap(), &sender, b"second");
    assert!(opener.is_alive());
    say(&json!({
        "heard": heard,
        "heard_again": heard_again,
        "status": status(),
        "opener": opener.process(),
        "opener_tried": opener.call::<_, Value>(&Do::Try).unwrap().0,
    }));
    wait_for_order();
    let Err(error) = open() else { return };
    say(&json!({
        "error": error.to_string(),
        "is_alive": opener.is_alive(),
        "heard": hears(&first, &sender, b"third"),
    }));
}

fn serve() {
    let folder = folder();
    let file = folder.join("file");
    fs::write(&file, "read later").unwrap();
    begin();
    let account = Some(nobody());
    let _locked = lock(&LockOptions { account, read: vec![folder], write: vec![] }).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(answer_once(&file)).unwrap();
    wait_for_order();
}

/// Serves one connection, with all that a runtime has: sockets, timers, and threads for files.
async fn answer_once(file: &Path) -> io::Result<()> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    say(&json!({ "address": listener.local_addr()?.to_string() }));
    let (connection, _) = tokio::time::timeout(Duration::from_secs(10), listener.accept()).await??;
    let answer = |_: Request<Incoming>| {
        let file = file.to_owned();
        async move {
            let text = tokio::task::spawn_blocking(move || fs::read_to_string(file).unwrap()).await.unwrap();
            Ok::<_, Infallible>(Response::new(text))
        }
    };
    let served = http1::Builder::new().serve_connection(TokioIo::new(connection), service_fn(answer)).await;
    served.map_err(io::Error::other)
}

fn ambient() {
    begin();
    let (opener, _) = OpenerClient::start(opener_command(), Some(&nobody())).unwrap();
    let locked = lock(&LockOptions { account: Some(nobody()), ..LockOptions::default() }).unwrap();
    let opened = opener.call::<_, String>(&Do::OpenPacketSocket);
    say(&json!({
        "status": status(),
        "locked": locked.to_string(),
        "opened": opened.is_ok_and(|(answer, sockets)| answer == "ok" && sockets.len() == 1),
    }));
}

fn orders() {
    let signals = Signals::take().unwrap();
    begin();
    let _locked = locked_without_files();
    say(&json!({}));
    loop {
        let order = signals.wait(Duration::from_secs(10)).unwrap();
        say(&json!({ "order": format!("{:?}", order.unwrap()) }));
        if order == Some(Order::Stop) {
            return;
        }
    }
}
