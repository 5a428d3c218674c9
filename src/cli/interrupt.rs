//! Ctrl-C and SIGTERM: the first cancels the running scope, so that cleanup runs; the second ends at once.

use std::sync::{Arc, Mutex};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::base::{Kind, Result, Trouble};
use crate::term::Printer;
use crate::world::proc::{running, terminal};
use crate::world::scope::cancel::Cancel;

/// Knows the scope that the next signal cancels.
#[derive(Clone, Default)]
pub struct Interrupts(Arc<Mutex<Slot>>);

#[derive(Default)]
struct Slot {
    scope: Option<Cancel>,
    asked: bool,
}

impl Interrupts {
    /// Starts listening. The printer leaves the terminal clean where the process ends at once.
    pub fn listen(printer: &Arc<Printer>) -> Result<Interrupts> {
        let interrupts = Interrupts::default();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
            .map_err(|e| Trouble::new(Kind::Internal, format!("cannot listen to signals: {e}")))?;
        let (slot, printer) = (Arc::clone(&interrupts.0), Arc::clone(printer));
        std::thread::Builder::new()
            .name(String::from("signals"))
            .spawn(move || {
                for _ in signals.forever() {
                    let Ok(mut slot) = slot.lock() else { continue };
                    match &slot.scope {
                        Some(scope) if !slot.asked => {
                            scope.cancel();
                            slot.asked = true;
                        }
                        _ => {
                            running::kill_all();
                            printer.end();
                            let left = running::left();
                            if !left.is_empty() {
                                printer.warn(&running::told(&left));
                            }
                            terminal::restore();
                            std::process::exit(i32::from(Kind::Cancelled.exit_code()));
                        }
                    }
                }
            })
            .map_err(|e| Trouble::new(Kind::Internal, format!("cannot start a thread: {e}")))?;
        Ok(interrupts)
    }

    /// The scope that the next signal cancels.
    pub fn watch(&self, scope: &Cancel) {
        if let Ok(mut slot) = self.0.lock() {
            *slot = Slot { scope: Some(scope.clone()), asked: false };
        }
    }
}
