//! The open connections, of which there are only so many.
//!
//! When there are too many, the one that has waited longest for its answer to end makes room: a slow reader, or one that
//! asks for nothing. Whoever is new is answered, however many are slow.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::counters::{Counters, count};

/// Open connections by number.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    counters: Arc<Counters>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    all: HashMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    /// When it was opened, or last asked.
    since: Instant,
    /// Ends it; not there before it has begun.
    task: Option<AbortHandle>,
}

/// A connection's place, given back when it ends.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    connections: Arc<Connections>,
}

impl Connections {
    pub(super) fn new(most: usize, counters: Arc<Counters>) -> Arc<Self> {
        Arc::new(Self { most: most.max(1), counters, open: Mutex::default() })
    }

    /// A place for a new connection, if need be that of another.
    pub(super) fn enter(self: &Arc<Self>) -> Place {
        let mut open = self.open();
        while open.all.len() >= self.most {
            let longest = open.all.iter().min_by_key(|(number, connection)| (connection.since, **number));
            let Some(number) = longest.map(|(number, _)| *number) else { break };
            if let Some(task) = open.all.remove(&number).and_then(|connection| connection.task) {
                task.abort();
            }
            count(&self.counters.displaced);
        }
        open.next += 1;
        let number = open.next;
        open.all.insert(number, Connection { since: Instant::now(), task: None });
        self.publish(&open);
        Place { number, connections: Arc::clone(self) }
    }

    /// Notes what ends a connection.
    pub(super) fn begun(&self, number: u64, task: AbortHandle) {
        if let Some(connection) = self.open().all.get_mut(&number) {
            connection.task = Some(task);
        }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, open: &Open) {
        let length = u64::try_from(open.all.len()).unwrap_or(u64::MAX);
        self.counters.connections.store(length, Ordering::Relaxed);
    }
}

impl Place {
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Notes that a request came.
    pub(super) fn asked(&self) {
        if let Some(connection) = self.connections.open().all.get_mut(&self.number) {
            connection.since = Instant::now();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        open.all.remove(&self.number);
        self.connections.publish(&open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_asked_longest_ago_makes_room() {
        let counters = Arc::new(Counters::default());
        let connections = Connections::new(2, Arc::clone(&counters));
        let first = connections.enter();
        let second = connections.enter();
        first.asked();
        let third = connections.enter();
        let open: Vec<u64> = {
            let mut open: Vec<u64> = connections.open().all.keys().copied().collect();
            open.sort_unstable();
            open
        };
        assert_eq!(open, [first.number(), third.number()]);
        drop(second);
        assert_eq!(counters.connections.load(Ordering::Relaxed), 2);
        assert_eq!(counters.displaced.load(Ordering::Relaxed), 1);
        drop((first, third));
        assert_eq!(counters.connections.load(Ordering::Relaxed), 0);
    }
}
