//! Changes what the manifest of an environment asks for. Spack does what it can; what stands in definitions and
//! matrices, which it leaves alone, is edited where it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::nearest::nearest;
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::change::around::lock::{touched, warn_of_upgrade};
use crate::spack::drive::invocation::Invocation;
use crate::spack::drive::invoke::{self, Answer};
use crate::spack::drive::session::{Scope, scope, within};
use crate::spack::drive::{failure, locks};
use crate::spack::environment::combine::combined;
use crate::spack::environment::manifest::Manifest;
use crate::spack::environment::manifest::edit_roots::{Change, edited, in_place_of_names};
use crate::spack::environment::manifest::lists::UserSpec;
use crate::spack::read::concretize::Specs;
use crate::spack::read::roots::{same, same_written};
use crate::spack::spec::{Dialect, Spec, words};
use crate::world::Action;
use crate::world::scope::replay;

/// Adds specs to what an environment asks for. Concretize it afterwards.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct AddArgs {
    /// Name of the environment, or its folder.
    pub name: String,
    /// The spec, or a list.
    pub specs: Specs,
    /// Each takes the place of what is asked for of its name, wherever the manifest has it: in `specs`, in a
    /// definition or in a matrix.
    #[serde(default)]
    pub replace: bool,
}

/// What a manifest asks for now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ManifestChange {
    /// What was asked for newly, or no longer.
    pub changed: Vec<String>,
    /// What was so before.
    pub unchanged: Vec<String>,
    /// Everything that the manifest asks for now.
    pub specs: Vec<String>,
}

pub async fn add(cx: Cx, args: AddArgs) -> Result<ManifestChange> {
    let scope = scope(&cx, Some(args.name)).await?;
    let specs = read_as_words(&cx, &scope, args.specs.words()?);
    let _lock = locks::changing(&cx, &scope).await?;
    warn_of_upgrade(&cx, &scope)?;
    if !args.replace {
        return put_in(&cx, &scope, specs).await;
    }
    let lists = manifest(&cx, &scope).await?.lists;
    let (beside, placed): (Vec<Change>, Vec<Change>) =
        in_place_of_names(&lists, &specs, &[])?.into_iter().partition(|c| matches!(c, Change::Add { .. }));
    let mut replaced = edit(&cx, &scope, &placed).await?;
    let beside = beside.into_iter().filter_map(|change| match change {
        Change::Add { spec } => Some(spec),
        Change::Replace { .. } | Change::Drop { .. } => None,
    });
    let mut added = put_in(&cx, &scope, beside.collect()).await?;
    replaced.append(&mut added.changed);
    let unchanged = specs.into_iter().filter(|spec| !replaced.contains(spec)).collect();
    Ok(ManifestChange { changed: replaced, unchanged, specs: added.specs })
}

/// The specs that Spack reads in these words: `mpich` and `+debug` are one.
pub fn read_as_words(cx: &Cx, scope: &Scope, given: Vec<String>) -> Vec<String> {
    let text = words::join(&given, scope.spack.dialect());
    match scope.specs(cx, &text) {
        Ok(specs) if specs.len() != given.len() => specs.iter().map(ToString::to_string).collect(),
        // As many, or what only Spack can read.
        _ => given,
    }
}

/// Edits the manifest, and gives what it asks for newly in the words of the changes.
async fn edit(cx: &Cx, scope: &Scope, changes: &[Change]) -> Result<Vec<String>> {
    let before = manifest(cx, scope).await?;
    let path = scope.inside()?.manifest_file();
    let text = cx.world.eyes.read_text(&path)?;
    let new = edited(&text, &before.lists, changes)?;
    if new == text {
        return Ok(Vec::new());
    }
    cx.world.perform(Action::write(path.clone(), new.into_bytes())).await?;
    scope.spack.forget();
    replay::prove_file(&*cx.world.eyes, &path);
    let mut words: Vec<String> = Vec::new();
    for change in changes {
        if let Change::Replace { root, by } = change
            && !words.contains(by)
            && !same(scope, root, by)
        {
            words.push(by.clone());
        }
    }
    Ok(words)
}

pub async fn put_in(cx: &Cx, scope: &Scope, specs: Vec<String>) -> Result<ManifestChange> {
    let before = asked(cx, scope).await?;
    let (unchanged, changed): (Vec<String>, Vec<String>) =
        specs.into_iter().partition(|s| before.iter().any(|b| same(scope, b, s)));
    if changed.is_empty() {
        return Ok(ManifestChange { changed, unchanged, specs: before });
    }
    let words = std::iter::once("add".to_owned()).chain(changed.iter().cloned());
    let invocation = Invocation { touches: touched(scope)?, ..Invocation::changes(words) };
    let answer = invoke::run(cx, scope, invocation).await?;
    failure::check(&*cx.world.eyes, &answer)?;
    replay::prove_file(&*cx.world.eyes, &scope.inside()?.manifest_file());
    let after = asked(cx, scope).await?;
    let asks = |s: &&String| after.iter().any(|a| same_written(scope, a, s));
    let lost: Vec<&str> = changed.iter().filter(|s| !asks(s)).map(String::as_str).collect();
    if !lost.is_empty() {
        return Err(not_done(&answer, &format!("the manifest does not ask for {}", lost.join(", "))));
    }
    Ok(ManifestChange { changed, unchanged, specs: after })
}

/// Removes specs from what an environment asks for, wherever the manifest has them. The lock keeps them until it is
/// concretized again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct RemoveArgs {
    /// Name of the environment, or its folder.
    pub name: String,
    /// The spec, or a list. Each stands for everything asked for that satisfies it.
    pub specs: Specs,
    /// From the lock as well.
    #[serde(default)]
    pub force: bool,
}

pub async fn remove(cx: Cx, args: RemoveArgs) -> Result<ManifestChange> {
    let scope = scope(&cx, Some(args.name)).await?;
    let specs = read_as_words(&cx, &scope, args.specs.words()?);
    let _lock = locks::changing(&cx, &scope).await?;
    warn_of_upgrade(&cx, &scope)?;
    let before = manifest(&cx, &scope).await?;
    let going = match matched(&before, &specs, scope.spack.dialect()) {
        Err(_) if replay::was_begun() => {
            let specs_now = texts(&before);
            return Ok(ManifestChange { changed: specs, unchanged: Vec::new(), specs: specs_now });
        }
        other => other?,
    };
    let plain = going.iter().all(|root| is_plain(&before, root));
    if plain {
        take_out(&cx, &scope, &going, args.force).await?;
    } else if args.force {
        return Err(Trouble::new(
            Kind::Refused,
            "what stands in a definition or a matrix is not taken from the lock",
        )
        .hint("leave `force` out, and concretize the environment afterwards"));
    } else {
        let drops: Vec<Change> = going.iter().map(|root| Change::Drop { root: root.text.clone() }).collect();
        edit(&cx, &scope, &drops).await?;
    }
    let after = asked(&cx, &scope).await?;
    let changed = going.iter().map(|root| root.text.clone()).collect();
    Ok(ManifestChange { changed, unchanged: Vec::new(), specs: after })
}

/// The roots that are meant; each word means one at least.
fn matched<'m>(manifest: &'m Manifest, queries: &[String], dialect: Dialect) -> Result<Vec<&'m UserSpec>> {
    let mut out: Vec<&UserSpec> = Vec::new();
    for query in queries {
        let found: Vec<&UserSpec> =
            manifest.specs.iter().filter(|root| means(manifest, query, root, dialect)).collect();
        if found.is_empty() {
            return Err(nothing(manifest, query));
        }
        out.extend(
            found
                .into_iter()
                .filter(|root| !out.iter().any(|known| known.text == root.text))
                .collect::<Vec<_>>(),
        );
    }
    Ok(out)
}

fn means(manifest: &Manifest, query: &str, root: &UserSpec, dialect: Dialect) -> bool {
    let parsed = combined(&[root.text.as_str()], dialect);
    let satisfied =
        |spec: &Spec| manifest.lists.reading().satisfies(spec, query).is_ok_and(|a| a == Some(true));
    query == root.text || parsed.is_ok_and(|spec| satisfied(&spec))
}

fn nothing(manifest: &Manifest, query: &str) -> Trouble {
    let file = manifest.path.display();
    let known: Vec<String> = texts(manifest);
    let trouble = if let Some(why) = manifest.not_understood.first() {
        Trouble::new(Kind::Refused, format!("only Spack can tell whether {file} asks for '{query}'"))
            .hint(why.clone())
    } else {
        Trouble::new(Kind::NotFound, format!("{file} does not ask for '{query}'"))
    };
    match nearest(query, known.iter().map(String::as_str)) {
        Some(near) => trouble.hint(format!("did you mean '{near}'?")),
        None => trouble.hint(format!("it asks for {}", known.join(", "))),
    }
}

/// It stands in `specs` by itself, where Spack finds it.
fn is_plain(manifest: &Manifest, root: &UserSpec) -> bool {
    let direct = manifest.lists.places_in_specs();
    let element = root.origin.parts.first().and_then(|part| part.elements.first());
    root.origin.matrix.is_none()
        && root.group.is_none()
        && element.is_some_and(|element| {
            element.mark.file == *manifest.lists.file() && direct.contains(&element.mark.at)
        })
}

async fn take_out(cx: &Cx, scope: &Scope, going: &[&UserSpec], force: bool) -> Result<()> {
    let mut words = vec!["remove".to_owned()];
    if force {
        words.push("--force".to_owned());
    }
    words.extend(going.iter().map(|root| root.text.clone()));
    let invocation = Invocation { touches: touched(scope)?, ..Invocation::changes(words) };
    let answer = invoke::run(cx, scope, invocation).await?;
    failure::check(&*cx.world.eyes, &answer)?;
    replay::prove_file(&*cx.world.eyes, &scope.inside()?.manifest_file());
    let after = asked(cx, scope).await?;
    let stays = |root: &&&UserSpec| after.iter().any(|text| same(scope, text, &root.text));
    let left: Vec<&str> = going.iter().filter(stays).map(|root| root.text.as_str()).collect();
    if left.is_empty() {
        return Ok(());
    }
    Err(not_done(&answer, &format!("the manifest still asks for {}", left.join(", "))))
}

/// The manifest as it is now.
async fn manifest(cx: &Cx, scope: &Scope) -> Result<Manifest> {
    let name = scope.inside()?.path.display().to_string();
    within(cx, Some(name), |cx, scope| Manifest::read(&*cx.world.eyes, &scope.config)).await
}

/// What the manifest asks for, as it is now.
async fn asked(cx: &Cx, scope: &Scope) -> Result<Vec<String>> {
    Ok(texts(&manifest(cx, scope).await?))
}

fn texts(manifest: &Manifest) -> Vec<String> {
    manifest.specs.iter().map(|root| root.text.clone()).collect()
}

fn not_done(answer: &Answer, what: &str) -> Trouble {
    answer.about(Trouble::new(Kind::NotDone, format!("{} ended well, but {what}", answer.title)))
}
