//! Runs a changing primitive as a call of the run's journal: what it gave is kept, so that an interrupted run can go
//! on without making the change again.

use std::sync::Arc;

use serde_json::Value;

use super::primitive::{Reply, Replying};
use crate::base::{Result, digest};
use crate::site::Cx;
use crate::world::calls::{self, Call, Recall};
use crate::world::cancel::Cancel;
use crate::world::journal::Journal;

/// What the journal says of a call, and the call itself if it is to be made.
pub enum Next {
    Known(Value),
    Make(Arc<Call>),
}

/// Asks the journal before a changing primitive is called.
pub fn next(cx: &Cx, path: &str, arguments: &Value, place: Option<String>) -> Next {
    let text = digest::bytes(arguments.to_string().as_bytes());
    let key = format!("{path} {}", text.get(..32).unwrap_or(&text));
    let recall = cx.site.journal.recollection().map_or(Recall::New, |known| {
        let scope = Cancel::current().unwrap_or_default();
        let strand = (scope.strand().step.clone(), scope.strand().path.clone());
        known.recall(&*cx.world.eyes, strand, &key)
    });
    match recall {
        Recall::Done(value) => Next::Known(value),
        Recall::Kept(promise) => {
            let call = Call::new(key, place, Some(0.0));
            promise.proofs.into_iter().for_each(|proof| call.prove(proof));
            if let Err(trouble) = cx.site.journal.called(&call, Some(promise.result.clone())) {
                tracing::error!("journal: {trouble}");
            }
            Next::Known(promise.result)
        }
        Recall::Begun(since) => Next::Make(Call::new(key, place, Some(since))),
        Recall::New => Next::Make(Call::new(key, place, None)),
    }
}

/// Makes the call and records how it ended, also when the work is dropped by a cancel.
pub async fn make(cx: &Cx, call: Arc<Call>, work: Replying) -> Result<Reply> {
    let mut end = End { journal: Arc::clone(&cx.site.journal), call: Arc::clone(&call), result: None };
    let reply = calls::within(call, work).await;
    if let Ok(reply) = &reply
        && cx.site.journal.number().is_some()
    {
        end.result = serde_json::to_value(&**reply).ok();
    }
    reply
}

/// Writes the rows when the call is over, whatever ended it.
struct End {
    journal: Arc<Journal>,
    call: Arc<Call>,
    result: Option<Value>,
}

impl Drop for End {
    fn drop(&mut self) {
        // The change is made; a journal that cannot be written now must not hide its result.
        if let Err(trouble) = self.journal.called(&self.call, self.result.take()) {
            tracing::error!("journal: {trouble}");
        }
    }
}
