//! Compares installed prefixes with their manifests.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::find::query;
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::drive::session::{Scope, within};
use crate::spack::store::prefix_manifest::{Differences, compare};
use crate::spack::store::row::SpecRow;

/// Compares what is installed with the manifests that Spack wrote, and lists what was changed since. Reads
/// every file; starts no Spack.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct VerifyArgs {
    /// What to compare, in Spack's syntax; left out, everything in this store.
    pub query: Option<String>,
    /// Only what is in the lock of this environment.
    pub env: Option<String>,
}

/// What became of an installed spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it was installed.
    Same,
    /// Something was changed, added or deleted.
    Changed,
    /// The prefix does not exist.
    Gone,
    /// Nothing to compare with: an external, or Spack wrote no manifest.
    NoManifest,
    /// The manifest or a file cannot be read.
    Unreadable,
}

/// An installed spec and what was found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Verified {
    /// The package.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its hash.
    pub hash: String,
    /// Where it is.
    pub prefix: String,
    /// As it was installed, or there is nothing to compare with; none where it cannot be read.
    pub ok: Option<bool>,
    /// What became of it.
    pub verdict: Verdict,
    /// By path: added, deleted, mode, owner, group, link, size, mtime, hash.
    #[serde(skip_serializing_if = "Differences::is_empty")]
    pub differences: Differences,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

pub async fn verify(cx: Cx, args: VerifyArgs) -> Result<Vec<Verified>> {
    let asked = args.query.is_some();
    let rows = within(&cx, args.env, move |cx, scope| local(cx, scope, args.query.as_deref())).await?;
    if asked && rows.is_empty() {
        return Err(Trouble::new(Kind::NotFound, "no installed spec of this store matches"));
    }
    let mut out = Vec::with_capacity(rows.len());
    for row in rows {
        // One after the other: the disk is the limit, and a cancel is heard in between.
        out.push(cx.blocking(move |cx| Ok(verified(&cx, row))).await?);
    }
    Ok(out)
}

fn local(cx: &Cx, scope: &Scope, text: Option<&str>) -> Result<Vec<SpecRow>> {
    let query = query(cx, scope, text.unwrap_or_default())?;
    scope.with_stores(cx, |stores, recipes| {
        let found = query.run(stores, Some(recipes))?;
        let local = found.into_iter().filter(|e| e.store == 0);
        local.map(|e| SpecRow::of_entry(stores, e)).collect()
    })
}

fn verified(cx: &Cx, row: SpecRow) -> Verified {
    let eyes = &*cx.world.eyes;
    let prefix = row.prefix.clone().unwrap_or_default();
    let path = PathBuf::from(&prefix);
    let mut error = None;
    let (verdict, differences) = if row.external.is_some() {
        (Verdict::NoManifest, Differences::new())
    } else {
        let looked = eyes.is_folder(&path).and_then(|there| there.then(|| compare(eyes, &path)).transpose());
        match looked {
            Ok(None) => (Verdict::Gone, Differences::new()),
            Ok(Some(None)) => (Verdict::NoManifest, Differences::new()),
            Ok(Some(Some(found))) if found.is_empty() => (Verdict::Same, found),
            Ok(Some(Some(found))) => (Verdict::Changed, found),
            Err(trouble) => {
                error = Some(trouble.message().to_owned());
                (Verdict::Unreadable, Differences::new())
            }
        }
    };
    let ok = match verdict {
        Verdict::Same | Verdict::NoManifest => Some(true),
        Verdict::Changed | Verdict::Gone => Some(false),
        Verdict::Unreadable => None,
    };
    Verified { name: row.name, version: row.version, hash: row.hash, prefix, ok, verdict, differences, error }
}
