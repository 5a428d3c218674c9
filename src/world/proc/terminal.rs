//! The terminal's settings from before a session, for the moment in which the process is told to end: the line editor
//! sits in its read then and cannot put them back, and the shell behind would be left without echo.

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};

/// Editors also ask for brackets around pasted text.
const PLAIN_PASTE: &[u8] = b"\x1b[?2004l\r\n";

static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Keeps the settings that standard input has now; without a terminal there is nothing to keep.
pub fn remember() {
    *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = tcgetattr(std::io::stdin()).ok();
}

/// Puts them back, if they are not as they were.
pub fn restore() {
    let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    let changed = tcgetattr(std::io::stdin()).is_ok_and(|now| now.local_flags != before.local_flags);
    // A terminal that is gone, as after a hang-up, needs nothing.
    if changed && tcsetattr(std::io::stdin(), SetArg::TCSANOW, &before).is_ok() {
        let mut out = std::io::stdout();
        let _ = out.write_all(PLAIN_PASTE).and_then(|()| out.flush());
    }
}
