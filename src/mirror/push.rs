//! Puts installed specs into a mirror, exactly those that are named, and looks there whether they have arrived.

use std::path::{Path, PathBuf};

use crate::base::nearest::nearest;
use crate::base::{Kind, Result, Trouble};
use crate::mirror::holdings;
use crate::site::Cx;
use crate::spack::config::mirrors::Mirror;
use crate::spack::config::paths::file_url_path;
use crate::spack::drive::invocation::Invocation;
use crate::spack::drive::session::Scope;
use crate::spack::drive::{failure, invoke};
use crate::spack::store::row::SpecRow;

/// The mirror of that name, if it is one for binaries.
pub fn mirror(scope: &Scope, name: &str) -> Result<Mirror> {
    let all = scope.config.mirrors()?;
    let names: Vec<String> = all.iter().filter(|m| m.binary).map(|m| m.name.clone()).collect();
    if let Some(found) = all.into_iter().find(|m| m.binary && m.name == name) {
        return Ok(found);
    }
    let trouble = Trouble::new(Kind::NotFound, format!("there is no mirror '{name}' for binaries"));
    Err(match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => trouble.hint(format!("did you mean '{near}'?")),
        None if names.is_empty() => trouble.hint("spack mirror add NAME URL adds one"),
        None => trouble.hint(format!("there are {}", names.join(", "))),
    })
}

/// What the mirror does not have. One that cannot be looked into is refused: nobody could say what is there.
pub async fn absent<'r>(cx: &Cx, mirror: &Mirror, specs: &[&'r SpecRow]) -> Result<Vec<&'r SpecRow>> {
    let looked = holdings::one(cx, mirror, specs).await;
    if let Some(why) = looked.not_looked.first() {
        return Err(Trouble::new(Kind::Unsupported, why.clone())
            .hint("name a mirror in a folder, or one that a web server shows without credentials"));
    }
    Ok(specs.iter().copied().filter(|row| !looked.found.contains_key(&row.hash)).collect())
}

/// Pushes these specs without what they depend on. They have to be installed.
pub async fn push(cx: &Cx, scope: &Scope, mirror: &Mirror, specs: &[&SpecRow]) -> Result<()> {
    let words = ["buildcache", "push", "--only", "package", "--update-index", &mirror.name];
    let hashes = specs.iter().map(|row| format!("/{}", row.hash));
    let words: Vec<String> = words.map(str::to_owned).into_iter().chain(hashes).collect();
    let invocation = Invocation { touches: manifests(scope, mirror, specs), ..Invocation::changes(words) };
    let answer = invoke::run(cx, scope, invocation).await?;
    // Whoever cannot sign or write has said why.
    failure::check(&*cx.world.eyes, &answer)?;
    // A plan has pushed nothing, and a web server does not know of plans.
    if answer.written_log().is_none() {
        return Ok(());
    }
    let left = absent(cx, mirror, specs).await?;
    if left.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = left.iter().take(5).map(|row| format!("{}@{}", row.name, row.version)).collect();
    let more = if left.len() > names.len() { ", …" } else { "" };
    let message = format!(
        "{} ended well, but mirror {} does not have {}{more}",
        answer.title,
        mirror.name,
        names.join(", ")
    );
    Err(answer
        .about(Trouble::new(Kind::NotDone, message))
        .hint("a package whose recipe forbids redistribution is only pushed by `spack buildcache push --private`")
        .fact("missing", left.iter().map(|row| row.hash.clone()).collect::<Vec<_>>()))
}

/// The files that say that a folder has them.
fn manifests(scope: &Scope, mirror: &Mirror, specs: &[&SpecRow]) -> Vec<PathBuf> {
    if !mirror.push.url.starts_with("file://") {
        return Vec::new();
    }
    let root = file_url_path(&mirror.push.url);
    let layout = scope.spack.installation.release.abilities().mirror_layout;
    let names = specs.iter().filter_map(|row| holdings::name_in(layout, row));
    names.map(|name| Path::new(&root).join(name)).collect()
}
