//! The one place that knows what goes where: results to standard output, all else to standard error, as much as
//! was asked for. Keeps the bars out of the way of both.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};

use super::plain::{Clean, Cleaner, clean, plain, told};
use super::progress::layout::Size;
use super::progress::screen::{Screen, Shared};
use super::trouble::{self, TroubleStyle};
use super::value::Form;
use crate::base::clock::Clock;
use crate::base::{Kind, Result, Trouble, redact};
use crate::world::Event;
use crate::world::scope::event::Level;

/// How much is said beside the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Detail {
    /// Warnings and errors only.
    Quiet,
    #[default]
    Normal,
    /// Also the lines of programs, causes and tracebacks.
    Verbose,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` or `CLICOLOR=0`; `CLICOLOR_FORCE` turns it on.
    #[default]
    Auto,
    Always,
    Never,
}

struct Streams {
    out: Box<dyn Write + Send>,
    err: Shared,
    /// What stands at the bottom of the terminal and must go before anything else is written; made when something is
    /// drawn for the first time.
    screen: Option<Screen>,
    /// The end has come, and the terminal is left clean.
    ended: bool,
}

/// Shared by commands, scripts' `print` and progress, from any thread.
pub struct Printer {
    pub detail: Detail,
    pub json: bool,
    /// Everything on standard error is an event as a JSON line.
    pub events: bool,
    pub out_colour: bool,
    pub err_colour: bool,
    /// Width of the terminal that shows results; none when they go to a file or a pipe.
    pub width: Option<u16>,
    /// Whether standard error is a terminal, so that lines may be redrawn.
    pub live: bool,
    closed: AtomicBool,
    rests: AtomicUsize,
    streams: Mutex<Streams>,
}

impl Printer {
    /// For this process's streams.
    pub fn new(detail: Detail, json: bool, colour: Colour) -> Printer {
        let (out, err) = (io::stdout(), io::stderr());
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        // Where CI is set, anstream colours also for a terminal that says it shows none.
        let shows = !dumb || std::env::var_os("CLICOLOR_FORCE").is_some_and(|v| v != "0");
        let chosen = |auto: anstream::ColorChoice| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => shows && auto != anstream::ColorChoice::Never,
        };
        Printer {
            detail,
            json,
            events: false,
            out_colour: chosen(anstream::AutoStream::choice(&out)),
            err_colour: chosen(anstream::AutoStream::choice(&err)),
            width: out.is_terminal().then(|| comfy_table::Table::new().width()).flatten(),
            live: err.is_terminal() && !dumb,
            closed: AtomicBool::new(false),
            rests: AtomicUsize::new(0),
            streams: Mutex::new(Streams::new(Box::new(out), Box::new(err))),
        }
    }

    /// For other streams: plain, without a terminal.
    pub fn to(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, detail: Detail, json: bool) -> Printer {
        Printer {
            detail,
            json,
            events: false,
            out_colour: false,
            err_colour: false,
            width: None,
            live: false,
            closed: AtomicBool::new(false),
            rests: AtomicUsize::new(0),
            streams: Mutex::new(Streams::new(out, err)),
        }
    }

    /// Writes a result and ends its line.
    pub fn result(&self, text: &str) -> Result<()> {
        self.styled(&plain(text))
    }

    /// The same of what has our own colours in it, between texts that were made plain.
    pub fn styled(&self, text: &str) -> Result<()> {
        self.write(|out| {
            out.write_all(text.as_bytes())?;
            if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") }
        })
    }

    /// Writes a value for people: tables, `key: value` lines, scalars.
    pub fn value(&self, value: &serde_json::Value) -> Result<()> {
        let all = self.detail == Detail::Verbose;
        let text = super::value::pretty(value, Form { width: self.width, colour: self.out_colour, all });
        if text.is_empty() { Ok(()) } else { self.styled(&text) }
    }

    /// Writes a value for programs, on one line.
    pub fn json(&self, value: &(impl serde::Serialize + ?Sized)) -> Result<()> {
        self.write_as(Clean::Json, |out| {
            serde_json::to_writer(&mut *out, value)?;
            out.write_all(b"\n")
        })
    }

    /// The value in the form that was asked for.
    pub fn give(&self, value: &serde_json::Value) -> Result<()> {
        if self.json { self.json(value) } else { self.value(value) }
    }

    /// Writes much, without having it all in memory.
    pub fn write(&self, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        let colour = if self.out_colour { Clean::Styled } else { Clean::Plain };
        self.write_as(if self.json { Clean::Json } else { colour }, fill)
    }

    fn write_as(&self, what: Clean, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        if self.is_closed() {
            return Ok(());
        }
        let mut streams = self.lock();
        streams.clear();
        let mut out = BufWriter::with_capacity(1 << 16, &mut streams.out);
        let written = fill(&mut Cleaner::new(&mut out, what)).and_then(|()| out.flush());
        // What did not reach the stream must not be tried again when the buffer is dropped.
        drop(out.into_parts());
        let written = written.and_then(|()| streams.out.flush());
        streams.draw();
        match written {
            // The reader went away, as `head` does: there is nobody to write to, and the work goes on.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                self.closed.store(true, Ordering::SeqCst);
                Ok(())
            }
            Err(e) => {
                let kind = if e.kind() == io::ErrorKind::StorageFull { Kind::Disk } else { Kind::Io };
                Err(Trouble::new(kind, format!("cannot write the output: {e}")))
            }
            Ok(()) => Ok(()),
        }
    }

    /// Whether the reader of the results went away.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Says something beside the result, unless quiet.
    pub fn note(&self, text: &str) {
        if self.detail >= Detail::Normal {
            self.message(Level::Info, text);
        }
    }

    /// Says something that only those want to know who asked for it.
    pub fn detail(&self, text: &str) {
        if self.detail >= Detail::Verbose {
            self.message(Level::Debug, text);
        }
    }

    /// Says something that must be heard although the work goes on.
    pub fn warn(&self, text: &str) {
        if self.events {
            self.message(Level::Warn, text);
        } else if self.json {
            self.line(&serde_json::json!({ "warning": redact::redact(text) }).to_string());
        } else {
            self.line(&format!("{}: {}", self.paint("warning", AnsiColor::Yellow), told(text)));
        }
    }

    /// Shows an error; `source` gives the text of a script or file by the name that the error carries.
    pub fn trouble(&self, trouble: &Trouble, source: &dyn Fn(&str) -> Option<String>) {
        if self.json || self.events {
            let mut told = trouble::json(trouble);
            if self.events {
                told["event"] = "error".into();
                told["time"] = Clock::default().now().to_string().into();
            }
            self.line(&told.to_string());
            return;
        }
        let look = TroubleStyle { colour: self.err_colour, verbose: self.detail == Detail::Verbose };
        self.line(trouble::render(trouble, source, look).trim_end());
    }

    /// Beside the result there are plain lines, or events.
    fn message(&self, level: Level, text: &str) {
        if !self.events {
            return self.line(&told(text));
        }
        let fields = serde_json::Map::new();
        let event = Event::Message { level, text: text.to_owned(), fields };
        self.line(&event.line(&Clock::default()).to_string());
    }

    /// A word in colour, if standard error shows colours.
    pub fn paint(&self, word: &str, colour: AnsiColor) -> String {
        if !self.err_colour {
            return word.to_owned();
        }
        let style = Style::new().fg_color(Some(colour.into())).bold();
        format!("{style}{word}{style:#}")
    }

    /// One line on standard error, with our own colours between texts that were made plain. A closed standard error is nothing to report, and nowhere to report it.
    pub fn line(&self, text: &str) {
        let colour = if self.err_colour { Clean::Styled } else { Clean::Plain };
        let text = clean(text, if self.json || self.events { Clean::Json } else { colour });
        let mut streams = self.lock();
        streams.clear();
        let _ = writeln!(streams.err, "{text}");
        streams.draw();
    }

    /// Shows these lines at the bottom of the terminal; none take them away.
    pub fn show(&self, lines: Vec<String>, now: Instant) {
        let Some(size) = self.size() else { return };
        let mut streams = self.lock();
        if streams.ended || (lines.is_empty() && streams.screen.is_none()) {
            return;
        }
        let err = streams.err.clone();
        streams.screen.get_or_insert_with(|| Screen::new(err)).show(lines, size, now);
    }

    /// The terminal on which lines may be redrawn, if there is one.
    pub fn size(&self) -> Option<Size> {
        let draws = self.live && self.detail > Detail::Quiet && !self.json && !self.events;
        draws.then(|| {
            let size = console::Term::stderr().size_checked();
            // One that does not tell, or tells nonsense, is as terminals always were.
            let (height, width) = size.filter(|(h, w)| *h > 0 && *w > 0).unwrap_or((24, 80));
            Size { width: width.into(), height: height.into() }
        })
    }

    /// Nothing goes on any more, whatever events have not told: a statement of a session has ended.
    pub fn rest(&self) {
        self.rests.fetch_add(1, Ordering::SeqCst);
        self.show(Vec::new(), Instant::now());
    }

    pub fn rests(&self) -> usize {
        self.rests.load(Ordering::SeqCst)
    }

    /// Leaves the terminal clean, and keeps it so. Called also when the process ends at once: whoever writes to a
    /// stream that nobody reads must not hold that up.
    pub fn end(&self) {
        const PATIENCE: Duration = Duration::from_millis(300);
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            let mut streams = match self.streams.try_lock() {
                Ok(streams) => streams,
                Err(TryLockError::Poisoned(streams)) => streams.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                }
            };
            streams.clear();
            streams.ended = true;
            return;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Streams {
    fn new(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Streams {
        Streams { out, err: Shared::new(err), screen: None, ended: false }
    }

    fn clear(&mut self) {
        if let Some(screen) = &mut self.screen {
            screen.clear();
        }
    }

    fn draw(&mut self) {
        if let Some(screen) = self.screen.as_mut().filter(|_| !self.ended) {
            screen.draw(Instant::now());
        }
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        self.lock().clear();
    }
}

#[cfg(test)]
mod tests;
