//! Looks at everything that a generation needs before anybody is sent there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Kind, Result, Trouble};
use crate::generation::series::entry::Progress;
use crate::generation::series::ledger::Ledger;
use crate::generation::series::place::Place;
use crate::generation::tree::linkage::{self, Installed};
use crate::generation::tree::{modules, readability, views};
use crate::site::Cx;
use crate::snapshot::record::state;
use crate::spack::change::around::share;
use crate::spack::change::around::view::view_roots;
use crate::spack::drive::installed::{self, closure};
use crate::spack::drive::session::{Scope, scope};
use crate::spack::lock::contents::LockContents;
use crate::spack::store::prefix_manifest::{Contents, damage};
use crate::spack::store::row::external_is_gone;
use crate::world::Eyes;

/// Proves a generation: every hash of its lock is installed with its files as Spack noted them, its programs and
/// libraries find the libraries that they need, whole and in the versions that they need, its views lead to files of its
/// packages that are there, its modules are there with all that they load, one of each kind loads for a user who has
/// entered it, and those for whom the site file has it can read them. Proven while users are on it, it counts as good.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ProveArgs {
    /// Name of the generations.
    pub name: String,
    /// Which one; left out, the newest that is built.
    pub number: Option<u64>,
    /// Read every installed file; otherwise only those whose time is not that of the installation.
    pub deep: bool,
}

/// What was looked at, and what was wrong.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Proof {
    pub name: String,
    pub number: u64,
    pub ok: bool,
    pub problems: Vec<String>,
    /// Hashes that were looked at.
    pub specs: usize,
    /// Programs and libraries that were followed to all that they load.
    pub files: usize,
    /// Links of its views that were followed.
    pub links: usize,
}

/// How closely is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Records, prefixes, views and modules: what takes no time, for those who want to go back now.
    Places,
    /// What programs and libraries load as well, and whether files have the size and time that Spack has noted.
    Linkage,
    /// The content of every file, against the manifest that Spack has written.
    Files,
}

pub async fn prove(cx: Cx, args: ProveArgs) -> Result<Proof> {
    let ledger = Ledger::ours(&cx, Place::of(&cx, &args.name)?)?;
    let number = match args.number {
        Some(number) => number,
        None => ledger.newest(Progress::Built).ok_or_else(|| {
            Trouble::new(Kind::NotFound, format!("'{}' has no generation that is built", ledger.place.name))
        })?,
    };
    let depth = if args.deep { Depth::Files } else { Depth::Linkage };
    let _work = Ledger::work_on(&cx, &ledger.place, number).await?;
    let ledger = Ledger::read(&cx, ledger.place)?;
    if let Some(since) = &ledger.entry(number)?.removing {
        let name = &ledger.place.name;
        let message = format!("generation {number} of '{name}' has been in removal since {since}");
        return Err(Trouble::new(Kind::Refused, message).hint(format!(
            "`moonstack generation remove {name} {number}` ends it, `moonstack generation build {name} --number \
             {number}` brings it back"
        )));
    }
    let proof = look(&cx, &ledger, number, depth).await?;
    let (mut ledger, _turn) = Ledger::locked(&cx, &args.name).await?;
    let current = ledger.place.current(&cx)? == Some(number);
    let problem = proof.problems.first().cloned();
    ledger
        .change(&cx, number, |entry| {
            entry.progress = if problem.is_none() { Progress::Proven } else { Progress::Broken };
            entry.good = problem.is_none() && (entry.good || current);
            entry.why = problem;
        })
        .await?;
    Ok(proof)
}

/// The same without writing anything.
pub async fn look(cx: &Cx, ledger: &Ledger, number: u64, depth: Depth) -> Result<Proof> {
    if ledger.entry(number)?.progress < Progress::Built {
        return Err(Trouble::new(
            Kind::Refused,
            format!("generation {number} of '{}' is not built", ledger.place.name),
        )
        .hint(format!("moonstack generation build {} --number {number}", ledger.place.name)));
    }
    let inside = scope(cx, Some(ledger.place.generation(number).display().to_string())).await?;
    let (name, link) = (ledger.place.name.clone(), ledger.place.link.clone());
    let (mut proof, trials) = cx
        .blocking(move |cx| {
            let mut proof =
                Proof { name, number, ok: false, problems: Vec::new(), specs: 0, files: 0, links: 0 };
            let mut trials = Vec::new();
            installed(&cx, &inside, depth, &mut proof)?;
            // A plan names views and modules, and does not make them up.
            if !cx.world.hands.pretends() {
                let eyes = &*cx.world.eyes;
                let lock = LockContents::of_environment(eyes, inside.inside()?)?.unwrap_or_default();
                let prefixes = views::prefixes(eyes, &installed::read(&cx, &inside)?, &lock);
                for root in view_roots(&cx, &inside)? {
                    view(eyes, &root, &prefixes, &mut proof);
                }
                let found = modules::look(eyes, &inside.config, &lock)?;
                proof.problems.extend(found.problems);
                trials = found.trials;
                if let Some(access) = share::access(&cx)? {
                    proof.problems.extend(readability::look(&cx, &inside, &access, &link)?);
                }
            }
            Ok((proof, trials))
        })
        .await?;
    // What is known to be wrong already need not be tried.
    if depth >= Depth::Linkage && proof.problems.is_empty() {
        proof.problems.extend(modules::load(cx, &ledger.place, number, &trials).await?);
    }
    proof.ok = proof.problems.is_empty();
    Ok(proof)
}

fn installed(cx: &Cx, scope: &Scope, depth: Depth, proof: &mut Proof) -> Result<()> {
    let eyes = &*cx.world.eyes;
    let Some(lock) = LockContents::of_environment(eyes, scope.inside()?)? else {
        proof.problems.push("it has no lock".to_owned());
        return Ok(());
    };
    let store = installed::read(cx, scope)?;
    let mut installed = Vec::new();
    for hash in closure(&lock.specs, lock.root_hashes()) {
        let Some(row) = lock.specs.get(&hash) else { continue };
        proof.specs += 1;
        if let Some(external) = &row.external {
            if external_is_gone(eyes, external.path.as_deref()) {
                let prefix = external.path.as_deref().unwrap_or_default();
                proof.problems.push(format!("the external {} is gone from {prefix}", linkage::title(row)));
            }
        } else if !state::is_there(eyes, &store, &hash) {
            proof.problems.push(format!("{} is not installed", linkage::title(row)));
        } else if let Some(prefix) = store.get(&hash).and_then(|held| held.prefix.as_ref()) {
            installed.push(Installed { row, prefix: PathBuf::from(prefix) });
        }
    }
    // What a plan has pretended to install has no files.
    if depth >= Depth::Linkage && !cx.world.hands.pretends() {
        let (files, problems) = linkage::look(eyes, &scope.config, &installed)?;
        proof.files = files;
        proof.problems.extend(problems);
        let contents = if depth == Depth::Files { Contents::All } else { Contents::Touched };
        for one in &installed {
            // One line a package: what is damaged for the loader was changed, too.
            let told = format!("{}: ", one.title());
            if proof.problems.iter().any(|problem| problem.starts_with(&told)) {
                continue;
            }
            proof.problems.extend(damage(eyes, &one.prefix, contents).map(|why| format!("{told}{why}")));
        }
    }
    Ok(())
}

fn view(eyes: &dyn Eyes, root: &Path, prefixes: &BTreeSet<PathBuf>, proof: &mut Proof) {
    if eyes.stat(root).is_err() {
        proof.problems.push(format!("the view {} is not there", root.display()));
        return;
    }
    let followed = views::follow(eyes, root, prefixes);
    proof.links += followed.links;
    proof.problems.extend(followed.problems);
}
