//! `hopmark run`: listens on mirror ports for as long as it runs.

mod digests;
mod opening;
mod reload;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use crate::capture::interface::Links;
use crate::config::{self, Appliance, Backend, LeastSeverity, LogFormat, Source};
use crate::evidence::EvidenceSettings;
use crate::export::{Server, ServerOptions, Stop};
use crate::pipeline::live::{EvidenceOptions, Live, LiveOptions, LivePoint};
use crate::privilege::{Account, LockOptions, Locked, OpenerClient, Plan, Standing, lock, plan};
use crate::service::{Notifier, Order, Signals, give_memory_back, keep_memory_together, logging};
use crate::status::{Reload, Status};
use crate::verify::Severity;
use opening::Openings;
pub(super) use opening::serve as serve_openings;
use reload::Running;

/// What `hopmark run` takes.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The operator's file: which interfaces, what is expected, where to serve metrics
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// TLS and basic authentication for metrics, in the form of Prometheus exporters; in place of what FILE names
    #[arg(long = "web.config.file", value_name = "FILE")]
    pub web_config: Option<PathBuf>,
}

/// Runs until it is told to stop.
///
/// # Errors
///
/// Before anything runs: what is wrong, and how to mend it.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    keep_memory_together();
    let loaded = config::load(&args.config, None)?;
    let (policy, appliance) = (Arc::new(loaded.policy), loaded.appliance);
    has_sources(args, &appliance)?;
    let log = logging::start(log_format(&appliance), Some(appliance.log.level.as_str()))?;
    say_what_evidence_lacks(&appliance);
    let signals = Signals::take().context("signals cannot be taken")?;
    let notifier = Notifier::from_environment().context("the service manager cannot be reached")?;
    let opener = split(&appliance)?.map(Arc::new);
    let is_opener_missed = Arc::new(AtomicBool::new(false));
    let links = Arc::new(Mutex::new(Links::open()?));
    let status = Arc::new(Status::default());
    status.set_reload(Reload { success_seconds: now_seconds(), ..Reload::default() });
    let running = Arc::new(Running {
        config: args.config.clone(),
        status: Arc::clone(&status),
        live: OnceLock::new(),
        sources: Arc::new(Mutex::new(sources(&appliance))),
        now: Mutex::new((Arc::clone(&policy), appliance.clone())),
        opener: opener.clone(),
        is_opener_missed: Arc::clone(&is_opener_missed),
    });
    let server = serve(args, &appliance, &running)?;
    let address = server.local_address();
    let mut openings = Openings {
        client: opener,
        is_missed: is_opener_missed,
        links,
        capture: appliance.capture.clone(),
        sources: Arc::clone(&running.sources),
        prepared: Vec::new(),
    };
    openings.prepare()?;

    let locked = lock_in(args, &appliance, account(&appliance)?)?;
    tracing::info!("locked: {locked}");

    let options = LiveOptions {
        interval: appliance.run.interval,
        keep_ended: appliance.run.keep_ended.min(policy.limits.stream_timeout),
        keep_findings: appliance.run.keep_findings,
        evidence: appliance.evidence.as_ref().map(evidence),
    };
    let points = live_points(&appliance);
    let live = Live::start(&points, &options, &policy, &status, Box::new(move |point| openings.open(point)))
        .context("no thread can be started")?;
    let _ = running.live.set(live);
    let live = running.live.get().context("nothing runs")?;
    let stop = Stop::new();
    let serving = {
        let stop = stop.clone();
        std::thread::Builder::new().name("export".to_owned()).spawn(move || server.run(&stop))?
    };
    tracing::info!("serving http://{address}/metrics");
    let beat = notifier.watchdog_interval().unwrap_or(BEAT).min(BEAT);
    // An interface that is not there must not keep the rest from starting.
    let mut beats_to_ready = Some(BEATS_TO_READY);
    loop {
        if let Some(left) = beats_to_ready
            && (left == 0 || status.is_ready.load(Ordering::Acquire))
        {
            notifier.is_ready("listening");
            beats_to_ready = None;
        }
        beats_to_ready = beats_to_ready.map(|left| left - 1);
        match signals
            .wait(if beats_to_ready.is_some() { SHORT_BEAT } else { beat })
            .context("signals cannot be waited for")?
        {
            Some(Order::Stop) => break,
            Some(Order::Reload) => {
                notifier.is_reloading();
                // What was wrong is in the log, in the metrics and in the status.
                let _ = running.reload();
                notifier.is_ready("listening");
            }
            None => give_memory_back(),
        }
        log.tell_left_out();
        if running.has_lost_opener() {
            tracing::error!("{OPENER_ENDED}");
            notifier.has_status(OPENER_ENDED);
        }
        // The service manager starts it again where that is what helps.
        if running.is_healthy() && !serving.is_finished() {
            notifier.is_alive();
        }
    }
    notifier.is_stopping();
    tracing::info!("stopping");
    live.stop(PATIENCE);
    say_what_was_heard(&status);
    stop.stop();
    let _ = serving.join();
    drop(locked);
    Ok(ExitCode::SUCCESS)
}

/// Between two looks at whether everything is open.
const SHORT_BEAT: Duration = Duration::from_millis(100);
/// So often it is looked before the service is called ready all the same.
const BEATS_TO_READY: u32 = 100;
/// What is open needs no opener, so that nothing is lost yet.
const OPENER_ENDED: &str = "the opener has ended: what is open stays open, but no interface can be opened, nor opened \
                            again, until hopmark is restarted";
/// Between two signs of life.
const BEAT: Duration = Duration::from_secs(1);
/// How long the last records are waited for.
const PATIENCE: Duration = Duration::from_millis(1200);

/// For people or for programs.
const fn log_format(appliance: &Appliance) -> logging::Format {
    match appliance.log.format {
        LogFormat::Text => logging::Format::Text,
        LogFormat::Json => logging::Format::Json,
    }
}

/// Refuses a file by which nothing is listened to.
fn has_sources(args: &RunArgs, appliance: &Appliance) -> anyhow::Result<()> {
    anyhow::ensure!(
        !appliance.sources().is_empty(),
        "{}: no [[point]] names an interface or a file, so there is nothing to listen to; give one `interface = \
         \"eth1\"`",
        args.config.display()
    );
    Ok(())
}

/// Of digests there are no headers to keep.
fn say_what_evidence_lacks(appliance: &Appliance) {
    if appliance.evidence.is_none() {
        return;
    }
    for (point, source) in appliance.sources() {
        if matches!(source, Source::Interface(interface) if interface.backend == Backend::Xdp) {
            tracing::warn!(point = point.name, "evidence: of RTP in digests no headers can be kept");
        }
    }
}

/// The last figures: nobody will scrape them.
fn say_what_was_heard(status: &Status) {
    for point in &status.picture().figures.points {
        let dropped: u64 = point.dropped.iter().map(|(_, frames)| frames).sum();
        tracing::info!(point = point.name, packets = point.packets, dropped, "heard in all");
    }
}

/// Listens where metrics are asked for, and reads who may ask.
fn serve(args: &RunArgs, appliance: &Appliance, running: &Arc<Running>) -> anyhow::Result<Server> {
    let listen = &appliance.listen;
    let options = ServerOptions {
        address: listen.address,
        web_config: args.web_config.clone().or_else(|| listen.web_config.clone()),
        max_connections: listen.max_connections,
        request_timeout: listen.request_timeout,
        max_series: listen.max_series,
    };
    let (reload, health) = (Arc::clone(running), Arc::clone(running));
    Ok(Server::bind(
        &options,
        Arc::clone(&running.status),
        move || reload.reload(),
        move || health.is_healthy(),
    )?)
}

/// Starts the opener, where interfaces are to be opened.
fn split(appliance: &Appliance) -> anyhow::Result<Option<OpenerClient>> {
    let has_interfaces = appliance.sources().iter().any(|(_, source)| matches!(source, Source::Interface(_)));
    let missing = match plan(has_interfaces)? {
        Plan::Alone => return Ok(None),
        Plan::Split { .. } if !has_interfaces => return Ok(None),
        Plan::Split { missing } => missing,
    };
    for capability in missing {
        tracing::warn!("{capability} is missing: what needs it is left out");
    }
    let account = account(appliance)?;
    let (client, _) = OpenerClient::start(OpenerClient::command(), account.as_ref())?;
    Ok(Some(client))
}

/// The user to become: that of the file; of root, `nobody` where the file names none.
fn account(appliance: &Appliance) -> anyhow::Result<Option<Account>> {
    let is_root = Standing::read().context("/proc/self/status")?.is_root();
    if appliance.run.user.is_none() && !is_root {
        return Ok(None);
    }
    Ok(Some(Account::find(appliance.run.user.as_deref())?))
}

/// Gives up what is not needed any more.
fn lock_in(args: &RunArgs, appliance: &Appliance, account: Option<Account>) -> anyhow::Result<Locked> {
    let folder = |path: &PathBuf| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        path.parent().map(std::path::Path::to_path_buf)
    };
    let mut read: Vec<PathBuf> = folder(&args.config).into_iter().collect();
    let web = args.web_config.as_ref().or(appliance.listen.web_config.as_ref());
    read.extend(web.and_then(folder));
    for (_, source) in appliance.sources() {
        if let Source::File(path) = source {
            read.extend(folder(path));
        }
    }
    let write = appliance.evidence.iter().map(|evidence| evidence.directory.clone()).collect();
    let options = LockOptions { account, read, write };
    Ok(lock(&options)?)
}

/// What is kept for findings.
fn evidence(evidence: &config::Evidence) -> EvidenceOptions {
    EvidenceOptions {
        memory_octets: evidence.memory_octets,
        octets_per_packet: evidence.octets_per_packet,
        seconds: evidence.keep.as_secs().max(1),
        severity: match evidence.severity {
            LeastSeverity::Error => Severity::Error,
            LeastSeverity::Warning => Severity::Warning,
            LeastSeverity::Info => Severity::Info,
        },
        settings: EvidenceSettings {
            folder: evidence.directory.clone(),
            max_octets: evidence.max_octets,
            max_files: evidence.max_files,
        },
    }
}

/// What is listened to.
fn live_points(appliance: &Appliance) -> Vec<LivePoint> {
    let point = |(point, source): (&config::LivePoint, &Source)| {
        let (name, taps, is_file) = match source {
            Source::Interface(interface) => (interface.name.clone(), interface.rings, false),
            Source::StandardInput => ("-".to_owned(), 1, true),
            Source::File(path) => (path.display().to_string(), 1, true),
        };
        LivePoint { name: point.name.clone(), source: name, taps, is_file, silent_after: point.silent_after }
    };
    appliance.sources().into_iter().map(point).collect()
}

fn sources(appliance: &Appliance) -> Vec<(String, Source)> {
    appliance.sources().into_iter().map(|(point, source)| (point.name.clone(), source.clone())).collect()
}

#[allow(clippy::disallowed_methods, reason = "when the configuration was read is of this machine's time")]
fn now_seconds() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0.0, |now| now.as_secs_f64())
}
