//! What an upgrade asks for, in the words of a manifest: a root that is there already is asked for anew, a package
//! that is only a dependency gets a requirement, and what is neither becomes a root.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::args::Asked;
use super::requirements::{own, required, requirement};
use super::rivals;
use crate::base::{Kind, Result, Trouble};
use crate::spack::config::Config;
use crate::spack::environment::manifest::Manifest;
use crate::spack::environment::manifest::edit_roots::{Change, edited, is_certain};
use crate::spack::environment::manifest::setting::with_setting;
use crate::spack::lock::contents::LockContents;
use crate::spack::spec::replace::{agree, replaced};
use crate::spack::spec::{Dialect, Spec};
use crate::spack::store::recipes::Recipes;

/// A root of the manifest in the place of another, or newly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootChange {
    /// As the manifest has it; none where it is new.
    pub from: Option<String>,
    /// As it will have it; none where it goes.
    pub to: Option<String>,
}

impl RootChange {
    fn edit(&self) -> Option<Change> {
        match (&self.from, &self.to) {
            (from, to) if from == to => None,
            (Some(root), Some(by)) => Some(Change::Replace { root: root.clone(), by: by.clone() }),
            (Some(root), None) => Some(Change::Drop { root: root.clone() }),
            (None, to) => to.as_ref().map(|spec| Change::Add { spec: spec.clone() }),
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Asks {
    /// By name of the package.
    pub specs: BTreeMap<String, Spec>,
    pub roots: Vec<RootChange>,
    /// What is asked of packages that are no roots: constraints by name, none where only the newest is wanted.
    pub requirements: BTreeMap<String, Vec<Value>>,
    /// Packages of which nothing is required any more.
    pub unasked: Vec<String>,
    /// What the manifest required so far and does no longer, in words.
    pub gave_way: Vec<String>,
}

/// What the manifest and the lock say now.
pub struct Present<'a> {
    pub text: &'a str,
    pub manifest: &'a Manifest,
    pub lock: &'a LockContents,
    pub config: &'a Config,
    pub dialect: Dialect,
    pub recipes: &'a (dyn Recipes + Sync),
}

impl Asks {
    pub fn of(args: &Asked, present: &Present<'_>) -> Result<Asks> {
        let mut asks = Asks::default();
        for text in &args.remove {
            asks.remove(text, present)?;
        }
        for text in &args.specs {
            let spec = named(text, present.dialect)?;
            let name = spec.name.clone().unwrap_or_default();
            is_certain(&present.manifest.lists.roots()?, &name, present.dialect)?;
            if asks.specs.insert(name.clone(), spec.clone()).is_some() {
                return Err(Trouble::usage(format!("'{name}' is asked for twice")));
            }
            asks.add(&name, &spec, text, present)?;
        }
        for name in &args.unask {
            if required(present.text, name).is_none() {
                return Err(Trouble::new(Kind::NotFound, format!("nothing is asked of '{name}'"))
                    .hint("what was asked of a dependency stands under packages:NAME:require"));
            }
            asks.unasked.push(name.clone());
        }
        Ok(asks)
    }

    /// The names of what is asked for.
    pub fn names(&self) -> BTreeSet<&str> {
        self.specs.keys().map(String::as_str).collect()
    }

    fn remove(&mut self, text: &str, present: &Present<'_>) -> Result<()> {
        let spec = named(text, present.dialect)?;
        is_certain(
            &present.manifest.lists.roots()?,
            spec.name.as_deref().unwrap_or_default(),
            present.dialect,
        )?;
        let before = self.roots.len();
        for (root, parsed) in roots(present) {
            if parsed.name == spec.name && (is_bare(&spec) || parsed == spec) {
                self.roots.push(RootChange { from: Some(root.to_owned()), to: None });
            }
        }
        if self.roots.len() == before {
            let all: Vec<&str> = present.manifest.specs.iter().map(|user| user.text.as_str()).collect();
            return Err(Trouble::new(Kind::NotFound, format!("no root asks for '{text}'"))
                .hint(format!("the roots are: {}", all.join(", "))));
        }
        Ok(())
    }

    fn add(&mut self, name: &str, spec: &Spec, text: &str, present: &Present<'_>) -> Result<()> {
        let removed =
            |root: &str| self.roots.iter().any(|c| c.from.as_deref() == Some(root) && c.to.is_none());
        let same: Vec<(&str, Spec)> = roots(present)
            .filter(|(root, parsed)| parsed.name.as_deref() == Some(name) && !removed(root))
            .collect();
        if same.is_empty() {
            // One that goes as a root, or that nothing needs, is asked for as a root.
            let was_root = roots(present).any(|(_, parsed)| parsed.name.as_deref() == Some(name));
            match present.lock.specs.values().find(|row| row.name == name).filter(|_| !was_root) {
                Some(row) => {
                    let list = requirement(spec, row, present.text, present.config, present.dialect)?;
                    let before = own(present.text, name);
                    self.gave_way.extend(before.iter().filter(|item| !list.contains(item)).map(|item| {
                        let item = item.as_str().map_or_else(|| item.to_string(), str::to_owned);
                        format!("{name} is no longer required to be '{item}'")
                    }));
                    self.requirements.insert(name.to_owned(), list);
                }
                None => self.roots.push(RootChange { from: None, to: Some(text.to_owned()) }),
            }
            return Ok(());
        }
        let fitting: Vec<&(&str, Spec)> = same.iter().filter(|(_, root)| agree(root, spec)).collect();
        // Of several, one that asks for such a version already is meant.
        let is_there = |root: &Spec| {
            let any = root.versions.is_any() || spec.versions.is_any();
            !any && root.versions.intersection(&spec.versions).is_some()
        };
        let there: Vec<&(&str, Spec)> = fitting.iter().copied().filter(|(_, root)| is_there(root)).collect();
        // Where none agrees, the one of that version changes in what else is asked.
        let alike: Vec<&(&str, Spec)> = same.iter().filter(|(_, root)| is_there(root)).collect();
        let chosen: Vec<&(&str, Spec)> = match (same.as_slice(), alike.as_slice()) {
            ([one], _) => vec![one],
            _ if !there.is_empty() => there,
            _ if !fitting.is_empty() => fitting,
            (_, [one]) => vec![one],
            (all, _) => return Err(ambiguous(text, all)),
        };
        // Each root as it is and as it will be.
        let mut fates: Vec<(&Spec, Spec)> = Vec::new();
        for (root, parsed) in &chosen {
            let new = rivals::without(replaced(parsed, spec), parsed, spec, present.lock, present.recipes)?;
            // What is asked for so already keeps its words; that it is looked at again is the wish.
            let to = if new == *parsed {
                (*root).to_owned()
            } else if new == *spec {
                text.to_owned()
            } else {
                new.to_string()
            };
            self.roots.push(RootChange { from: Some((*root).to_owned()), to: Some(to) });
            fates.push((parsed, new));
        }
        let others = same.iter().filter(|one| !chosen.contains(one));
        fates.extend(others.map(|(_, root)| (root, root.clone())));
        // Two roots that become one would take away what nobody asked to lose; the same one twice loses nothing.
        let alike = |a: &Spec, b: &Spec| a.same_as(b, present.dialect);
        let is_lost = |(at, (old, new)): (usize, &(&Spec, Spec))| {
            fates.iter().take(at).any(|(earlier, becomes)| alike(new, becomes) && !alike(old, earlier))
        };
        if fates.iter().enumerate().any(is_lost) { Err(ambiguous(text, &same)) } else { Ok(()) }
    }

    /// The same with what was asked in the place of the roots, to the letter: what they asked for besides is given up.
    pub fn literal(&self, dialect: Dialect) -> Asks {
        let mut asks = self.clone();
        for change in asks.roots.iter_mut().filter(|c| c.from.is_some()) {
            let Some(name) = change.to.as_deref().and_then(|to| Spec::parse(to, dialect).ok()?.name) else {
                continue;
            };
            if let Some(spec) = self.specs.get(&name) {
                change.to = Some(spec.to_string());
            }
        }
        asks
    }

    /// The manifest that asks for it.
    pub fn written(&self, present: &Present<'_>) -> Result<String> {
        let unchanged = || {
            let file = present.manifest.path.display();
            Trouble::new(
                Kind::Unsupported,
                format!("the requirements of {file} cannot be changed so that all else stays"),
            )
            .hint("write the manifest as a block, one key a line, `packages` as well")
        };
        let mut changes: Vec<Change> = self.roots.iter().filter_map(RootChange::edit).collect();
        changes.dedup();
        let mut text = edited(present.text, &present.manifest.lists, &changes)?;
        for (name, list) in self.requirements.iter().filter(|(_, list)| !list.is_empty()) {
            let path = ["packages", name.as_str(), "require"];
            let list = Value::Array(list.clone());
            text = with_setting(&text, &path, Some(&list)).ok_or_else(unchanged)?;
        }
        for name in &self.unasked {
            let path = ["packages", name.as_str(), "require"];
            text = with_setting(&text, &path, None).ok_or_else(unchanged)?;
        }
        Ok(text)
    }
}

fn ambiguous(text: &str, roots: &[(&str, Spec)]) -> Trouble {
    let all: Vec<&str> = roots.iter().map(|(text, _)| *text).collect();
    Trouble::new(
        Kind::Refused,
        format!("'{text}' could take the place of any of these roots: {}", all.join(", ")),
    )
    .hint("remove the one that is meant with --remove, as it is written, and ask for the new one")
}

fn named(text: &str, dialect: Dialect) -> Result<Spec> {
    let spec = Spec::parse(text, dialect)?;
    match &spec.name {
        Some(_) => Ok(spec),
        None => Err(Trouble::usage(format!("'{text}' names no package"))
            .hint("a spec with blanks is one word: 'hdf5@1.14 +mpi' in quotes")),
    }
}

/// The roots of the manifest that can be read.
fn roots<'a>(present: &'a Present<'_>) -> impl Iterator<Item = (&'a str, Spec)> {
    let dialect = present.dialect;
    present
        .manifest
        .specs
        .iter()
        .filter_map(move |user| Some((user.text.as_str(), Spec::parse(&user.text, dialect).ok()?)))
}

/// It is a name and nothing else.
pub fn is_bare(spec: &Spec) -> bool {
    *spec == Spec { name: spec.name.clone(), ..Spec::default() }
}
