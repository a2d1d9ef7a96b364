//! Log lines on standard error: text or JSON, limited for each place.

use std::env;
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Metadata, Subscriber, warn};
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Context, Filter, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::rate_limit::RateLimit;

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people; in colour on a terminal, unless `NO_COLOR` says otherwise.
    #[default]
    Text,
    /// One JSON object a line, fields at its top.
    Json,
}

/// Why no log can be written.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The level is none.
    #[error(
        "log level \"{given}\": {cause}; give one of error, warn, info, debug, trace, or one for each part: \
         info,hopmark::capture=debug"
    )]
    Level {
        /// As it was given.
        given: String,
        /// What is wrong with it.
        cause: ParseError,
    },
    /// Another log is set up in this process.
    #[error("the log is set up twice: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// The log of this process. Lines that were left out are told by [`tell_left_out`](Self::tell_left_out).
#[derive(Debug)]
pub struct Log(Arc<Limiter>);

/// Starts the log of this process, at `level`, else that of `RUST_LOG`, else `info`.
///
/// # Errors
///
/// The level is none, or this process has a log.
pub fn start(format: Format, level: Option<&str>) -> Result<Log, LoggingError> {
    let from_environment = env::var("RUST_LOG").ok().filter(|level| !level.is_empty());
    let level = level.map(str::to_owned).or(from_environment).unwrap_or_else(|| "info".to_owned());
    let filter =
        EnvFilter::try_new(&level).map_err(|cause| LoggingError::Level { given: level.clone(), cause })?;
    let is_plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let has_colour = io::stderr().is_terminal() && !is_plain;
    let limiter = Arc::new(Limiter::default());
    let lines = lines(format, has_colour, io::stderr, &limiter);
    tracing_subscriber::registry().with(lines).with(filter).try_init()?;
    Ok(Log(limiter))
}

impl Log {
    /// Writes, for each place in the code, how many of its lines were left out in the ten seconds that are over. To be
    /// called about once a second.
    pub fn tell_left_out(&self) {
        self.0.tell_left_out(self.0.now());
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.0.tell_left_out(Duration::MAX);
    }
}

fn lines<S, W>(
    format: Format,
    has_colour: bool,
    writer: W,
    limiter: &Arc<Limiter>,
) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer).with_ansi(has_colour);
    let limit = Limit(Arc::clone(limiter));
    match format {
        Format::Text => layer.with_filter(limit).boxed(),
        Format::Json => layer.json().flatten_event(true).with_filter(limit).boxed(),
    }
}

/// Target of the lines that tell what was left out, which are not limited: there is one for each place in its window.
const LEFT_OUT: &str = "hopmark::log";

/// The places that wrote, and when this began.
#[derive(Debug)]
struct Limiter {
    started: Instant,
    limit: Mutex<RateLimit<Place>>,
}

/// A place in the code that writes lines. There are as many as the program has.
#[derive(Debug, Clone, Copy)]
struct Place(&'static Metadata<'static>);

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.identifier() == other.identifier()
    }
}

impl Eq for Place {}

impl std::hash::Hash for Place {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.identifier().hash(state);
    }
}

impl Place {
    fn identifier(self) -> Identifier {
        self.0.callsite()
    }
}

impl Default for Limiter {
    #[allow(clippy::disallowed_methods, reason = "lines are limited by this machine's time, not by packets'")]
    fn default() -> Self {
        Self { started: Instant::now(), limit: Mutex::new(RateLimit::new()) }
    }
}

impl Limiter {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn admits(&self, place: &'static Metadata<'static>) -> bool {
        if place.target() == LEFT_OUT {
            return true;
        }
        let now = self.now();
        self.limit.lock().unwrap_or_else(PoisonError::into_inner).admits(Place(place), now)
    }

    fn tell_left_out(&self, now: Duration) {
        // The lock is given back first: a line that is written here is counted like any.
        let left_out = self.limit.lock().unwrap_or_else(PoisonError::into_inner).take_left_out(now);
        for (place, lines) in left_out {
            let file = place.and_then(|place| place.0.file()).unwrap_or("many places");
            let line = place.and_then(|place| place.0.line()).unwrap_or(0);
            warn!(target: LEFT_OUT, left_out = lines, place = %format_args!("{file}:{line}"), "lines left out");
        }
    }
}

/// Asks the limiter for every line that its level lets through.
struct Limit(Arc<Limiter>);

impl<S: Subscriber> Filter<S> for Limit {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        self.0.admits(event.metadata())
    }
}

#[cfg(test)]
mod tests {
    use tracing::info;
    use tracing::subscriber::with_default;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What a log has written after `write` wrote to it and it was dropped.
    fn log_of(format: Format, write: impl FnOnce()) -> String {
        let written = Written::default();
        let limiter = Arc::new(Limiter::default());
        let writer = written.clone();
        let lines = lines(format, false, move || writer.clone(), &limiter);
        let subscriber = tracing_subscriber::registry().with(lines).with(EnvFilter::new("info"));
        with_default(subscriber, || {
            write();
            drop(Log(limiter));
        });
        let octets = written.0.lock().unwrap().clone();
        String::from_utf8(octets).unwrap()
    }

    #[test]
    fn a_place_that_writes_too_much_is_cut_short_and_the_rest_is_counted() {
        let log = log_of(Format::Text, || {
            for n in 0..500 {
                info!(n, "noisy");
            }
            info!("quiet");
        });
        assert_eq!(log.matches("noisy").count(), 10, "{log}");
        assert_eq!(log.matches("quiet").count(), 1, "{log}");
        let last = log.lines().last().unwrap();
        assert!(last.contains("left_out=490") && last.contains("logging.rs:"), "{log}");
    }

    #[test]
    fn a_level_below_the_chosen_one_is_neither_written_nor_counted() {
        let log = log_of(Format::Text, || {
            for _ in 0..50 {
                tracing::debug!("deep");
            }
        });
        assert_eq!(log, "");
    }

    #[test]
    fn every_line_of_json_is_an_object_with_its_fields_at_the_top() {
        let log = log_of(Format::Json, || {
            for _ in 0..12 {
                info!(point = "core-1", "heard");
            }
        });
        let lines: Vec<serde_json::Value> =
            log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 11);
        assert_eq!((&lines[0]["point"], &lines[0]["message"]), (&"core-1".into(), &"heard".into()));
        assert_eq!((&lines[10]["left_out"], &lines[10]["level"]), (&2.into(), &"WARN".into()));
    }

    #[test]
    fn text_to_a_file_has_no_colours() {
        let log = log_of(Format::Text, || info!("plain"));
        assert!(log.contains(" INFO ") && !log.contains('\x1b'), "{log:?}");
    }

    #[test]
    fn a_level_that_is_none_is_refused_with_those_that_are() {
        let error = start(Format::Text, Some("hopmark=loud")).unwrap_err().to_string();
        assert!(error.contains("\"hopmark=loud\"") && error.contains("error, warn, info"), "{error}");
    }
}
