//! The calls of changing primitives that a run has made, with what they gave. A run that was interrupted goes on by
//! asking here first: what was done is not done again, and what was under way is known to have been begun.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::postcondition::{Postcondition, last};
use crate::world::fs::eyes::Eyes;

tokio::task_local! {
    static CALL: Arc<Call>;
}

/// One call of a changing primitive while it is under way.
#[derive(Debug, Default)]
pub struct Call {
    /// Primitive and arguments.
    pub key: String,
    /// The script line, `file:line`.
    pub place: Option<String>,
    /// Since when it was under way when the run was interrupted.
    pub begun: Option<f64>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    proofs: Vec<Postcondition>,
    promise: Option<PlannedResult>,
    /// Rows of the journal and how their actions ended, not written yet.
    outcomes: Vec<(i64, f64, String)>,
    last_action: Option<i64>,
}

/// What a call will give if it ends well, known before it changes anything.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PlannedResult {
    pub result: Value,
    pub proofs: Vec<Postcondition>,
}

impl Call {
    pub fn new(key: String, place: Option<String>, begun: Option<f64>) -> Arc<Call> {
        Arc::new(Call { key, place, begun, state: Mutex::default() })
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn prove(&self, proof: Postcondition) {
        self.with(|state| state.proofs.push(proof));
    }

    /// What is so now, the last fact about each path.
    pub fn proofs(&self) -> Vec<Postcondition> {
        self.with(|state| last(state.proofs.drain(..)))
    }

    pub(in crate::world) fn plan_result(&self) -> Option<PlannedResult> {
        self.with(|state| state.promise.take())
    }

    pub(in crate::world) fn ended(&self, row: i64, at: f64, outcome: String) {
        self.with(|state| {
            state.outcomes.push((row, at, outcome));
            state.last_action = Some(row);
        });
    }

    pub(in crate::world) fn outcomes(&self) -> Vec<(i64, f64, String)> {
        self.with(|state| std::mem::take(&mut state.outcomes))
    }

    pub(in crate::world) fn last_action(&self) -> Option<i64> {
        self.with(|state| state.last_action)
    }
}

/// Runs `work` as the work of a call.
pub async fn within<F: Future>(call: Arc<Call>, work: F) -> F::Output {
    CALL.scope(call, work).await
}

pub fn current() -> Option<Arc<Call>> {
    CALL.try_with(Arc::clone).ok()
}

/// The script line of the current call.
pub fn place() -> Option<String> {
    current()?.place.clone()
}

/// Whether the current call was under way when the run was interrupted.
pub fn was_begun() -> bool {
    begun_since().is_some()
}

/// Since when the current call was under way when the run was interrupted, in seconds since 1970.
pub fn begun_since() -> Option<f64> {
    current()?.begun
}

/// Records a fact about what the current call leaves behind.
pub fn prove(proof: Postcondition) {
    if let Some(call) = current() {
        call.prove(proof);
    }
}

/// Records a file as the current call leaves it.
pub fn prove_file(eyes: &dyn Eyes, path: &Path) {
    if current().is_some() {
        prove(Postcondition::now(eyes, path));
    }
}

/// Tells what the current call will give once these facts hold, so that an interrupted run need not make it twice.
pub fn plan_result(result: &impl serde::Serialize, proofs: Vec<Postcondition>) {
    if let (Some(call), Ok(result)) = (current(), serde_json::to_value(result)) {
        call.with(|state| state.promise = Some(PlannedResult { result, proofs }));
    }
}

/// A call on record.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub key: String,
    pub ended: Option<(Value, Vec<Postcondition>)>,
    pub promise: Option<PlannedResult>,
    /// When it was begun, if it did not end.
    pub since: f64,
}

impl Recorded {
    fn is_look(&self) -> bool {
        self.key.starts_with(LOOK)
    }
}

/// The key of a look begins with this: it was no change, but what came after it was decided by it.
pub const LOOK: char = '?';

/// What the journal knows of a call that is about to be made.
#[derive(Debug, Clone, PartialEq)]
pub enum Recall {
    /// Not made yet.
    New,
    /// Made, and what it left behind is still so.
    Done(Value),
    /// Under way when the run was interrupted, and what it promised is so.
    Kept(PlannedResult),
    /// Under way when the run was interrupted, since then.
    Begun(f64),
}

pub type ReplayKey = (Option<String>, String);

/// The calls of the interrupted part of a run, each sequence in its order.
#[derive(Debug, Default)]
pub struct Replay(Mutex<HashMap<ReplayKey, VecDeque<Recorded>>>);

impl Replay {
    pub fn add(&self, task_path: ReplayKey, call: Recorded) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(task_path).or_default().push_back(call);
    }

    /// A step begins anew: what it did before does not count.
    pub fn forget(&self, step: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(of, _), _| of.as_deref() != Some(step));
    }

    /// Asks for the next call of a sequence. Once one is asked for that is not on record, the rest of the sequence
    /// is not what the script does now.
    pub fn recall(&self, eyes: &dyn Eyes, task_path: ReplayKey, key: &str) -> Recall {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(waiting) = all.get_mut(&task_path) else { return Recall::New };
        while waiting.front().is_some_and(Recorded::is_look) {
            waiting.pop_front();
        }
        let Some(next) = waiting.pop_front() else { return Recall::New };
        if next.key != key {
            waiting.clear();
            return Recall::New;
        }
        let holds = |proofs: &[Postcondition]| proofs.iter().all(|proof| proof.holds(eyes));
        match (next.ended, next.promise) {
            (Some((result, proofs)), _) if holds(&proofs) => Recall::Done(result),
            (None, Some(promise)) if holds(&promise.proofs) => Recall::Kept(promise),
            (None, _) => Recall::Begun(next.since),
            (Some(_), _) => {
                waiting.clear();
                Recall::New
            }
        }
    }
}

impl Replay {
    /// What the next call with this key gave, whatever has become of it since; none if its end is not on record.
    pub fn given(&self, task_path: &ReplayKey, key: &str) -> Option<Value> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = all.get_mut(task_path)?;
        let at = waiting.iter().position(|call| call.key == key)?;
        let call = waiting.drain(..=at).next_back()?;
        call.ended.map(|(result, _)| result).or(call.promise.map(|promise| promise.result))
    }

    /// What a look gave before the run was interrupted, as long as what followed it is being made again.
    pub fn recall_look(&self, task_path: ReplayKey, key: &str) -> Option<Value> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = all.get_mut(&task_path)?;
        // What could not be kept is looked at again; it does not stand in the way.
        if !waiting.front()?.is_look() || waiting.front()?.key != key {
            return None;
        }
        waiting.pop_front()?.ended.map(|(result, _)| result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::fs::eyes::LiveEyes;

    #[test]
    fn what_was_done_is_given_again_until_something_differs() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, "x").unwrap();
        let task_path = || (Some(String::from("build")), String::new());
        let past_calls = Replay::default();
        let ended = |key: &str, value: i64, proofs: Vec<Postcondition>| Recorded {
            key: key.to_owned(),
            ended: Some((value.into(), proofs)),
            promise: None,
            since: 0.0,
        };
        past_calls.add(task_path(), ended("a", 1, vec![Postcondition::now(&LiveEyes, &file)]));
        past_calls.add(task_path(), ended("b", 2, vec![Postcondition::Absent { path: file.clone() }]));
        past_calls.add(task_path(), ended("c", 3, Vec::new()));
        assert_eq!(past_calls.recall(&LiveEyes, (None, String::new()), "a"), Recall::New);
        assert_eq!(past_calls.recall(&LiveEyes, task_path(), "a"), Recall::Done(1.into()));
        // Its post-condition does not hold, so it and all that follows are made again.
        assert_eq!(past_calls.recall(&LiveEyes, task_path(), "b"), Recall::New);
        assert_eq!(past_calls.recall(&LiveEyes, task_path(), "c"), Recall::New);
    }

    #[test]
    fn what_was_under_way_is_done_if_its_promise_holds() {
        let dir = tempfile::tempdir().unwrap();
        let gone = Postcondition::Absent { path: dir.path().join("gone") };
        let there = Postcondition::Absent { path: dir.path().to_owned() };
        for (proof, holds) in [(gone, true), (there, false)] {
            let past_calls = Replay::default();
            let promise = PlannedResult { result: 7.into(), proofs: vec![proof] };
            let recorded =
                Recorded { key: "a".into(), ended: None, promise: Some(promise.clone()), since: 9.0 };
            past_calls.add((None, String::new()), recorded);
            let expected = if holds { Recall::Kept(promise) } else { Recall::Begun(9.0) };
            assert_eq!(past_calls.recall(&LiveEyes, (None, String::new()), "a"), expected);
        }
    }
}
