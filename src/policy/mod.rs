//! What the operator expects: service classes, rules, profiles, limits.
//!
//! Pure: profiles are data that is compiled in, and nothing here reads a file or a clock. The `config` folder
//! makes a [`Policy`] of a profile and the operator's file; the judge asks it questions.

mod cadence;
mod class;
mod classify;
mod limits;
mod managed;
mod mirror;
mod payload_type;
mod point;
pub mod priority;
mod profiles;
mod remarking;
mod rule;

pub use class::{Accepted, MAX_CLASSES, Media, ServiceClass};
pub use classify::{Evidence, Question};
pub use limits::{BURST_LENGTHS, MeterLimits, Quantity, Setting, Thresholds};
pub use managed::Managed;
pub use mirror::{Copies, MirrorNumber, MirrorSession};
pub use payload_type::{PayloadTypeRule, static_clock_rate, static_codec, static_media};
pub use point::{Expectation, PathPolicy, PointPolicy};
pub use profiles::{PROFILES, Profile, profile};
pub use remarking::{Pattern, remarking_pattern};
pub use rule::{PortRange, PortSide, Rule};

/// What is expected of every stream, resolved: nothing in it refers to a file any more.
///
/// ```
/// use hopmark::{config, terms::Dscp};
///
/// let teams = config::builtin("teams")?;
/// let audio = teams.class_named("audio").unwrap();
/// assert_eq!(teams.accepted(audio)[0].dscp, Dscp::EF);
/// # Ok::<(), config::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Policy {
    /// The built-in profile it starts from.
    pub profile: String,
    /// Service classes; everywhere else a class is its place in this list. At most [`MAX_CLASSES`].
    pub classes: Vec<ServiceClass>,
    /// Port rules, tried in this order.
    pub rules: Vec<Rule>,
    /// What payload types mean, tried in this order.
    pub payload_types: Vec<PayloadTypeRule>,
    /// From where on a figure is a finding.
    pub thresholds: Thresholds,
    /// Bounds of the meter's tables.
    pub limits: MeterLimits,
    /// The networks that the operator manages.
    pub managed: Managed,
    /// Observation points of which something is expected.
    pub points: Vec<PointPolicy>,
    /// The order of observation points.
    pub paths: Vec<PathPolicy>,
}

impl Policy {
    /// The number of a class.
    #[must_use]
    pub fn class_named(&self, name: &str) -> Option<u8> {
        let place = self.classes.iter().position(|c| c.name == name)?;
        u8::try_from(place).ok()
    }

    /// A class by its number.
    #[must_use]
    pub fn class(&self, number: u8) -> Option<&ServiceClass> {
        self.classes.get(usize::from(number))
    }

    /// The codepoints that are right for a class, the preferred one first. Empty for a number that is no class.
    #[must_use]
    pub fn accepted(&self, class: u8) -> &[Accepted] {
        self.class(class).map_or(&[], |c| &c.accepted)
    }
}
