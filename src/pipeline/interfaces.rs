//! The interfaces of one observation point, over all its files.

use crate::capture::CaptureFile;

/// What tells an interface from others of the same point.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Identity {
    Named(String),
    /// A capture's only interface, or the n-th of several without a name.
    Unnamed(u16),
}

/// Numbers the interfaces of several files so that equal names have equal numbers.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    known: Vec<Identity>,
}

/// Interfaces of one point; the ones that come after share the last number.
const MOST: usize = 4096;

impl Interfaces {
    /// Takes in interfaces of a file that were announced since the last call.
    pub(super) fn learn(&mut self, file: &CaptureFile, numbers: &mut Vec<u16>) {
        for (i, interface) in file.interfaces().iter().enumerate().skip(numbers.len()) {
            let identity = match &interface.name {
                Some(name) => Identity::Named(name.clone()),
                None => Identity::Unnamed(u16::try_from(i).unwrap_or(u16::MAX)),
            };
            let known = self.known.iter().position(|k| *k == identity);
            let number = known.unwrap_or_else(|| {
                if self.known.len() < MOST {
                    self.known.push(identity);
                }
                self.known.len() - 1
            });
            numbers.push(u16::try_from(number).unwrap_or(u16::MAX));
        }
    }

    /// Names by number; none for an interface that has no name.
    pub(super) fn names(&self) -> Vec<Option<String>> {
        let name = |identity: &Identity| match identity {
            Identity::Named(name) => Some(name.clone()),
            Identity::Unnamed(_) => None,
        };
        self.known.iter().map(name).collect()
    }

    /// Names of the points that the interfaces are, where they are points.
    pub(super) fn point_names(&self, prefix: &str) -> Vec<String> {
        let name = |identity: &Identity| match identity {
            Identity::Named(name) => name.clone(),
            Identity::Unnamed(number) => format!("interface {number}"),
        };
        let with_prefix = |name: String| if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        self.known.iter().map(|identity| with_prefix(name(identity))).collect()
    }
}
