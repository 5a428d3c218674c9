//! What the journal costs: ten thousand changes with and without it, in turns. `cargo bench --bench journal [DIR]`
//! writes below DIR, or below the folder for temporary files.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moonstack::base::clock::Clock;
use moonstack::world::calls::{self, Call};
use moonstack::world::event::Blind;
use moonstack::world::eyes::LiveEyes;
use moonstack::world::journal::Journal;
use moonstack::world::live::LiveHands;
use moonstack::world::store::Store;
use moonstack::world::{Action, World};

const ACTIONS: usize = 10_000;
const ROUNDS: usize = 3;

fn main() {
    let within = std::env::args().skip(1).find(|a| !a.starts_with('-'));
    let within = within.map_or_else(std::env::temp_dir, Into::into);
    let (mut bare, mut kept) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(round(&within, false));
        kept.push(round(&within, true));
    }
    let (bare, kept) = (median(bare), median(kept));
    let share = 100.0 * (kept.as_secs_f64() / bare.as_secs_f64() - 1.0);
    println!("{ACTIONS} changes without a journal {bare:.2?}, with it {kept:.2?}: {share:+.1} %");
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

/// Each change as a script makes it: a call of its own, with its result on record.
fn round(within: &Path, recorded: bool) -> Duration {
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
        for number in 0..ACTIONS {
            let call = Call::new(format!("fs.write {number}"), Some("bench.lua:1".to_owned()), None);
            let action = Action::write(folder.path().join((number % 100).to_string()), vec![b'x'; 1000]);
            calls::within(Arc::clone(&call), world.perform(action)).await.unwrap();
            if recorded {
                journal.called(&call, Some(serde_json::Value::Null)).unwrap();
            }
        }
    });
    begin.elapsed()
}
