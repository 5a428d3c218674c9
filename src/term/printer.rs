//! The one place that knows what goes where: results to standard output, all else to standard error, as much as
//! was asked for. Keeps the status line out of the way of both.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use anstyle::{AnsiColor, Style};

use super::trouble::{self, Look};
use crate::base::{Kind, Result, Trouble};

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

/// The reader of standard output went away, as `head` does. Not an error: the command ends quietly with 0.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("nobody reads the output any more")]
pub struct ClosedPipe;

impl ClosedPipe {
    /// As an error that no script can swallow.
    pub fn trouble() -> Trouble {
        Trouble::new(Kind::Cancelled, "nobody reads the output any more").caused_by(ClosedPipe)
    }

    /// Whether that is why something ended.
    pub fn is(trouble: &Trouble) -> bool {
        std::error::Error::source(trouble).is_some_and(<dyn std::error::Error>::is::<ClosedPipe>)
    }
}

struct Streams {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    /// What stands on the last line of the terminal and must go before anything else is written.
    status: String,
}

/// Shared by commands, scripts' `print` and progress, from any thread.
pub struct Printer {
    pub detail: Detail,
    pub json: bool,
    pub out_colour: bool,
    pub err_colour: bool,
    /// Width of the terminal that shows results; none when they go to a file or a pipe.
    pub width: Option<u16>,
    /// Whether standard error is a terminal, so that one line may be redrawn.
    pub live: bool,
    closed: AtomicBool,
    streams: Mutex<Streams>,
}

impl Printer {
    /// For this process's streams.
    pub fn new(detail: Detail, json: bool, colour: Colour) -> Printer {
        let (out, err) = (io::stdout(), io::stderr());
        let chosen = |auto: anstream::ColorChoice| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => auto != anstream::ColorChoice::Never,
        };
        Printer {
            detail,
            json,
            out_colour: chosen(anstream::AutoStream::choice(&out)),
            err_colour: chosen(anstream::AutoStream::choice(&err)),
            width: out.is_terminal().then(|| comfy_table::Table::new().width()).flatten(),
            live: err.is_terminal() && std::env::var_os("TERM").is_none_or(|t| t != "dumb"),
            closed: AtomicBool::new(false),
            streams: Mutex::new(Streams { out: Box::new(out), err: Box::new(err), status: String::new() }),
        }
    }

    /// For other streams: plain, without a terminal.
    pub fn to(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, detail: Detail, json: bool) -> Printer {
        Printer {
            detail,
            json,
            out_colour: false,
            err_colour: false,
            width: None,
            live: false,
            closed: AtomicBool::new(false),
            streams: Mutex::new(Streams { out, err, status: String::new() }),
        }
    }

    /// Writes a result and ends its line.
    pub fn result(&self, text: &str) -> Result<()> {
        self.write(|out| {
            out.write_all(text.as_bytes())?;
            if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") }
        })
    }

    /// Writes a value for people: tables, `key: value` lines, scalars.
    pub fn value(&self, value: &serde_json::Value) -> Result<()> {
        let text = super::value::pretty(value, self.width, self.out_colour);
        if text.is_empty() { Ok(()) } else { self.result(&text) }
    }

    /// Writes a value for programs, on one line.
    pub fn json(&self, value: &(impl serde::Serialize + ?Sized)) -> Result<()> {
        self.write(|out| {
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
        let mut streams = self.lock();
        streams.clear_status();
        let mut out = BufWriter::with_capacity(1 << 16, &mut streams.out);
        let written = fill(&mut out).and_then(|()| out.flush());
        // What did not reach the stream must not be tried again when the buffer is dropped.
        drop(out.into_parts());
        let written = written.and_then(|()| streams.out.flush());
        streams.draw_status();
        written.map_err(|e| self.failed(&e))
    }

    fn failed(&self, error: &io::Error) -> Trouble {
        if error.kind() == io::ErrorKind::BrokenPipe {
            self.closed.store(true, Ordering::SeqCst);
            return ClosedPipe::trouble();
        }
        let kind = if error.kind() == io::ErrorKind::StorageFull { Kind::Disk } else { Kind::Io };
        Trouble::new(kind, format!("cannot write the output: {error}"))
    }

    /// Whether the reader of the results went away.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Says something beside the result, unless quiet.
    pub fn note(&self, text: &str) {
        if self.detail >= Detail::Normal {
            self.line(text);
        }
    }

    /// Says something that only those want to know who asked for it.
    pub fn detail(&self, text: &str) {
        if self.detail >= Detail::Verbose {
            self.line(text);
        }
    }

    /// Says something that must be heard although the work goes on.
    pub fn warn(&self, text: &str) {
        if self.json {
            self.line(&serde_json::json!({ "warning": text }).to_string());
        } else {
            self.line(&format!("{}: {text}", self.paint("warning", AnsiColor::Yellow)));
        }
    }

    /// Shows an error; `source` gives the text of a script or file by the name that the error carries.
    pub fn trouble(&self, trouble: &Trouble, source: &dyn Fn(&str) -> Option<String>) {
        if ClosedPipe::is(trouble) {
            return;
        }
        if self.json {
            self.line(&trouble::json(trouble).to_string());
            return;
        }
        let look = Look { colour: self.err_colour, verbose: self.detail == Detail::Verbose };
        self.line(trouble::render(trouble, source, look).trim_end());
    }

    /// A word in colour, if standard error shows colours.
    pub fn paint(&self, word: &str, colour: AnsiColor) -> String {
        if !self.err_colour {
            return word.to_owned();
        }
        let style = Style::new().fg_color(Some(colour.into())).bold();
        format!("{style}{word}{style:#}")
    }

    /// One line on standard error. A closed standard error is nothing to report, and nowhere to report it.
    pub fn line(&self, text: &str) {
        let mut streams = self.lock();
        streams.clear_status();
        let _ = writeln!(streams.err, "{text}");
        streams.draw_status();
    }

    /// Replaces the status line; an empty text takes it away.
    pub fn status(&self, text: &str) {
        if !self.live || self.detail == Detail::Quiet {
            return;
        }
        let width = usize::from(self.width.unwrap_or(80)).saturating_sub(1);
        let mut streams = self.lock();
        streams.clear_status();
        streams.status = text.chars().filter(|c| !c.is_control()).take(width).collect();
        streams.draw_status();
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Streams {
    fn clear_status(&mut self) {
        if !self.status.is_empty() {
            let _ = self.err.write_all(b"\r\x1b[2K");
            let _ = self.err.flush();
        }
    }

    fn draw_status(&mut self) {
        if !self.status.is_empty() {
            let _ = write!(self.err, "\r{}", self.status);
            let _ = self.err.flush();
        }
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        self.lock().clear_status();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Keeps what was written; breaks like a pipe after so many bytes.
    #[derive(Clone)]
    pub struct Kept(Arc<Mutex<Vec<u8>>>, usize);

    impl Kept {
        fn new(limit: usize) -> Kept {
            Kept(Arc::default(), limit)
        }
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut kept = self.0.lock().unwrap();
            if kept.len() + bytes.len() > self.1 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            kept.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn printer(limit: usize, detail: Detail, json: bool) -> (Printer, Kept, Kept) {
        let (out, err) = (Kept::new(limit), Kept::new(usize::MAX));
        (Printer::to(Box::new(out.clone()), Box::new(err.clone()), detail, json), out, err)
    }

    #[test]
    fn results_and_the_rest_go_apart() {
        for (detail, expected) in [
            (Detail::Quiet, "warning: w\n"),
            (Detail::Normal, "n\nwarning: w\n"),
            (Detail::Verbose, "n\nd\nwarning: w\n"),
        ] {
            let (printer, out, err) = printer(999, detail, false);
            printer.note("n");
            printer.detail("d");
            printer.warn("w");
            printer.result("r").unwrap();
            assert_eq!((out.text().as_str(), err.text().as_str()), ("r\n", expected));
        }
    }

    #[test]
    fn a_closed_pipe_is_told_apart() {
        let (printer, _, err) = printer(10, Detail::Normal, false);
        let trouble = printer.result(&"long".repeat(100)).unwrap_err();
        assert!(ClosedPipe::is(&trouble) && printer.is_closed());
        assert!(!ClosedPipe::is(&Trouble::cancelled()));
        printer.trouble(&trouble, &|_| None);
        assert_eq!(err.text(), "");
    }

    #[test]
    fn the_status_line_makes_way() {
        let (mut printer, out, err) = printer(999, Detail::Normal, false);
        printer.live = true;
        printer.status("building");
        printer.result("r").unwrap();
        printer.status("");
        assert_eq!(out.text(), "r\n");
        assert_eq!(err.text(), "\rbuilding\r\x1b[2K\rbuilding\r\x1b[2K");
    }
}
