//! Runs a changing primitive as a call of the run's journal: what it gave is kept, so that an interrupted run can go
//! on without making the change again.

use std::sync::Arc;

use serde_json::{Value, json};

use super::primitive::{Reply, Replying};
use crate::base::{Kind, Result, Trouble, digest};
use crate::site::Cx;
use crate::world::scope::cancel::{Cancel, ReadCall};
use crate::world::scope::replay::{self, Call, LOOK, Recall};

/// What the journal says of a call, and the call itself if it is to be made.
pub enum Next {
    Known(Value),
    Make(Arc<Call>),
}

/// Asks the journal before a changing primitive is called.
pub fn next(cx: &Cx, path: &str, arguments: &Value, place: Option<String>) -> Next {
    let text = digest::bytes(arguments.to_string().as_bytes());
    let key = format!("{path} {}", text.get(..32).unwrap_or(&text));
    let scope = Cancel::current().unwrap_or_default();
    let task_path = (scope.task_path().step.clone(), scope.task_path().path.clone());
    if scope.task_path().recalls {
        let given = cx.site.journal.replay().and_then(|known| known.given(&task_path, &key));
        return given.map_or_else(|| Next::Make(Call::new(key, place, None)), Next::Known);
    }
    let recall =
        cx.site.journal.replay().map_or(Recall::New, |known| known.recall(&*cx.world.eyes, task_path, &key));
    match recall {
        Recall::Done(value) => Next::Known(value),
        Recall::Kept(promise) => {
            let call = Call::new(key, place, Some(0.0));
            promise.proofs.into_iter().for_each(|proof| call.prove(proof));
            if let Err(trouble) = cx.site.journal.called(&call, Some(promise.result.clone())) {
                cx.world.unrecorded(&cx.site.journal, &trouble);
            }
            Next::Known(promise.result)
        }
        Recall::Begun(since) => Next::Make(Call::new(key, place, Some(since))),
        Recall::New => Next::Make(Call::new(key, place, None)),
    }
}

/// Modules whose looks decide what a script does next; those of the others always give the same.
const LOOKS: &[&str] =
    &["spack", "env", "snapshot", "generation", "fs", "process", "http", "time", "check", "site"];
/// What counts for the process that has asked, and not for the one that goes on with its run.
const ANEW: &[&str] = &["env.hold"];
/// A result that is longer is not kept: the look is taken again.
const LONGEST_LOOK: usize = 64 * 1024;

/// A look that is worth remembering, before it is taken.
pub struct ReadKey(String);

/// Asks the journal before a reading primitive is called: what it gave in an interrupted run, or the look to take.
pub fn look(cx: &Cx, path: &str, arguments: impl FnOnce() -> Value) -> Option<Result<Value, ReadKey>> {
    let module = path.split('.').next().unwrap_or_default();
    if !LOOKS.contains(&module) || ANEW.contains(&path) || !cx.site.journal.remembers() {
        return None;
    }
    let text = digest::bytes(arguments().to_string().as_bytes());
    let key = format!("{LOOK}{path} {}", text.get(..32).unwrap_or(&text));
    let known = cx.site.journal.replay().and_then(|known| {
        let scope = Cancel::current().unwrap_or_default();
        known.recall_look((scope.task_path().step.clone(), scope.task_path().path.clone()), &key)
    });
    Some(known.ok_or(ReadKey(key)))
}

/// Keeps what a look gave, an error as well.
pub fn looked(look: ReadKey, gave: Result<Value, &Trouble>) {
    let result = match gave {
        Ok(value) => json!({ "ok": value }),
        Err(trouble) => json!({ "error": trouble.to_json() }),
    };
    if result.to_string().len() <= LONGEST_LOOK
        && let Some(scope) = Cancel::current()
    {
        scope.task_path().look(ReadCall { key: look.0, result });
    }
}

/// What a look gave, taken from the journal.
pub fn recalled(known: &Value) -> Result<&Value> {
    match known.get("error") {
        Some(error) => Err(trouble_of(error)),
        None => Ok(known.get("ok").unwrap_or(&Value::Null)),
    }
}

fn trouble_of(error: &Value) -> Trouble {
    let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut trouble = Trouble::new(Kind::named(text("kind")).unwrap_or(Kind::Script), text("message"));
    for hint in error.get("hints").and_then(Value::as_array).into_iter().flatten() {
        trouble = trouble.hint(hint.as_str().unwrap_or_default());
    }
    for (name, fact) in error.get("facts").and_then(Value::as_object).into_iter().flatten() {
        trouble = trouble.fact(name, fact.clone());
    }
    if error.get("retry") == Some(&Value::Bool(true)) { trouble.retryable() } else { trouble }
}

/// Makes the call and records how it ended, also when the work is dropped by a cancel.
pub async fn make(cx: &Cx, call: Arc<Call>, work: Replying) -> Result<Reply> {
    let mut end = End { cx: cx.clone(), call: Arc::clone(&call), result: None };
    let reply = replay::within(call, work).await;
    if let Ok(reply) = &reply
        && cx.site.journal.number().is_some()
    {
        end.result = serde_json::to_value(&**reply).ok();
    }
    reply
}

/// Writes the rows when the call is over, whatever ended it.
struct End {
    cx: Cx,
    call: Arc<Call>,
    result: Option<Value>,
}

impl Drop for End {
    fn drop(&mut self) {
        // The change is made; a journal that cannot be written now must not hide its result.
        let journal = &self.cx.site.journal;
        if let Err(trouble) = journal.called(&self.call, self.result.take()) {
            self.cx.world.unrecorded(journal, &trouble);
        }
    }
}
