//! Reading the configuration again while everything runs.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::{live_points, sources};
use crate::config::{self, Appliance, Change, Effect, Source};
use crate::pipeline::live::{Live, LivePoint};
use crate::policy::Policy;
use crate::privilege::OpenerClient;
use crate::status::{Reload, Status};

/// What runs, and by which file.
pub(super) struct Running {
    pub(super) config: PathBuf,
    pub(super) status: Arc<Status>,
    /// Set once everything runs.
    pub(super) live: OnceLock<Live>,
    /// What each point opens, as the opener is asked.
    pub(super) sources: Arc<Mutex<Vec<(String, Source)>>>,
    pub(super) now: Mutex<(Arc<Policy>, Appliance)>,
    /// None where no interface is opened.
    pub(super) opener: Option<Arc<OpenerClient>>,
    /// Whether the opener was asked after it had ended: what it should have opened is not heard.
    pub(super) is_opener_missed: Arc<AtomicBool>,
}

impl Running {
    /// Whether everything is heard that can be, but for what a new start would mend.
    pub(super) fn is_healthy(&self) -> bool {
        let is_broken = |live: &Live| live.is_broken();
        !self.live.get().is_none_or(is_broken) && !self.is_opener_missed.load(Ordering::Relaxed)
    }

    /// Whether the opener has ended since the last look, so that no interface can be opened any more.
    pub(super) fn has_lost_opener(&self) -> bool {
        self.opener.as_ref().is_some_and(|opener| !opener.is_alive())
            && !self.status.is_opener_gone.swap(true, Ordering::Relaxed)
    }

    /// Reads the file again. Where anything is wrong with it nothing changes.
    pub(super) fn reload(&self) -> Result<(), String> {
        let result = self.take_over();
        let before = self.status.reload();
        self.status.set_reload(match &result {
            Ok(()) => Reload { success_seconds: super::now_seconds(), ..Reload::default() },
            Err(problem) => Reload { is_successful: false, problem: Some(problem.clone()), ..before },
        });
        match &result {
            Ok(()) => tracing::info!("the configuration was read again"),
            Err(problem) => {
                tracing::error!("the configuration was not taken over, nothing changes: {problem}");
            }
        }
        result
    }

    fn take_over(&self) -> Result<(), String> {
        let live = self.live.get().ok_or("nothing runs yet")?;
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = config::load(&self.config, None).map_err(|error| error.to_string())?;
        let (policy, appliance) = (Arc::new(loaded.policy), loaded.appliance);
        if appliance.sources().is_empty() {
            return Err("no [[point]] names an interface or a file".to_owned());
        }
        let changes = config::difference(&now.1, &appliance);
        for change in &changes {
            tracing::info!("reload: {change}");
        }
        if now.0.limits != policy.limits {
            tracing::warn!("reload: [limits] hold for points that are opened from now on");
        }
        let opens_rings_anew = changes
            .iter()
            .any(|change| matches!(change, Change::Setting { effect: Effect::ReopensRings, .. }));
        let opens_anew = |point: &LivePoint| {
            let is_named = |change: &Change| matches!(change, Change::PointChanged { name, reopens: true, .. } if *name == point.name);
            changes.iter().any(is_named) || opens_rings_anew && !point.is_file
        };
        let names_sessions = now.0.points != policy.points;
        *self.sources.lock().unwrap_or_else(PoisonError::into_inner) = sources(&appliance);
        live.change(&live_points(&appliance), Arc::clone(&policy), |point| {
            opens_anew(point) || names_sessions && has_sessions(&now.0, &policy)
        })
        .map_err(|error| format!("no thread can be started: {error}"))?;
        *now = (policy, appliance);
        Ok(())
    }
}

/// Whether points are told apart by mirror sessions, before or after.
fn has_sessions(before: &Policy, after: &Policy) -> bool {
    before.points.iter().chain(&after.points).any(|point| point.mirror.is_some())
}
