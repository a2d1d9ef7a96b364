//! Facts of one interface, gathered once.

use crate::capture::interface::{
    self, Coalescing, FlowHash, Interface, InterfaceError, InterfaceStatistics, Links, Offload, Queues,
    RingSizes, TimeStamping,
};

/// What the kernel and the driver say of an interface that there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) interface: Interface,
    pub(super) statistics: InterfaceStatistics,
    pub(super) driver: Option<String>,
    pub(super) speed_mbits: Option<u32>,
    /// Absent where the kernel does not tell.
    pub(super) offloads: Option<Vec<Offload>>,
    pub(super) takes_vlan_tags: Option<bool>,
    pub(super) rings: Option<RingSizes>,
    pub(super) queues: Option<Queues>,
    pub(super) hash: Option<FlowHash>,
    pub(super) time_stamping: Option<TimeStamping>,
    pub(super) coalescing: Option<Coalescing>,
    /// Whether this process may open packet sockets, and so make the interface promiscuous itself.
    pub(super) may_capture: bool,
}

impl Link {
    /// Asks the kernel and the driver.
    ///
    /// # Errors
    ///
    /// There is no such interface, or the kernel does not answer.
    pub(super) fn gather(links: &mut Links, name: &str, may_capture: bool) -> Result<Self, InterfaceError> {
        Ok(Self {
            interface: links.interface(name)?,
            statistics: links.statistics(name)?,
            driver: interface::driver(name),
            speed_mbits: interface::speed_mbits(name),
            offloads: interface::merging_offloads(name).ok(),
            takes_vlan_tags: interface::vlan_offload(name),
            rings: interface::ring_sizes(name),
            queues: interface::queues(name),
            hash: interface::flow_hash(name),
            time_stamping: interface::time_stamping(name),
            coalescing: interface::coalescing(name),
            may_capture,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.interface.name
    }

    /// What it is, in a few words.
    pub(super) fn kind(&self) -> String {
        let driver = self.driver.as_deref().or(self.interface.software_kind.as_deref());
        let speed = self.speed_mbits.map(|speed| {
            if speed >= 1000 && speed.is_multiple_of(500) {
                format!("{} Gbit/s", f64::from(speed) / 1000.0)
            } else {
                format!("{speed} Mbit/s")
            }
        });
        let kind = driver.map(|driver| format!("driver {driver}"));
        [kind, speed].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}
