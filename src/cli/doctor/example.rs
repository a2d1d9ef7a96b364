//! An interface that nothing is amiss with, for tests to change.

use std::time::Duration;

use super::link::Link;
use crate::capture::interface::{
    Coalescing, FlowHash, Interface, InterfaceStatistics, Queues, RingSizes, TimeStamping,
};

pub(super) fn link() -> Link {
    Link {
        interface: Interface {
            name: "eth1".to_owned(),
            index: 3,
            is_up: true,
            has_carrier: true,
            is_promiscuous: false,
            promiscuity: Some(0),
            mtu: 9216,
            link_kind: Interface::ETHERNET,
            software_kind: None,
        },
        statistics: InterfaceStatistics {
            rx_packets: Some(1_000_000),
            rx_bytes: Some(200_000_000),
            rx_dropped: Some(0),
            rx_missed: Some(0),
            rx_fifo: Some(0),
            rx_over: Some(0),
            rx_crc: Some(0),
            rx_nohandler: Some(0),
        },
        driver: Some("ixgbe".to_owned()),
        speed_mbits: Some(10_000),
        offloads: Some(Vec::new()),
        takes_vlan_tags: Some(true),
        rings: Some(RingSizes { current: 4096, maximum: 4096 }),
        queues: Some(Queues { current: 4, maximum: 8 }),
        hash: Some(FlowHash { covers_udp_ports: Some(true), is_symmetric: Some(true) }),
        time_stamping: Some(TimeStamping {
            hardware_all: true,
            hardware_some: false,
            software: true,
            clock: Some(0),
        }),
        coalescing: Some(Coalescing { wait: Duration::from_micros(50), frames: 0, is_adaptive: false }),
        may_capture: true,
    }
}
