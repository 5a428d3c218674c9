//! What has to arrive so that some specs are installed: which of them are there, which come from a mirror, which are
//! built and what building needs.

use std::collections::{BTreeMap, BTreeSet};

use super::history::History;
use crate::base::Result;
use crate::spack::drive::handed::Handed;
use crate::spack::drive::installed::{self, Store};
use crate::spack::lock::contents::LockContents;
use crate::spack::rehearsal::command::Command;
use crate::spack::store::binaries::{self, MirrorBinary};
use crate::spack::store::row::SpecRow;
use crate::world::seam::predicted::{Effect, Origin, SpecEffect};

/// What has to be done for a request.
pub struct Arrivals {
    /// Everything that it takes, dependencies first.
    pub effects: Vec<SpecEffect>,
    /// The hashes that are to be installed, dependencies first.
    pub new: Vec<String>,
    /// External packages that Spack puts on record beside them.
    pub externals: Vec<String>,
    /// What no mirror holds although nothing may be built.
    pub unavailable: Vec<String>,
    /// Mirrors that were not looked into, and why.
    pub not_looked: Vec<String>,
}

/// How a command installs.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    pub from_mirrors: bool,
    pub build: bool,
    pub overwrite: bool,
}

impl Manner {
    pub fn of(command: &Command<'_>) -> Manner {
        Manner {
            from_mirrors: !command.has("--no-cache") && !command.has("--fake"),
            build: !command.has("--cache-only"),
            overwrite: command.has("--overwrite"),
        }
    }
}

/// Follows a request down to what is there already.
pub async fn of(
    command: &Command<'_>,
    specs: &BTreeMap<String, SpecRow>,
    roots: &BTreeSet<String>,
    before: &LockContents,
    manner: Manner,
) -> Result<Arrivals> {
    let store = installed::now(command.cx, command.scope).await?;
    let wanted: Vec<&SpecRow> = specs.values().filter(|row| row.external.is_none()).collect();
    let missing: Vec<&SpecRow> = wanted.iter().copied().filter(|row| !is_there(&store, row)).collect();
    let mut looked = binaries::MirrorBinaries::default();
    if manner.from_mirrors && !missing.is_empty() {
        looked = (Handed::of(command.cx)?.look_into_mirrors)(command.cx, command.scope, &missing).await?;
    }
    let mut walk = Walk {
        specs,
        store: &store,
        found: &looked.found,
        roots,
        manner,
        seen: BTreeSet::new(),
        order: Vec::new(),
    };
    for root in roots {
        walk.visit(root);
    }
    let order = walk.order;
    let history = History::read(&*command.cx.world.eyes, &store, order.iter().filter_map(|h| specs.get(h)));
    let env = command.scope.environment.as_ref().map(|e| e.name.clone());
    let mut arrivals = Arrivals {
        effects: Vec::new(),
        new: Vec::new(),
        externals: Vec::new(),
        unavailable: Vec::new(),
        not_looked: looked.not_looked,
    };
    for row in order.iter().filter_map(|hash| specs.get(hash)) {
        let there = is_there(&store, row) && !(manner.overwrite && roots.contains(&row.hash));
        let found = looked.found.get(&row.hash);
        let known = match effect_of(row, before) {
            // The lock had it, the store has not.
            Effect::Reused if !there => Effect::Added,
            other if !there => other,
            _ => Effect::Reused,
        };
        let mut effect = bare(row, known);
        effect.env.clone_from(&env);
        effect.installs = true;
        if !there && row.external.is_none() {
            effect.replaces = replaced(row, before);
            effect.origin = match found {
                Some(found) => Origin::Mirror { name: found.mirror.clone() },
                None => Origin::Source,
            };
            effect.download = found.and_then(|f| f.bytes);
            effect.disk = history.disk(&row.name);
            effect.seconds = history.seconds(&row.name, found.is_some());
            if found.is_none() && !manner.build {
                arrivals.unavailable.push(format!("{}@{}", row.name, row.version));
            }
            arrivals.new.push(row.hash.clone());
        } else if !there {
            arrivals.externals.push(row.hash.clone());
        }
        arrivals.effects.push(effect);
    }
    Ok(arrivals)
}

fn is_there(store: &Store, row: &SpecRow) -> bool {
    store.get(&row.hash).is_some_and(|held| held.installed)
}

struct Walk<'a> {
    specs: &'a BTreeMap<String, SpecRow>,
    store: &'a Store,
    found: &'a BTreeMap<String, MirrorBinary>,
    roots: &'a BTreeSet<String>,
    manner: Manner,
    seen: BTreeSet<String>,
    order: Vec<String>,
}

impl Walk<'_> {
    fn visit(&mut self, hash: &str) {
        let Some(row) = self.specs.get(hash) else { return };
        if !self.seen.insert(hash.to_owned()) {
            return;
        }
        let again = self.manner.overwrite && self.roots.contains(hash);
        let there = (is_there(self.store, row) && !again) || row.external.is_some();
        let builds = !there && !self.found.contains_key(hash);
        for below in &row.dependencies {
            // Of what is there, what it needs is there as well; what only builds need is needed only to build.
            let needed = below.types.has("link") || below.types.has("run");
            if needed || (builds && below.types.has("build")) {
                self.visit(&below.hash);
            }
        }
        self.order.push(hash.to_owned());
    }
}

/// A row without anything found out about it.
pub fn bare(row: &SpecRow, effect: Effect) -> SpecEffect {
    let origin = match (&row.external, effect) {
        (Some(_), _) => Origin::External,
        (None, Effect::Reused) => Origin::Store,
        (None, _) => Origin::Source,
    };
    SpecEffect {
        effect,
        name: row.name.clone(),
        version: row.version.clone(),
        hash: row.hash.clone(),
        replaces: Vec::new(),
        env: None,
        installs: false,
        origin,
        download: None,
        disk: None,
        seconds: None,
    }
}

/// What a new spec is, seen from what was there before.
pub fn effect_of(row: &SpecRow, before: &LockContents) -> Effect {
    if before.specs.contains_key(&row.hash) {
        return Effect::Reused;
    }
    let mut same = before.specs.values().filter(|old| old.name == row.name).peekable();
    match (same.peek().is_some(), same.any(|old| old.version == row.version)) {
        (false, _) => Effect::Added,
        (true, true) => Effect::Rebuilt,
        (true, false) => Effect::Upgraded,
    }
}

/// The versions of the same package that it takes the place of.
pub fn replaced(row: &SpecRow, before: &LockContents) -> Vec<String> {
    let others = before.specs.values().filter(|old| old.name == row.name && old.hash != row.hash);
    others.map(|old| old.version.clone()).collect()
}
