//! Ctrl-C and SIGTERM: the first cancels the running scope, so that cleanup runs; the second ends at once. So does a
//! script that has to stop and takes no notice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::base::{Kind, Result, Trouble};
use crate::script::pulse::Pulse;
use crate::term::Printer;
use crate::world::proc::{running, terminal};
use crate::world::scope::cancel::Cancel;
use crate::world::who;

/// So long Lua may take no notice that it has to stop.
const UNNOTICED: Duration = Duration::from_secs(3);

/// Ends the programs and this process, and leaves the terminal clean.
fn end_at_once(printer: &Printer, say: impl FnOnce(), code: u8) -> ! {
    running::kill_all();
    printer.end();
    say();
    let left = running::left();
    if !left.is_empty() {
        printer.warn(&running::told(&left));
    }
    terminal::restore();
    std::process::exit(i32::from(code));
}

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
        // Under `nohup` a run outlives its terminal.
        let hangup = (!who::ignores(SIGHUP)).then_some(SIGHUP);
        let mut signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup))
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
                        _ => end_at_once(&printer, || {}, Kind::Cancelled.exit_code()),
                    }
                }
            })
            .map_err(|e| Trouble::new(Kind::Internal, format!("cannot start a thread: {e}")))?;
        Ok(interrupts)
    }

    /// Watches over a script from a thread of its own: one that has to stop and sits in a function of Lua's library
    /// takes no notice, so the process ends, with the programs that it started. `record` puts that on record.
    pub fn guard(
        printer: &Arc<Printer>,
        pulse: Arc<Pulse>,
        record: impl Fn(&Trouble) + Send + 'static,
    ) -> Result<()> {
        let printer = Arc::clone(printer);
        let watch = move || {
            let scope = pulse.wait_until_stuck(UNNOTICED);
            let trouble = if scope.past_deadline() {
                Trouble::new(Kind::Timeout, "the time limit of the script ran out, and it did not stop")
                    .hint("--timeout sets it")
            } else {
                Trouble::new(Kind::Cancelled, "the script was to end, and it did not stop")
            };
            let trouble = trouble
                .hint("it was in a function of Lua's own library that cannot be stopped, such as string.rep or a pattern");
            record(&trouble);
            end_at_once(&printer, || printer.trouble(&trouble, &|_| None), trouble.kind().exit_code());
        };
        std::thread::Builder::new()
            .name(String::from("watch"))
            .spawn(watch)
            .map(drop)
            .map_err(|e| Trouble::new(Kind::Internal, format!("cannot start a thread: {e}")))
    }

    /// The scope that the next signal cancels.
    pub fn watch(&self, scope: &Cancel) {
        if let Ok(mut slot) = self.0.lock() {
            *slot = Slot { scope: Some(scope.clone()), asked: false };
        }
    }
}
