//! Reads snapshots whole and compares every byte with the names that it goes by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::Result;
use crate::site::Cx;
use crate::snapshot::record::parts;
use crate::snapshot::store::index::{Shelf, StoredSnapshot};
use crate::snapshot::store::object::Objects;
use crate::snapshot::store::reference;
use crate::spack::lock::contents::LockContents;
use crate::spack::lock::lockfile::LockfileText;

/// Reads snapshots whole and compares them with their ids: tampering, rot, and parts that are gone.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct VerifyArgs {
    /// Only this one; left out, all of them.
    pub snapshot: Option<String>,
}

/// What became of a snapshot.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Verified {
    pub snapshot: String,
    pub ok: bool,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

pub async fn verify(cx: Cx, args: VerifyArgs) -> Result<Vec<Verified>> {
    cx.blocking(move |cx| {
        if let Some(text) = &args.snapshot {
            let kept = reference::find(&cx, text)?;
            return Ok(vec![verified(kept.snapshot.title(), problems(&cx, &kept))]);
        }
        let mut out = Vec::new();
        for shelf in Shelf::all(&cx)? {
            if let Some(trouble) = &shelf.problem {
                out.push(verified(shelf.env().name.clone(), vec![trouble.message().to_owned()]));
            }
            for number in shelf.numbers()? {
                let title = format!("{}@{number}", shelf.env().name);
                let problems = match shelf.read(number) {
                    Ok(kept) => problems(&cx, &kept),
                    Err(trouble) => vec![trouble.message().to_owned()],
                };
                out.push(verified(title, problems));
            }
        }
        Ok(out)
    })
    .await
}

fn verified(snapshot: String, problems: Vec<String>) -> Verified {
    Verified { snapshot, ok: problems.is_empty(), problems }
}

/// Everything that is wrong with a snapshot whose document can be read.
pub fn problems(cx: &Cx, kept: &StoredSnapshot) -> Vec<String> {
    let objects = Objects(cx);
    let mut out = Vec::new();
    let mut note = |result: Result<()>| out.extend(result.err().map(|t| t.message().to_owned()));
    for id in kept.snapshot.objects() {
        note(objects.get(id).map(drop));
    }
    note(parts::states(cx, kept).map(drop));
    note(parts::configuration(cx, kept).map(drop));
    note(lock(cx, kept).map(drop));
    out.dedup();
    out
}

/// The lock that a snapshot holds.
pub fn lock(cx: &Cx, kept: &StoredSnapshot) -> Result<LockContents> {
    let bytes = Objects(cx).get(&kept.snapshot.lock.object)?;
    let text = LockfileText::from_bytes(&kept.snapshot.lock.path, bytes)?;
    LockContents::of(&text.parse()?)
}
