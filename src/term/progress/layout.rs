//! Rows as lines of text that fit a terminal: cut with `…`, never wrapped, and never so many that nothing else is
//! seen. The parts to the right appear as there is room for them.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use console::{measure_text_width, truncate_str};

use super::board::{Measure, Row};
use crate::base::words;
use crate::world::scope::event::Unit;

/// What stays free for the lines above.
const SPARE: usize = 3;
/// More than these help nobody, however high the terminal.
const MOST: usize = 20;
const BAR: usize = 20;
const TURNS: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// The terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub width: usize,
    pub height: usize,
}

/// The lines for these rows.
pub fn lines(rows: &[Row], size: Size, colour: bool, now: Instant) -> Vec<String> {
    // The last column stays free: some terminals wrap as soon as it is filled.
    let width = size.width.saturating_sub(1);
    let (kept, left_out) = fitting(rows, size.height.saturating_sub(SPARE).clamp(2, MOST));
    let parts: Vec<(Left, String)> =
        kept.iter().map(|row| (Left::of(row, now), right(row, width, now))).collect();
    let widest = parts.iter().map(|(left, _)| left.width()).max().unwrap_or(0);
    let mut lines: Vec<String> = parts
        .iter()
        .map(|(left, right)| {
            let room = width.saturating_sub(measure_text_width(right));
            format!("{}{right}", left.draw(widest.min(room), colour))
        })
        .collect();
    if left_out > 0 {
        lines.push(cut(&format!("  … and {left_out} more"), width).into_owned());
    }
    lines
}

/// As many rows as there is room for, and how many are left out: packages and items go first, the youngest of them
/// before the others, and what stays keeps its order.
fn fitting(rows: &[Row], room: usize) -> (Vec<&Row>, usize) {
    if rows.len() <= room {
        return (rows.iter().collect(), 0);
    }
    // One line says how many there are more.
    let room = room.saturating_sub(1);
    let mut order: Vec<(usize, &Row)> = rows.iter().enumerate().collect();
    order.sort_by_key(|(at, row)| (row.minor, row.minor.then_some(row.since), *at));
    order.truncate(room);
    order.sort_by_key(|(at, _)| *at);
    let left_out = rows.len() - order.len();
    (order.into_iter().map(|(_, row)| row).collect(), left_out)
}

/// Name and phase.
struct Left {
    mark: String,
    name: String,
    phase: String,
    outer: bool,
}

impl Left {
    fn of(row: &Row, now: Instant) -> Left {
        let mark = if row.minor { " " } else { turn(row.since, now) };
        let indent = "  ".repeat(row.depth.min(4));
        let phase = if row.phase.is_empty() { String::new() } else { format!(": {}", plain(&row.phase)) };
        Left { mark: format!("{indent}{mark} "), name: plain(&row.name), phase, outer: row.depth == 0 }
    }

    fn width(&self) -> usize {
        [&self.mark, &self.name, &self.phase].into_iter().map(|t| measure_text_width(t)).sum()
    }

    /// Exactly that wide.
    fn draw(&self, width: usize, colour: bool) -> String {
        let mark = cut(&self.mark, width);
        let mut room = width.saturating_sub(measure_text_width(&mark));
        let name = cut(&self.name, room);
        room = room.saturating_sub(measure_text_width(&name));
        let phase = cut(&self.phase, room);
        let filler = " ".repeat(room.saturating_sub(measure_text_width(&phase)));
        let (mark, name) = if self.outer {
            (paint(&mark, AnsiColor::Cyan.on_default(), colour), paint(&name, Style::new().bold(), colour))
        } else {
            (paint(&mark, AnsiColor::Cyan.on_default(), colour), name.into_owned())
        };
        format!("{mark}{name}{}{filler}", paint(&phase, Style::new().dimmed(), colour))
    }
}

/// With `…` where something is missing.
fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if width == 0 { Cow::Borrowed("") } else { truncate_str(text, width, "…") }
}

fn paint(text: &str, style: Style, colour: bool) -> String {
    if colour && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// Bar, figures and time, as far as there is room; at most half of a line.
fn right(row: &Row, width: usize, now: Instant) -> String {
    let time = elapsed(now.saturating_duration_since(row.since));
    let most = width.div_ceil(2);
    let mut text = String::new();
    // The most telling comes first, and stands rightmost.
    for part in [Some(time), row.measure.as_ref().map(figures)].into_iter().flatten() {
        let longer = format!("  {part}{text}");
        if measure_text_width(&longer) > most {
            return text;
        }
        text = longer;
    }
    let room = most.saturating_sub(measure_text_width(&text) + 2).min(BAR);
    match row.measure.as_ref().and_then(|measure| bar(measure, room)) {
        Some(bar) => format!("  {bar}{text}"),
        None => text,
    }
}

fn figures(measure: &Measure) -> String {
    let show = |n: u64| if measure.unit == Unit::Bytes { words::size(n) } else { n.to_string() };
    match measure.total {
        Some(total) => format!("{} of {}", show(measure.done), show(total)),
        None => show(measure.done),
    }
}

/// Nothing where the whole is not known, or there is no room to see anything.
fn bar(measure: &Measure, width: usize) -> Option<String> {
    let total = measure.total.filter(|t| *t > 0 && width >= 5)?;
    let full = (measure.done.min(total) as f64 / total as f64 * width as f64) as usize;
    Some(format!("{}{}", "█".repeat(full), "░".repeat(width.saturating_sub(full))))
}

fn turn(since: Instant, now: Instant) -> &'static str {
    let at = now.saturating_duration_since(since).as_millis() / 100 % TURNS.len() as u128;
    TURNS.get(at as usize).copied().unwrap_or(" ")
}

/// `1m05s`: whole seconds, and as wide as it was a second ago.
pub fn elapsed(time: Duration) -> String {
    let s = time.as_secs();
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        3600..86_400 => format!("{}h{:02}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d{:02}h", s / 86_400, s % 86_400 / 3600),
    }
}

/// Names come from scripts and programs: what would move the cursor is left out.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !c.is_control()).collect()
}

/// Life in a log: what has been running for how long. Nothing if nothing does.
pub fn still(rows: &[Row], now: Instant) -> Option<String> {
    const NAMED: usize = 3;
    let outer = rows.iter().rev().filter(|r| !r.minor).max_by_key(|r| r.depth).or(rows.first())?;
    let time = now.saturating_duration_since(outer.since);
    let time =
        if time < Duration::from_hours(1) { format!("{}m", time.as_secs() / 60) } else { elapsed(time) };
    let mut parts = vec![format!("{}: still running after {time}", plain(&outer.name))];
    if let Some(measure) = &outer.measure {
        parts.push(figures(measure));
    }
    let told = |row: &Row| {
        let (name, phase) = (plain(&row.name), plain(&row.phase));
        if phase.is_empty() { name } else { format!("{name}: {phase}") }
    };
    if !outer.phase.is_empty() {
        parts.push(plain(&outer.phase));
    }
    let minor: Vec<String> = rows.iter().filter(|r| r.minor && *r != outer).map(told).collect();
    parts.extend(minor.iter().take(NAMED).cloned());
    if minor.len() > NAMED {
        parts.push(format!("{} more", minor.len() - NAMED));
    }
    Some(parts.join(", "))
}
