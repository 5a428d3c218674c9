//! What the journal costs: ten thousand changes with and without it, in turns, where a change is the least that
//! there is, and where it is a program. `cargo bench --bench journal [DIR]` writes below DIR, or below the folder for
//! temporary files.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moonstack::base::clock::Clock;
use moonstack::world::fs::eyes::LiveEyes;
use moonstack::world::proc::program::Program;
use moonstack::world::scope::event::Blind;
use moonstack::world::scope::replay::{self, Call};
use moonstack::world::seam::live::LiveHands;
use moonstack::world::state::journal::Journal;
use moonstack::world::state::store::Store;
use moonstack::world::{Action, Effect, World};

const ACTIONS: usize = 10_000;
/// Parts of such a run, with and without a journal in turns, so that a machine that grows slower slows both.
const PARTS: usize = 10;

fn main() {
    let within = std::env::args().skip(1).find(|a| !a.starts_with('-'));
    let within = within.map_or_else(std::env::temp_dir, Into::into);
    let small = |folder: &Path, number: usize| {
        Action::write(folder.join((number % 100).to_string()), vec![b'x'; 1000])
    };
    compare("files of 1 kB, synced", &within, &small);
    // Spack is a Python program: none of its commands is over before this one is.
    let python = |_: &Path, _: usize| {
        let argv = ["python3", "-c", "pass"].map(String::from).to_vec();
        Action::run(Program { argv, ..Program::default() }, Effect::Changes)
    };
    compare("starts of Python", &within, &python);
}

fn compare(what: &str, within: &Path, action: &dyn Fn(&Path, usize) -> Action) {
    let (mut bare, mut kept) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..PARTS {
        bare += part(within, false, action);
        kept += part(within, true, action);
    }
    let each = kept.saturating_sub(bare) / u32::try_from(ACTIONS).unwrap();
    let share = 100.0 * (kept.as_secs_f64() / bare.as_secs_f64() - 1.0);
    println!(
        "{ACTIONS} {what}: {bare:.2?} without a journal, {kept:.2?} with it: {share:+.1} %, {each:.1?} each"
    );
}

fn part(within: &Path, recorded: bool, action: &dyn Fn(&Path, usize) -> Action) -> Duration {
    let folder = tempfile::tempdir_in(within).unwrap();
    let clock = Clock::default();
    let store = Arc::new(Store::at(folder.path().join("state/state.db")));
    let journal = Arc::new(Journal::new(store, clock.clone()));
    let world = World {
        eyes: Arc::new(LiveEyes),
        hands: Arc::new(LiveHands::new(recorded.then(|| Arc::clone(&journal)))),
        watcher: Arc::new(Blind),
        clock,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let begin = Instant::now();
    runtime.block_on(async {
        for number in 0..ACTIONS / PARTS {
            // A call of its own, as a script makes it, with its result on record.
            let call = Call::new(format!("bench {number}"), Some("bench.lua:1".to_owned()), None);
            let work = world.perform(action(folder.path(), number));
            replay::within(Arc::clone(&call), work).await.unwrap();
            if recorded {
                journal.called(&call, Some(serde_json::Value::Null)).unwrap();
            }
        }
    });
    begin.elapsed()
}
