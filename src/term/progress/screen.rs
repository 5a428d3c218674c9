//! The lines at the bottom of a terminal that are drawn again and again. indicatif moves the cursor; the bytes go
//! through the stream of the printer, so that nothing else can come between them.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::layout::Size;

/// Ten times a second is as often as anybody can see.
pub const PERIOD: Duration = Duration::from_millis(100);

/// A stream that is written to from several places.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Box<dyn Write + Send>>>);

impl Shared {
    pub fn new(stream: Box<dyn Write + Send>) -> Shared {
        Shared(Arc::new(Mutex::new(stream)))
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn Write + Send>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lock().flush()
    }
}

/// What stands on the terminal.
pub struct Screen {
    bars: MultiProgress,
    /// One bar with all lines: bars of their own would draw all of them for each of them.
    bar: ProgressBar,
    width: Arc<AtomicUsize>,
    height: Arc<AtomicUsize>,
    lines: Vec<String>,
    drawn: Option<Instant>,
    visible: bool,
}

impl Screen {
    pub fn new(stream: Shared) -> Screen {
        let (width, height) = (Arc::new(AtomicUsize::new(80)), Arc::new(AtomicUsize::new(24)));
        let tube = Tube {
            stream,
            pending: Mutex::default(),
            width: Arc::clone(&width),
            height: Arc::clone(&height),
        };
        Screen::on(Box::new(tube), width, height)
    }

    fn on(terminal: Box<dyn TermLike>, width: Arc<AtomicUsize>, height: Arc<AtomicUsize>) -> Screen {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::term_like(terminal));
        let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bars.add(ProgressBar::new_spinner().with_style(style));
        Screen { bars, bar, width, height, lines: Vec::new(), drawn: None, visible: false }
    }

    /// Shows these lines from now on, unless it is too soon to draw again.
    pub fn show(&mut self, lines: Vec<String>, size: Size, now: Instant) {
        if lines.is_empty() {
            self.clear();
        }
        self.lines = lines;
        self.width.store(size.width, Ordering::Relaxed);
        self.height.store(size.height, Ordering::Relaxed);
        self.draw(now);
    }

    /// Takes the lines away, so that something else can be written.
    pub fn clear(&mut self) {
        if self.visible {
            // A terminal that is gone needs nothing.
            let _ = self.bars.clear();
            self.visible = false;
        }
    }

    /// Puts them back; what is written in a hurry has them back a moment later.
    pub fn draw(&mut self, now: Instant) {
        let soon = self.drawn.is_some_and(|at| now.saturating_duration_since(at) < PERIOD);
        if self.lines.is_empty() || soon {
            return;
        }
        self.bar.set_message(self.lines.join("\n"));
        self.drawn = Some(now);
        self.visible = true;
    }
}

/// The printer's stream as indicatif sees it.
struct Tube {
    stream: Shared,
    /// A drawing leaves in one piece.
    pending: Mutex<Vec<u8>>,
    width: Arc<AtomicUsize>,
    height: Arc<AtomicUsize>,
}

impl fmt::Debug for Tube {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tube")
    }
}

impl Tube {
    fn add(&self, text: &str) -> io::Result<()> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).write_all(text.as_bytes())
    }

    fn go(&self, n: usize, direction: char) -> io::Result<()> {
        if n == 0 { Ok(()) } else { self.add(&format!("\x1b[{n}{direction}")) }
    }
}

impl TermLike for Tube {
    fn width(&self) -> u16 {
        u16::try_from(self.width.load(Ordering::Relaxed)).unwrap_or(u16::MAX)
    }

    fn height(&self) -> u16 {
        u16::try_from(self.height.load(Ordering::Relaxed)).unwrap_or(u16::MAX)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.go(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.go(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.go(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.go(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.add(text)?;
        self.add("\n")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.add(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let pending = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        let mut stream = self.stream.lock();
        stream.write_all(&pending)?;
        stream.flush()
    }
}

#[cfg(test)]
impl Screen {
    /// On a terminal that can be looked at.
    pub fn on_memory(terminal: indicatif::InMemoryTerm) -> Screen {
        Screen::on(Box::new(terminal), Arc::default(), Arc::default())
    }
}
