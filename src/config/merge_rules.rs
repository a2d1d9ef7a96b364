//! Puts the port rules of a file before those of its profile.

use super::merge_classes::class_number;
use super::table::Problems;
use super::written::WrittenRule;
use crate::policy::{Policy, PortSide, Rule, ServiceClass};
use crate::terms::Transport;

/// The rules of the file, then what they leave of the profile's: afterwards no port has two classes for one client.
pub(super) fn merge_rules(
    policy: &mut Policy,
    written: &[WrittenRule],
    notes: &mut Vec<String>,
    problems: &mut Problems,
) {
    let classes = &policy.classes;
    let mut own: Vec<Rule> = Vec::with_capacity(written.len());
    for rule in written {
        let Some(class) = class_number(classes, &rule.class, problems) else { continue };
        let mut ports = rule.ports.value.clone();
        ports.sort_unstable();
        let resolved = Rule {
            class,
            side: rule.side,
            ports,
            transport: rule.transport,
            client_networks: rule.client_networks.clone(),
        };
        for earlier in own.iter().filter(|earlier| earlier.class != class && clash(earlier, &resolved)) {
            if let Some(shared) = earlier.shared_ports(&resolved) {
                let name = |number: u8| classes.get(usize::from(number)).map_or("", |c| c.name.as_str());
                let what = format!("ports {shared} are both {} and {}", name(earlier.class), name(class));
                let mend = "give each port to one class, or tell the clients apart by client_networks, the rule with \
                            the networks first";
                problems.at(&rule.ports, what, mend);
            }
        }
        own.push(resolved);
    }
    let inherited = std::mem::take(&mut policy.rules);
    for (own_rule, number) in own.iter().zip(1_usize..) {
        note_overridden(own_rule, number, &inherited, &policy.classes, notes);
    }
    let rest = inherited.into_iter().flat_map(|rule| without_ports_of(rule, &own));
    policy.rules = own.iter().cloned().chain(rest).collect();
}

/// Whether a flow could match both rules and the earlier one is not meant to win.
fn clash(earlier: &Rule, later: &Rule) -> bool {
    match (earlier.client_networks.as_slice(), later.client_networks.as_slice()) {
        // First the rule for some clients, then the one for all: that is what the order is for.
        ([_, ..], []) => false,
        ([], _) => true,
        (some, others) => some.iter().any(|a| others.iter().any(|b| a.contains(b) || b.contains(a))),
    }
}

/// Says where the operator's rule stands before a rule of the profile that has another class.
fn note_overridden(
    own: &Rule,
    number: usize,
    inherited: &[Rule],
    classes: &[ServiceClass],
    notes: &mut Vec<String>,
) {
    let name = |number: u8| classes.get(usize::from(number)).map_or("", |c| c.name.as_str());
    for rule in inherited.iter().filter(|rule| rule.class != own.class) {
        if let Some(shared) = own.shared_ports(rule) {
            let side = match own.side {
                PortSide::Client => "client",
                PortSide::Service => "service",
            };
            let whose = if own.client_networks.is_empty() { "" } else { " for clients in its networks" };
            notes.push(format!(
                "rule[{number}] makes {side} ports {shared} {}{whose}; in the profile they are {}",
                name(own.class),
                name(rule.class),
            ));
        }
    }
}

/// What is left of a rule of the profile without the ports that rules of the operator give to all clients: there it
/// would never be tried. A rule for one transport leaves the other transport to the profile.
fn without_ports_of(rule: Rule, own: &[Rule]) -> Vec<Rule> {
    let mut left = vec![rule];
    for other in own.iter().filter(|other| other.client_networks.is_empty()) {
        left = left.into_iter().flat_map(|rule| without_ports_of_one(rule, other)).collect();
    }
    left
}

fn without_ports_of_one(rule: Rule, other: &Rule) -> Vec<Rule> {
    if rule.shared_ports(other).is_none() {
        return vec![rule];
    }
    let mut rest = rule.ports.clone();
    for taken in &other.ports {
        rest = rest.iter().flat_map(|range| range.without(*taken)).collect();
    }
    let mut left = vec![Rule { ports: rest, ..rule.clone() }];
    if let (None, Some(taken)) = (rule.transport, other.transport) {
        let shared = rule.ports.iter().flat_map(|a| other.ports.iter().filter_map(|b| a.intersection(*b)));
        let transport = Some(match taken {
            Transport::Udp => Transport::Tcp,
            Transport::Tcp => Transport::Udp,
        });
        left.push(Rule { ports: shared.collect(), transport, ..rule });
    }
    left.retain(|rule| !rule.ports.is_empty());
    left
}
