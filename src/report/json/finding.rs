//! One finding as JSON.

use std::borrow::Cow;

use serde::Serialize;

use super::Text;
use crate::report::view::{CallId, StreamId, View};
use crate::terms::{Direction, Dscp, Timestamp};
use crate::verify::{Finding, Place};

/// One item of `findings`.
#[derive(Serialize)]
pub(super) struct Found<'a> {
    kind: &'static str,
    severity: &'static str,
    stream: Option<Text<StreamId>>,
    call: Option<Text<CallId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    point: Option<Cow<'a, str>>,
    /// Places in the stream's list of hops.
    #[serde(skip_serializing_if = "Option::is_none")]
    between: Option<[u16; 2]>,
    direction: Option<Text<Direction>>,
    from: Option<u8>,
    to: Option<u8>,
    packets: u64,
    first: Text<Timestamp>,
    last: Text<Timestamp>,
    message: Cow<'a, str>,
    advice: &'static str,
}

impl<'a> Found<'a> {
    pub(super) fn of(finding: &'a Finding, view: &'a View<'a>) -> Self {
        let (point, between) = match finding.place {
            Place::Everywhere => (None, None),
            Place::Point(point) => (Some(view.point(point)), None),
            Place::Between(a, b) => (None, Some([a, b])),
        };
        Self {
            kind: finding.kind.as_str(),
            severity: finding.severity.as_str(),
            stream: finding.stream.map(|number| Text(StreamId(number))),
            call: finding.call.map(|number| Text(CallId(number))),
            point,
            between,
            direction: finding.direction.map(Text),
            from: finding.from.map(Dscp::value),
            to: finding.to.map(Dscp::value),
            packets: finding.packets,
            first: Text(finding.first),
            last: Text(finding.last),
            message: view.text(&finding.message),
            advice: finding.advice,
        }
    }
}
