//! The points of one observer: files, interfaces or mirror sessions.

use std::net::IpAddr;

use super::interfaces::Interfaces;
use super::session::{Kind, Session, is_meant, outer_vlan, session, tunnels};
use super::{MAX_LOCAL_POINTS, PointsBy, UNNAMED_POINT};
use crate::decode::{Layer, PathId, PathTable};
use crate::policy::{MirrorSession, Policy};

/// Tells for each packet at which of an observer's points it was heard.
pub(super) struct Points {
    /// Name of the files; empty where they were given none.
    name: String,
    by: PointsBy,
    /// Whether packets are told apart by their mirror sessions.
    are_sessions: bool,
    /// Sessions that the operator made points, with the place of each; none where there was no room.
    configured: Vec<(MirrorSession, Option<u8>)>,
    owners: Vec<Owner>,
    /// By path: the point, or one of the two words below.
    by_path: Vec<u8>,
    /// How many points there may be.
    room: usize,
    refused: u64,
    /// Which ERSPAN sessions were heard at which points.
    heard: Vec<((IpAddr, u16), u8)>,
}

/// A path that was not looked at yet.
const UNKNOWN: u8 = u8::MAX;
/// A path whose session found no room.
const REFUSED: u8 = u8::MAX - 1;
/// ERSPAN sessions of which it is remembered where they were heard.
const MOST_HEARD: usize = 1024;

/// What a point is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Owner {
    Files,
    Interface(u16),
    Configured(String),
    Session(Session),
}

impl Points {
    /// `room` is how many points the observer may have.
    pub(super) fn new(name: String, by: PointsBy, policy: &Policy, room: usize) -> Self {
        let first = if by == PointsBy::Interface { Owner::Interface(0) } else { Owner::Files };
        let room = room.clamp(1, MAX_LOCAL_POINTS);
        let mut points = Self {
            name,
            by,
            are_sessions: by == PointsBy::Session,
            configured: Vec::new(),
            owners: vec![first],
            by_path: Vec::new(),
            room,
            refused: 0,
            heard: Vec::new(),
        };
        // In the order of the file, before any that show by themselves: it is the order of last resort.
        for point in &policy.points {
            if let Some(mirror) = point.mirror.as_ref().filter(|m| m.is_in(points.own_name())) {
                let is_own = by != PointsBy::Interface && point.name == points.own_name();
                let place = if is_own { Some(0) } else { points.add(Owner::Configured(point.name.clone())) };
                points.configured.push((mirror.clone(), place));
                points.are_sessions = true;
            }
        }
        points
    }

    /// What the point of the files is called.
    fn own_name(&self) -> &str {
        if self.name.is_empty() { UNNAMED_POINT } else { &self.name }
    }

    /// Whether packets are told apart by their mirror sessions.
    #[inline]
    pub(super) const fn are_sessions(&self) -> bool {
        self.are_sessions
    }

    /// Whether there is or may be more than one point.
    pub(super) fn are_several(&self) -> bool {
        self.by != PointsBy::Name || self.are_sessions
    }

    /// Which interface a mirror's tunnel belongs to, where interfaces are points.
    #[inline]
    pub(super) fn group(&self, interface: u16) -> u16 {
        if self.by == PointsBy::Interface { interface } else { 0 }
    }

    /// The point of an interface, where sessions are not told apart. Per frame.
    #[inline]
    pub(super) fn of_interface(&self, interface: u16) -> usize {
        usize::from(self.group(interface)).min(MAX_LOCAL_POINTS - 1)
    }

    /// The points that may have missed what was dropped at an interface, of so many.
    pub(super) fn of_drops(&self, interface: u16, count: usize) -> std::ops::Range<usize> {
        if self.by == PointsBy::Interface {
            let point = self.of_interface(interface);
            point..point + 1
        } else {
            0..count
        }
    }

    /// The point of a path, where sessions are told apart. Per packet.
    #[inline]
    pub(super) fn of_path(&mut self, path: PathId, paths: &PathTable) -> usize {
        match self.by_path.get(usize::from(path.0)) {
            Some(&point) if point < REFUSED => usize::from(point),
            _ => self.look(path, paths),
        }
    }

    /// Numbers of paths may stand for others from now on.
    pub(super) fn forget_paths(&mut self) {
        self.by_path.clear();
    }

    #[inline(never)]
    fn look(&mut self, id: PathId, paths: &PathTable) -> usize {
        let Some(path) = paths.path(id) else { return 0 };
        let number = usize::from(id.0);
        if self.by_path.get(number) == Some(&REFUSED) {
            self.refused += 1;
            return usize::from(self.of_rest(path.interface));
        }
        let point = self.find(&path.layers);
        let place = match point {
            Found::Point(point) => point,
            Found::Rest | Found::Refused => self.of_rest(path.interface),
        };
        let is_refused = matches!(point, Found::Refused);
        self.refused += u64::from(is_refused);
        if self.by_path.len() <= number {
            self.by_path.resize(number + 1, UNKNOWN);
        }
        if let Some(slot) = self.by_path.get_mut(number) {
            *slot = if is_refused { REFUSED } else { place };
        }
        let numbered = tunnels(&path.layers).find_map(|(session, _)| match (session.kind, session.source) {
            (Kind::Erspan(number), Some(source)) => Some(((source, number), place)),
            _ => None,
        });
        if let Some(heard) = numbered
            && self.heard.len() < MOST_HEARD
            && !self.heard.contains(&heard)
        {
            self.heard.push(heard);
        }
        usize::from(place)
    }

    fn find(&mut self, layers: &[Layer]) -> Found {
        let tag = outer_vlan(layers).map(|session| (session, None));
        for (session, egress) in tunnels(layers).chain(tag) {
            let mut configured = self.configured.iter();
            if let Some((_, place)) = configured.find(|(wanted, _)| is_meant(wanted, session, egress)) {
                return place.map_or(Found::Refused, Found::Point);
            }
        }
        if self.by != PointsBy::Session {
            return Found::Rest;
        }
        match session(layers) {
            Some(session) => self.place_of(Owner::Session(session)).map_or(Found::Refused, Found::Point),
            None => Found::Rest,
        }
    }

    /// Where packets of no session belong.
    fn of_rest(&mut self, interface: u16) -> u8 {
        if self.by == PointsBy::Interface {
            self.place_of(Owner::Interface(interface)).unwrap_or(0)
        } else {
            0
        }
    }

    fn place_of(&mut self, owner: Owner) -> Option<u8> {
        match self.owners.iter().position(|known| *known == owner) {
            Some(place) => u8::try_from(place).ok(),
            None => self.add(owner),
        }
    }

    fn add(&mut self, owner: Owner) -> Option<u8> {
        let place = u8::try_from(self.owners.len()).ok().filter(|&n| usize::from(n) < self.room)?;
        self.owners.push(owner);
        Some(place)
    }

    /// Packets of sessions for which there was no room: they were counted with those of no session.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// Where an ERSPAN session was heard that came over this interface's group.
    pub(super) fn of_tunnel(&self, group: u16, source: IpAddr, number: u16) -> Vec<usize> {
        if !self.are_sessions() {
            return vec![self.of_interface(group)];
        }
        let heard = self.heard.iter().filter(|(session, _)| *session == (source, number));
        let mut places: Vec<usize> = heard.map(|(_, place)| usize::from(*place)).collect();
        if places.is_empty() {
            let rest = self.owners.iter().position(|owner| *owner == Owner::Interface(group));
            places.push(rest.unwrap_or(0));
        }
        places
    }

    /// Names of all points, each another one.
    pub(super) fn names(&self, interfaces: &Interfaces) -> Vec<String> {
        let of_interfaces = interfaces.point_names(&self.name);
        if !self.are_sessions() && self.by == PointsBy::Interface {
            return of_interfaces.into_iter().take(MAX_LOCAL_POINTS).collect();
        }
        let mut names: Vec<String> = Vec::with_capacity(self.owners.len());
        for owner in &self.owners {
            let name = match owner {
                Owner::Files => self.own_name().to_owned(),
                Owner::Interface(number) => {
                    let known = of_interfaces.get(usize::from(*number)).cloned();
                    known.unwrap_or_else(|| format!("interface {number}"))
                }
                Owner::Configured(name) => name.clone(),
                Owner::Session(session) => self.session_name(session),
            };
            let taken = names.contains(&name);
            names.push(if taken { format!("{name} (session)") } else { name });
        }
        names
    }

    /// With the switch, where several send sessions of the number.
    fn session_name(&self, session: &Session) -> String {
        let is_shared = self.owners.iter().any(|owner| match owner {
            Owner::Session(other) => other.kind == session.kind && other.source != session.source,
            _ => false,
        });
        let prefix = if self.name.is_empty() { String::new() } else { format!("{}/", self.name) };
        match session.source {
            Some(source) if is_shared => format!("{prefix}{} from {source}", session.kind),
            _ => format!("{prefix}{}", session.kind),
        }
    }
}

enum Found {
    Point(u8),
    /// It is of no session.
    Rest,
    /// It is of a session for which there is no room.
    Refused,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Copies, MirrorNumber, PointPolicy};
    use crate::terms::Dscp;

    fn ip(last: u8) -> Layer {
        Layer::Ip { source: [10, 0, 0, last].into(), destination: [10, 0, 0, 99].into(), dscp: Dscp::DF }
    }

    fn erspan(last: u8, session: u16, egress: Option<bool>) -> Vec<Layer> {
        vec![ip(last), Layer::Gre { key: None }, Layer::Erspan { version: 3, session, egress }]
    }

    const fn vlan(vid: u16) -> Layer {
        Layer::Vlan { vid, pcp: 0 }
    }

    fn point(name: &str, number: Option<MirrorNumber>, from: Option<u8>, copies: Copies) -> PointPolicy {
        let from = from.map(|n| [10, 0, 0, n].into());
        let mirror = Some(MirrorSession { capture: None, number, from, copies });
        PointPolicy { name: name.into(), clock: None, mirror, forward: None, reverse: None }
    }

    /// The names of the points at which these stacks of layers are heard.
    fn names(points: &mut Points, stacks: &[Vec<Layer>]) -> Vec<String> {
        let mut paths = PathTable::new(1);
        let places: Vec<usize> = stacks
            .iter()
            .map(|layers| {
                let path = paths.intern(0, layers);
                let place = points.of_path(path, &paths);
                assert_eq!(points.of_path(path, &paths), place, "again");
                place
            })
            .collect();
        let names = points.names(&Interfaces::default());
        places.into_iter().map(|place| names[place].clone()).collect()
    }

    #[test]
    fn sessions_become_points_by_themselves() {
        let stacks = [
            erspan(1, 12, Some(false)),
            erspan(1, 12, Some(true)),
            erspan(1, 13, None),
            vec![ip(2), Layer::Vxlan { vni: 5001 }],
            vec![vlan(900), vlan(110)],
            vec![],
            vec![ip(3), Layer::Tzsp],
            [vec![vlan(7)], erspan(1, 13, None), vec![ip(4), Layer::Vxlan { vni: 5 }]].concat(),
            vec![Layer::Mpls { label: 5, tc: 0 }],
            vec![ip(5), Layer::Gre { key: Some(1) }],
            vec![vlan(0)],
        ];
        let mut points = Points::new(String::new(), PointsBy::Session, &Policy::default(), 64);
        assert_eq!(
            names(&mut points, &stacks),
            [
                "erspan 12",
                "erspan 12",
                "erspan 13",
                "vxlan 5001",
                "vlan 900",
                "capture",
                "tzsp",
                "erspan 13",
                "capture",
                "capture",
                "capture"
            ]
        );
        let mut named = Points::new("core".into(), PointsBy::Session, &Policy::default(), 64);
        let same = [erspan(1, 12, None), erspan(2, 12, None), erspan(2, 13, None), vec![]];
        assert_eq!(
            names(&mut named, &same),
            ["core/erspan 12 from 10.0.0.1", "core/erspan 12 from 10.0.0.2", "core/erspan 13", "core"]
        );
    }

    #[test]
    fn configured_sessions_are_points_and_the_rest_stays() {
        use MirrorNumber::{Erspan, OuterVlan};
        let policy = Policy {
            points: vec![
                point("in", Some(Erspan(12)), None, Copies::Ingress),
                point("out", Some(Erspan(12)), None, Copies::Egress),
                point("remote", Some(OuterVlan(900)), None, Copies::Both),
                point("switch", None, Some(7), Copies::Both),
            ],
            ..Policy::default()
        };
        let stacks = [
            erspan(1, 12, Some(false)),
            erspan(1, 12, Some(true)),
            erspan(1, 12, None),
            vec![vlan(900), ip(3), Layer::Vxlan { vni: 5001 }],
            vec![vlan(901)],
            vec![ip(7), Layer::Geneve { vni: 1 }],
            erspan(7, 3, None),
            vec![ip(7), Layer::Gre { key: Some(1) }],
        ];
        let mut points = Points::new("core".into(), PointsBy::Name, &policy, 64);
        assert_eq!(
            names(&mut points, &stacks),
            ["in", "out", "core", "remote", "core", "switch", "switch", "switch"]
        );
        assert_eq!(points.of_tunnel(0, [10, 0, 0, 1].into(), 12), [1, 2, 0]);
        assert_eq!(points.of_tunnel(0, [10, 0, 0, 1].into(), 13), [0]);
        let mut both = Points::new(String::new(), PointsBy::Session, &policy, 64);
        assert_eq!(names(&mut both, &stacks[2..5]), ["erspan 12", "remote", "vlan 901"]);
    }

    #[test]
    fn sessions_beyond_the_room_stay_where_they_came_from() {
        let stacks: Vec<_> = (0..70).map(|session| erspan(1, session, None)).collect();
        let mut points = Points::new(String::new(), PointsBy::Session, &Policy::default(), 1000);
        let names = names(&mut points, &stacks);
        assert_eq!(names.iter().filter(|name| *name == "capture").count(), 70 - 63);
        assert_eq!(points.refused(), 2 * (70 - 63));
    }

    #[test]
    fn a_number_that_was_given_to_another_path_is_looked_at_again() {
        let mut points = Points::new(String::new(), PointsBy::Session, &Policy::default(), 64);
        let mut paths = PathTable::new(1);
        let first = paths.intern(0, &erspan(1, 12, None));
        assert_eq!(points.of_path(first, &paths), 1);
        paths.keep_only([]);
        points.forget_paths();
        let others: Vec<PathId> = (13..15).map(|number| paths.intern(0, &erspan(1, number, None))).collect();
        assert!(others.contains(&first));
        assert_eq!(others.iter().map(|id| points.of_path(*id, &paths)).collect::<Vec<_>>(), [2, 3]);
    }
}
