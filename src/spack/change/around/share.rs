//! Whom the site file gives an environment's views, modules and folders to. Prefixes are Spack's own business; what it
//! has to know for them is `packages:all:permissions`.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::base::Result;
use crate::site::Cx;
use crate::spack::drive::session::Scope;
use crate::spack::text::yaml::Yaml;
use crate::world::Action;
use crate::world::fs::access::Access;
use crate::world::fs::share::Sharing;

/// Whom the site belongs to; nothing if its site file does not say.
pub fn access(cx: &Cx) -> Result<Option<Access>> {
    cx.site.store.shared().access()
}

/// Shares folders, without what is in them.
pub async fn folders(cx: &Cx, paths: Vec<PathBuf>) -> Result<()> {
    perform(cx, paths, false, Vec::new()).await
}

/// Shares what is there of these with everything in it, but nothing that Spack has installed.
pub async fn trees(cx: &Cx, scope: &Scope, paths: Vec<PathBuf>) -> Result<()> {
    let mut spare = vec![scope.install_tree()?.root];
    spare.extend(scope.config.upstreams()?.into_iter().map(|upstream| upstream.install_tree));
    perform(cx, paths, true, spare).await
}

async fn perform(cx: &Cx, paths: Vec<PathBuf>, deep: bool, spare: Vec<PathBuf>) -> Result<()> {
    let Some(access) = access(cx)?.filter(|_| !paths.is_empty()) else { return Ok(()) };
    cx.world.perform(Action::Share(Sharing { paths, deep, access, spare })).await?;
    Ok(())
}

/// What Spack is to be told of permissions, beside what it is told already. What a manifest below `ours` says was
/// written by us; what says something else is left, with a warning.
pub fn permissions(cx: &Cx, scope: &Scope, ours: &Path) -> Result<Map<String, Value>> {
    let Some(access) = access(cx)? else { return Ok(Map::new()) };
    let mut wanted = Map::new();
    let mut others = Vec::new();
    let told = scope.config.get("packages:all:permissions")?;
    // Spack comes with a word of its own on it, which is nobody's wish.
    let built_in = scope.spack.installation.root.join("etc/spack/defaults");
    for (key, value) in access.permissions() {
        match told.and_then(|told| told.get(key)) {
            Some(now) if now.text() == Some(&value) => {}
            Some(now)
                if ![ours, &built_in].iter().any(|at| Path::new(&now.mark.to_string()).starts_with(at)) =>
            {
                others.push(format!("{key}: {} ({})", now.scalar_text().unwrap_or_default(), now.mark));
            }
            _ => drop(wanted.insert(key.to_owned(), value.into())),
        }
    }
    if others.is_empty() {
        return Ok(wanted);
    }
    cx.world.warn(format!(
        "Spack gives what it installs other permissions than the site file says ({access}): {}; Spack's are left",
        others.join(", ")
    ));
    Ok(Map::new())
}

/// Packages that have permissions of their own, such as licensed ones that not everybody may use.
pub fn has_own_permissions(scope: &Scope, package: &str) -> Result<bool> {
    let settings = scope.config.section("packages")?.get(package);
    Ok(settings.and_then(|settings| settings.get("permissions")).is_some_and(Yaml::is_map))
}
