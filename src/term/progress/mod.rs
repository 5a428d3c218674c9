//! Progress as it happens: bars on a terminal, lines with times for logs and cron, JSON lines for programs. What a
//! script says with `log.*` goes the same way. Results do not.
//!
//! ```text
//! screen → layout → { board, wording }
//! ```

pub mod board;
pub mod layout;
pub mod screen;
mod wording;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use anstyle::AnsiColor;
use jiff::tz::TimeZone;

use super::plain::told;
use super::printer::{Detail, Printer};
use crate::base::clock::Clock;
use crate::base::redact;
use crate::world::scope::event::Level;
use crate::world::{Event, Watcher};
use board::{Board, Place};
use wording::{describe, level};

pub use wording::recorded;

/// A log that nobody writes to for this long gets a line that says what is still going on.
const QUIET: Duration = Duration::from_mins(1);
/// How often is looked whether it has been quiet for that long.
const LOOK: Duration = Duration::from_secs(1);

/// Draws events through a printer.
pub struct Progress(Arc<Shown>);

struct Shown {
    printer: Arc<Printer>,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    board: Board,
    /// How often the printer had been told to forget what it shows when this was begun.
    rests: usize,
    /// Whether there is a thread that draws or tells of life.
    ticking: bool,
    /// When there was the last line.
    said: Option<Instant>,
}

impl Progress {
    pub fn new(printer: Arc<Printer>, clock: Clock) -> Progress {
        Progress(Arc::new(Shown { printer, clock, state: Mutex::default() }))
    }
}

impl Watcher for Progress {
    fn see(&self, event: &Event) {
        let printer = &self.0.printer;
        if printer.json || printer.events {
            let wanted = printer.events && printer.detail > Detail::Quiet || level(event) <= printer.detail;
            if wanted {
                printer.line(&redact::redact(&event.line(&self.0.clock).to_string()));
            }
            return;
        }
        self.take(event);
        if let Event::Message { level, text, fields } = event {
            self.0.message(*level, text, fields);
        } else if level(event) <= printer.detail
            && !(printer.live && is_begin(event) && printer.detail < Detail::Verbose)
            && let Some(text) = describe(event)
        {
            self.0.say(&told(&text));
        }
    }
}

/// What begins is seen as a bar; what ends is worth a line that stays.
fn is_begin(event: &Event) -> bool {
    matches!(event, Event::StepStarted { .. } | Event::PackageStarted { .. })
}

impl Progress {
    /// Shows what the event changes. The thread that goes on drawing is there only while there is something to draw.
    fn take(&self, event: &Event) {
        if self.0.printer.detail == Detail::Quiet
            || matches!(event, Event::Line { .. } | Event::Message { .. })
        {
            return;
        }
        let now = Instant::now();
        let mut state = self.0.lock();
        state.board.see(event, &Place::current(), now);
        let empty = state.board.is_empty();
        let begin = !empty && !state.ticking;
        state.ticking |= begin;
        drop(state);
        if empty {
            self.0.printer.show(Vec::new(), now);
        }
        if begin {
            let period = if self.0.printer.live { screen::PERIOD } else { LOOK };
            let shown = Arc::downgrade(&self.0);
            let thread = std::thread::Builder::new().name(String::from("progress"));
            // Without the thread there are the lines.
            let _ = thread.spawn(move || tick(&shown, period));
        }
    }
}

fn tick(shown: &Weak<Shown>, period: Duration) {
    loop {
        std::thread::sleep(period);
        let Some(shown) = shown.upgrade() else { return };
        if !shown.tick(Instant::now()) {
            return;
        }
    }
}

impl Shown {
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let rests = self.printer.rests();
        if state.rests != rests {
            state.board = Board::default();
            state.rests = rests;
        }
        state
    }

    /// Draws, or tells of life; whether there will be something to draw.
    fn tick(&self, now: Instant) -> bool {
        let mut state = self.lock();
        if state.board.is_empty() {
            state.ticking = false;
            return false;
        }
        let rows = state.board.rows();
        if self.printer.live {
            if let Some(size) = self.printer.size() {
                self.printer.show(layout::lines(&rows, size, self.printer.err_colour, now), now);
            }
            return true;
        }
        let begun = rows.iter().map(|row| row.since).max();
        let quiet_since = state.said.max(begun).unwrap_or(now);
        if now.saturating_duration_since(quiet_since) < QUIET {
            return true;
        }
        drop(state);
        if let Some(text) = layout::still(&rows, now) {
            self.say(&text);
        }
        true
    }

    fn stamp(&self) -> String {
        self.clock.now().to_zoned(TimeZone::system()).strftime("%F %T").to_string()
    }

    /// A line for a log: with its time, unless somebody sits before it.
    fn say(&self, text: &str) {
        self.lock().said = Some(Instant::now());
        if self.printer.live {
            self.printer.line(text);
        } else {
            self.printer.line(&format!("{} {text}", self.stamp()));
        }
    }

    fn message(&self, level: Level, text: &str, fields: &serde_json::Map<String, serde_json::Value>) {
        let wanted = match level {
            Level::Debug => Detail::Verbose,
            Level::Info => Detail::Normal,
            Level::Warn | Level::Error => Detail::Quiet,
        };
        if self.printer.detail < wanted {
            return;
        }
        let mark = match level {
            Level::Debug => String::from("debug: "),
            Level::Info => String::new(),
            Level::Warn => format!("{}: ", self.printer.paint("warning", AnsiColor::Yellow)),
            Level::Error => format!("{}: ", self.printer.paint("error", AnsiColor::Red)),
        };
        let mut line = format!("{mark}{}", told(text));
        for (name, value) in fields {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            line.push_str(&told(&format!(" {name}={value}")));
        }
        self.say(&line);
    }
}

#[cfg(test)]
mod tests;
