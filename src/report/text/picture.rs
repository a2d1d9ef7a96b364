//! Draws hops in a row, with what goes each way between them.

use std::io;

use unicode_width::UnicodeWidthStr;

use super::page::{Look, Page, cut, wrap};
use crate::report::hidden::shown;

/// Where the first hop begins: behind the name of the direction.
const MARGIN: usize = 13;

/// From the beginning of one hop to that of the next. Figures of a segment have to fit between.
const PITCH: std::ops::RangeInclusive<usize> = 20..=26;

/// What the last hop of a row needs.
const LAST: usize = 12;

/// Where the figures of a segment begin, behind the TTL of the hop before.
const FIGURES: usize = 9;

/// A place at which packets were seen, in words: its name, and what tells it from others of the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Station {
    pub(super) name: String,
    pub(super) place: String,
}

/// What one direction looked like at a hop.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) look: Look,
    pub(super) marking: String,
    pub(super) ttl: String,
}

/// What a segment did.
#[derive(Debug, Clone, Default)]
pub(super) struct Link {
    /// Drawn into the line: what happened, one character each.
    pub(super) signs: Vec<char>,
    /// Whether it is something bad: the line is heavy.
    pub(super) is_bad: bool,
    pub(super) figures: Vec<String>,
}

/// One direction along a row of stations, drawn from left to right whichever way the packets went.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    pub(super) name: String,
    pub(super) stream: String,
    /// Whether the packets went from right to left.
    pub(super) is_backwards: bool,
    /// One for each station.
    pub(super) hops: Vec<Seen>,
    /// One less than stations; absent where nothing is known.
    pub(super) links: Vec<Link>,
}

/// Draws lanes along one line of stations, in as many rows as they need. A row begins with the hop that the row
/// before ended with, so that each segment is drawn whole.
pub(super) fn draw(stations: &[Station], lanes: &[Lane], page: &mut Page<'_>) -> io::Result<()> {
    let room = page.width().saturating_sub(MARGIN + LAST);
    let segments = stations.len().saturating_sub(1);
    let most = (room / PITCH.start()).max(1);
    let rows = segments.div_ceil(most).max(1);
    let in_a_row = segments.div_ceil(rows);
    let pitch = (room / in_a_row.max(1)).clamp(*PITCH.start(), *PITCH.end());
    for row in 0..rows {
        let first = row * in_a_row;
        let last = (first + in_a_row).min(segments);
        if row > 0 {
            page.blank()?;
        }
        draw_stations(stations, first, last, pitch, page)?;
        for (place, lane) in lanes.iter().enumerate() {
            if place > 0 {
                page.blank()?;
            }
            draw_lane(lane, first, last, pitch, page)?;
        }
    }
    Ok(())
}

/// Names, and below them interfaces and tags where there are any.
fn draw_stations(
    stations: &[Station],
    first: usize,
    last: usize,
    pitch: usize,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let (mut names, mut places) = (Line::default(), Line::default());
    for (column, number) in (first..=last).enumerate() {
        let Some(station) = stations.get(number) else { continue };
        // The last one too ends where its column would: it is a name, and names are shortened.
        let at = MARGIN + column * pitch;
        let width = (pitch - 2).min(page.width().saturating_sub(at));
        names.put(at, Look::Strong, &cut(&shown(&format!("{} {}", number + 1, station.name)), width));
        places.put(at, Look::Faint, &cut(&shown(&station.place), width));
    }
    names.write(page)?;
    if places.is_empty() { Ok(()) } else { places.write(page) }
}

fn draw_lane(lane: &Lane, first: usize, last: usize, pitch: usize, page: &mut Page<'_>) -> io::Result<()> {
    let (mut line, mut below) = (Line::default(), vec![Line::default()]);
    let arrow = if lane.is_backwards { '←' } else { '→' };
    line.put(2, Look::Strong, &format!("{} {arrow}", lane.name));
    if let Some(top) = below.first_mut() {
        top.put(2, Look::Faint, &lane.stream);
    }
    for (column, number) in (first..=last).enumerate() {
        let Some(seen) = lane.hops.get(number) else { continue };
        let at = MARGIN + column * pitch;
        // Leaves room for a blank, a line of five and a blank.
        let marking = cut(&seen.marking, (pitch - 7).min(page.width().saturating_sub(at)));
        line.put(at, seen.look, &marking);
        if let Some(top) = below.first_mut() {
            top.put(at, Look::Faint, &cut(&seen.ttl, FIGURES - 1));
        }
        if number == last {
            continue;
        }
        let link = lane.links.get(number).cloned().unwrap_or_default();
        let look = if link.is_bad { Look::Bad } else { Look::Plain };
        let start = at + marking.width() + 1;
        line.put(start, look, &drawn(&link, lane.is_backwards, (at + pitch - 1).saturating_sub(start)));
        let figures = link.figures.iter().flat_map(|figure| wrap(figure, pitch - FIGURES - 1));
        for (depth, figure) in figures.enumerate() {
            if below.len() <= depth {
                below.push(Line::default());
            }
            if let Some(line) = below.get_mut(depth) {
                line.put(at + FIGURES, look, &figure);
            }
        }
    }
    line.write(page)?;
    below.into_iter().try_for_each(|line| line.write(page))
}

/// The line from hop to hop, with its sign in the middle and an arrow where packets arrive.
fn drawn(link: &Link, is_backwards: bool, width: usize) -> String {
    let stroke = if link.is_bad { '━' } else { '─' };
    let mut line = vec![stroke; width];
    let middle = line.iter_mut().skip(width.saturating_sub(link.signs.len()).div_ceil(2));
    for (place, sign) in middle.zip(&link.signs) {
        *place = *sign;
    }
    let end = if is_backwards { line.first_mut() } else { line.last_mut() };
    if let Some(place) = end {
        *place = if is_backwards { '←' } else { '→' };
    }
    line.into_iter().collect()
}

/// A line put together from left to right.
#[derive(Debug, Default)]
struct Line {
    pieces: Vec<(Look, String)>,
    width: usize,
}

impl Line {
    fn put(&mut self, at: usize, look: Look, text: &str) {
        if text.is_empty() {
            return;
        }
        if at > self.width {
            self.pieces.push((Look::Plain, " ".repeat(at - self.width)));
        }
        self.width = self.width.max(at) + text.width();
        self.pieces.push((look, text.to_owned()));
    }

    const fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    fn write(&self, page: &mut Page<'_>) -> io::Result<()> {
        let pieces: Vec<(Look, &str)> =
            self.pieces.iter().map(|(look, text)| (*look, text.as_str())).collect();
        page.line(&pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing(hops: usize, width: usize, name: &str) -> String {
        let station = || Station { name: name.into(), place: String::new() };
        let seen =
            || Seen { look: Look::Good, marking: "AF41(34)+AF42(36)".into(), ttl: "TTL 255…".into() };
        let link = || Link { signs: vec!['✗'], is_bad: true, figures: vec![u64::MAX.to_string()] };
        let lane = |is_backwards| Lane {
            name: "forward".into(),
            stream: "s4294967296".into(),
            is_backwards,
            hops: (0..hops).map(|_| seen()).collect(),
            links: (1..hops).map(|_| link()).collect(),
        };
        let stations: Vec<Station> = (0..hops).map(|_| station()).collect();
        let mut out = Vec::new();
        draw(&stations, &[lane(false), lane(true)], &mut Page::new(&mut out, width, false)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_hop_and_segment_is_drawn_within_the_width() {
        for name in ["core", "東京東京東京東京東京東京", "\x1b[2J\u{202e}core-with-a-long-name-of-sixty"]
        {
            for width in [80, 91, 100] {
                for hops in 1..=16 {
                    let drawing = drawing(hops, width, name);
                    assert!(drawing.lines().all(|line| line.width() <= width), "{hops} {width}\n{drawing}");
                    assert_eq!(drawing.matches('✗').count(), 2 * (hops - 1), "{hops} {width}\n{drawing}");
                    assert!(drawing.contains(&format!(" {hops} ")), "{hops} {width}\n{drawing}");
                    assert!(!drawing.contains('\x1b'));
                }
            }
        }
    }

    #[test]
    fn arrows_stand_where_packets_arrive() {
        let link = Link { signs: vec!['!'], is_bad: true, figures: Vec::new() };
        let both = Link { signs: vec!['✗', '!'], ..link.clone() };
        assert_eq!(drawn(&link, false, 7), "━━━!━━→");
        assert_eq!(drawn(&link, true, 7), "←━━!━━━");
        assert_eq!(drawn(&both, false, 8), "━━━✗!━━→");
        assert_eq!(drawn(&Link::default(), false, 5), "────→");
        assert_eq!(drawn(&link, false, 0), "");
    }
}
