//! The server: one thread that answers everybody.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::SndBuf;
use tokio::sync::{Semaphore, watch};

use super::api::PathCache;
use super::connection::serve;
use super::connections::Connections;
use super::counters::Counters;
use super::metrics::Metrics;
use super::web::{Web, WebConfigError};
use crate::status::Status;

/// How the server is to serve.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Where it listens.
    pub address: SocketAddr,
    /// TLS, who may ask, headers: a file in the form of Prometheus' exporters.
    pub web_config: Option<PathBuf>,
    /// Connections at a time. When one more comes, the one that has waited longest makes room.
    pub max_connections: usize,
    /// Within this time a request has to come, to be answered, and its answer to be taken.
    pub request_timeout: Duration,
    /// Series of one scrape.
    pub max_series: usize,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 9847)),
            web_config: None,
            max_connections: 128,
            request_timeout: Duration::from_secs(10),
            max_series: 100_000,
        }
    }
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {problem}; choose another address, or stop what listens there")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the system said.
        problem: std::io::Error,
    },
    /// The web configuration is wrong.
    #[error("web configuration: {0}")]
    Web(#[from] WebConfigError),
    /// The system gives no timers or polls.
    #[error("cannot serve: {0}")]
    Runtime(std::io::Error),
}

/// Ends a server from elsewhere. Clones end the same one.
#[derive(Debug, Clone)]
pub struct Stop(watch::Sender<bool>);

impl Stop {
    /// Nothing is stopped yet.
    #[must_use]
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Stops: answers that are being sent are finished within half a second, and nothing new is taken.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    pub(super) fn watch(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

/// What all connections share.
pub(super) struct Shared {
    pub(super) status: Arc<Status>,
    pub(super) reload: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
    pub(super) reloading: Arc<Semaphore>,
    pub(super) is_healthy: Box<dyn Fn() -> bool + Send + Sync>,
    pub(super) counters: Arc<Counters>,
    pub(super) metrics: Metrics,
    pub(super) paths: PathCache,
    pub(super) web: Web,
    pub(super) timeout: Duration,
    /// Octets of answers that are not taken yet, in KiB; see [`ANSWERS_KIB`].
    pub(super) room: Arc<Semaphore>,
}

/// KiB of answers, each made for one who asked, that are kept until they are taken. Scrapes are not among them: those
/// share one.
pub(super) const ANSWERS_KIB: u32 = 64 << 10;

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("counters", &self.counters).finish_non_exhaustive()
    }
}

/// A server that is bound and not running yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    max_connections: usize,
    shared: Arc<Shared>,
}

/// How long answers may take to end when the server stops.
const GRACE: Duration = Duration::from_millis(500);
/// Octets that the kernel keeps for a connection until they are taken.
const SEND_BUFFER: usize = 128 << 10;
/// Threads for what takes its time: passwords, reading the configuration.
const SLOW_THREADS: usize = 2;

impl Server {
    /// Listens, and reads the web configuration, so that what is wrong is told at once.
    ///
    /// `reload` reads the program's configuration anew and says what is wrong with it; `is_healthy` says whether
    /// the program does its work. Connections wait until the server runs. The figures of the process are those of
    /// the one that calls this, so it is called by the process that is to serve.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on, or the web configuration is wrong.
    pub fn bind(
        options: &ServerOptions,
        status: Arc<Status>,
        reload: impl Fn() -> Result<(), String> + Send + Sync + 'static,
        is_healthy: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Self, ServeError> {
        let web = Web::open(options.web_config.as_deref())?;
        let listen = |problem| ServeError::Listen { address: options.address, problem };
        let listener = TcpListener::bind(options.address).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        // Connections take it over: the kernel keeps no more than this of an answer that is not taken.
        setsockopt(&listener, SndBuf, &SEND_BUFFER).map_err(|problem| listen(problem.into()))?;
        let address = listener.local_addr().map_err(listen)?;
        let shared = Shared {
            status,
            reload: Box::new(reload),
            reloading: Arc::new(Semaphore::new(1)),
            is_healthy: Box::new(is_healthy),
            counters: Arc::default(),
            metrics: Metrics::new(options.max_series),
            paths: PathCache::default(),
            web,
            timeout: options.request_timeout,
            room: Arc::new(Semaphore::new(ANSWERS_KIB as usize)),
        };
        Ok(Self { listener, address, max_connections: options.max_connections, shared: Arc::new(shared) })
    }

    /// Where it listens: with the port that the system chose, if it was to choose one.
    #[must_use]
    pub const fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Serves on this thread until it is stopped, and ends within a second then.
    ///
    /// # Errors
    ///
    /// When the system gives no timers or polls.
    pub fn run(self, stop: &Stop) -> Result<(), ServeError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(SLOW_THREADS)
            .thread_name("export-slow")
            .build()
            .map_err(ServeError::Runtime)?;
        let served = runtime.block_on(self.accept(stop));
        // What takes its time still is not waited for.
        runtime.shutdown_background();
        served
    }

    async fn accept(self, stop: &Stop) -> Result<(), ServeError> {
        let listener = tokio::net::TcpListener::from_std(self.listener).map_err(ServeError::Runtime)?;
        let connections = Connections::new(self.max_connections, Arc::clone(&self.shared.counters));
        let mut stopped = stop.watch();
        let mut tasks = tokio::task::JoinSet::new();
        loop {
            let accepted = tokio::select! {
                _ = stopped.wait_for(|is_stopped| *is_stopped) => break,
                Some(_) = tasks.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                // No descriptor is left, or the peer went: others must come to an end first.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let place = connections.enter();
            let number = place.number();
            let task = tasks.spawn(serve(stream, Arc::clone(&self.shared), place, stop.watch()));
            connections.begun(number, task);
        }
        drop(listener);
        let all = async { while tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GRACE, all).await;
        Ok(())
    }
}
