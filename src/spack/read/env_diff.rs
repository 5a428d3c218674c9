//! What changed between two locks, or between a lock and the store.

use schemars::JsonSchema;
use serde::Deserialize;

use super::env_status::needs_lock;
use crate::base::Result;
use crate::base::parallel::both;
use crate::site::Cx;
use crate::spack::drive::session::{Scope, within};
use crate::spack::environment;
use crate::spack::lock::diff;
use crate::spack::lock::diff::rows::PackageDiff;
use crate::spack::lock::lockfile::LockfileText;

/// Compares two locks, or a lock with what is installed of it.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct DiffArgs {
    /// Name of an environment, or path of a lock file: what was.
    pub from: String,
    /// The same: what is. Left out, the store: what of the lock is installed.
    pub to: Option<String>,
}

pub async fn diff(cx: Cx, args: DiffArgs) -> Result<Vec<PackageDiff>> {
    within(&cx, None, move |cx, scope| {
        let Some(to) = &args.to else {
            let text = lock_named(cx, scope, &args.from)?;
            let lock = text.parse()?;
            return scope.with_stores(cx, |stores, _| {
                let installed = |hash: &str| stores.get(hash).is_some_and(|entry| entry.record.installed);
                Ok(diff::of_part(&lock, installed)?.packages)
            });
        };
        let (from, to) = both(|| lock_named(cx, scope, &args.from), || lock_named(cx, scope, to));
        Ok(diff::of_texts(&from?, &to?)?.packages)
    })
    .await
}

fn lock_named(cx: &Cx, scope: &Scope, name: &str) -> Result<LockfileText> {
    let path = std::path::Path::new(name);
    if cx.world.eyes.is_file(path)? {
        return LockfileText::read(&*cx.world.eyes, path);
    }
    let environment = environment::find(&*cx.world.eyes, &scope.config, name)?;
    needs_lock(LockfileText::of(cx, &environment)?, &environment)
}
