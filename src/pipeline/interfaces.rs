//! The interfaces of one observation point, over all its files.

use std::collections::HashMap;

use crate::capture::CaptureFile;

/// What tells an interface from others of the same point.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Identity {
    Named(String),
    /// A capture's only interface, or the n-th of several without a name.
    Unnamed(u16),
}

/// Numbers the interfaces of several files so that equal names have equal numbers.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    known: Vec<Identity>,
    numbers: HashMap<Identity, u16>,
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
            numbers.push(self.number(identity));
        }
    }

    /// Takes in an interface that is listened on.
    pub(super) fn add(&mut self, name: &str) -> u16 {
        self.number(Identity::Named(name.to_owned()))
    }

    fn number(&mut self, identity: Identity) -> u16 {
        if let Some(&known) = self.numbers.get(&identity) {
            return known;
        }
        let number = u16::try_from(self.known.len().min(MOST - 1)).unwrap_or(u16::MAX);
        if self.known.len() < MOST {
            self.known.push(identity.clone());
            self.numbers.insert(identity, number);
        }
        number
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_interfaces_have_equal_numbers_and_the_last_number_is_shared() {
        let mut interfaces = Interfaces::default();
        let named = |n: usize| Identity::Named(format!("eth{n}"));
        for n in 0..MOST + 10 {
            assert_eq!(usize::from(interfaces.number(named(n))), n.min(MOST - 1));
        }
        for n in [0, 7, MOST - 1, MOST, MOST + 9, MOST + 10] {
            assert_eq!(usize::from(interfaces.number(named(n))), n.min(MOST - 1), "again");
        }
        assert_eq!(interfaces.names().len(), MOST);
    }
}
