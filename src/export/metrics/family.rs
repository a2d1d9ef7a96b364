//! What a metric family is: name, kind, unit, help, labels, samples.

use super::source::Source;
use super::writer::Writer;

/// One metric family. Names are a promise: more may come, none is renamed.
#[derive(Debug)]
pub(super) struct Family {
    /// As its samples are called; of a histogram, without the suffixes.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What is counted or measured, in the plural; empty where it is a number without one.
    pub(super) unit: &'static str,
    /// One sentence, with the unit and who saw it.
    pub(super) help: &'static str,
    /// In the order in which samples give their values.
    pub(super) labels: &'static [&'static str],
    /// Writes the samples.
    pub(super) samples: fn(&Source<'_>, &mut Writer<'_>),
}

/// What may be done with the samples of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Goes up only, until the program starts anew.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations by bucket.
    Histogram,
    /// Always 1: what is said stands in the labels.
    Info,
}

impl Kind {
    /// As `# TYPE` says it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }
}

impl Family {
    /// The name without what `OpenMetrics` adds to that of its samples.
    pub(super) fn base_name(&self) -> &'static str {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        self.name.strip_suffix(suffix).unwrap_or(self.name)
    }

    /// The unit, where the name ends with it: `OpenMetrics` takes no other.
    pub(super) fn named_unit(&self) -> Option<&'static str> {
        let before = self.base_name().strip_suffix(self.unit)?;
        (!self.unit.is_empty() && before.ends_with('_')).then_some(self.unit)
    }
}
