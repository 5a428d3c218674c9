//! Upgrades of random environments on real Spacks: what `spack concretize --force` of the edited manifest solves is
//! solved, the asked version is reached, what does not need the asked package keeps its hash, and no more hashes change
//! unless that keeps versions, variants or providers. CI tries a few a release; `MOONSTACK_SOLVES=40
//! MOONSTACK_SOLVES_FAKE=10 cargo test --test real solving::` is the long proof, `MOONSTACK_SEED` another one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::common::dice::{Dice, share};
use crate::common::lab::{self, LabSite};

pub fn trials() -> Vec<Trial> {
    lab::for_each_release("solving", &None, solves)
}

type Done = Result<(), Failed>;

/// A package: its name, versions, and what else a root may ask of it.
type Known = (&'static str, &'static [&'static str], &'static [&'static str]);

const LAB: &[Known] = &[
    ("lab-zlib", &["1.3.1", "1.2.13"], &[]),
    ("lab-hwloc", &["2.10", "2.9"], &[]),
    ("lab-openmpi", &["5.0.3", "4.1.6"], &[]),
    ("lab-hdf5", &["1.14.3", "1.12.3"], &["~mpi", "+mpi", " ^lab-zlib@1.2.13", "+mpi ^lab-mpich"]),
    ("lab-netcdf", &["4.9.2", "4.9.0"], &[" ^lab-openmpi"]),
    ("lab-solver", &["3.0", "2.4"], &[" precision=single"]),
    ("lab-app", &["2.0", "1.0"], &[" ^lab-openmpi@4.1.6"]),
];

/// Of Spack's own packages, such as are solved in seconds.
const REAL: &[Known] = &[
    ("zlib-ng", &["2.2.4", "2.1.6"], &[]),
    ("bzip2", &["1.0.8", "1.0.7"], &["~shared"]),
    ("xz", &["5.4.6", "5.4.1"], &[]),
    ("zstd", &["1.5.6", "1.5.5"], &["+programs"]),
    ("libxml2", &["2.13.5", "2.13.4"], &["~shared"]),
    ("hdf5", &["1.14.5", "1.14.3", "1.12.3"], &["~mpi", "~mpi+cxx"]),
    ("netcdf-c", &["4.9.2", "4.9.0"], &["~mpi"]),
    ("sqlite", &["3.46.0", "3.43.2"], &["~fts"]),
];

/// Concrete specs by hash.
type Nodes = BTreeMap<String, Value>;

fn nodes(folder: &Path) -> Result<Nodes, Failed> {
    let lock: Value = serde_json::from_slice(&fs::read(folder.join("spack.lock"))?)?;
    let all = lock["concrete_specs"].as_object().cloned().unwrap_or_default();
    Ok(all.into_iter().collect())
}

fn text<'v>(node: &'v Value, key: &str) -> &'v str {
    node[key].as_str().unwrap_or_default()
}

/// What needs the package, in whatever way, and itself.
fn needing(nodes: &Nodes, name: &str) -> BTreeSet<String> {
    let mut found: BTreeSet<String> =
        nodes.iter().filter(|(_, node)| text(node, "name") == name).map(|(hash, _)| hash.clone()).collect();
    loop {
        let needs = |node: &Value| {
            let all = node["dependencies"].as_array().into_iter().flatten();
            all.into_iter().any(|dependency| found.contains(text(dependency, "hash")))
        };
        let more: Vec<String> = nodes
            .iter()
            .filter(|(hash, node)| !found.contains(*hash) && needs(node))
            .map(|(h, _)| h.clone())
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// How many of these nodes are gone, and how many lost their version, variants or provider besides.
fn lost(before: &Nodes, after: &Nodes) -> (usize, usize) {
    let looks = |node: &Value| {
        (text(node, "name").to_owned(), text(node, "version").to_owned(), node["parameters"].to_string())
    };
    let there: BTreeSet<_> = after.values().map(looks).collect();
    let gone = before.iter().filter(|(hash, _)| !after.contains_key(*hash));
    let (hashes, shapes) = gone.fold((0, 0), |(hashes, shapes), (_, node)| {
        (hashes + 1, shapes + usize::from(!there.contains(&looks(node))))
    });
    (hashes, shapes)
}

struct Bed<'a> {
    release: &'static str,
    site: &'a LabSite,
    known: &'static [Known],
}

/// One environment and what is asked of it.
#[derive(Debug, Clone)]
struct Case {
    roots: Vec<String>,
    unify: Value,
    reuse: Value,
    asked: String,
}

impl Bed<'_> {
    fn folder(&self, name: &str) -> std::path::PathBuf {
        self.site.folder.join("environments").join(name)
    }

    fn write(&self, name: &str, case: &Case, roots: &[String], packages: &Value) -> Done {
        let mut manifest = String::from("spack:\n  view: false\n  specs:\n");
        manifest.extend(roots.iter().map(|root| format!("  - \"{root}\"\n")));
        manifest.push_str(&format!("  concretizer:\n    unify: {}\n    reuse: {}\n", case.unify, case.reuse));
        if packages.as_object().is_some_and(|map| !map.is_empty()) {
            manifest.push_str(&format!("  packages: {packages}\n"));
        }
        fs::create_dir_all(self.folder(name))?;
        fs::write(self.folder(name).join("spack.yaml"), manifest)?;
        let lock = self.folder(name).join("spack.lock");
        if lock.exists() {
            fs::remove_file(lock)?;
        }
        Ok(())
    }

    fn draw(&self, dice: &mut Dice, separately: bool) -> Case {
        let mut roots: Vec<String> = Vec::new();
        for _ in 0..2 + dice.index(3) {
            let (name, versions, more) = self.known[dice.index(self.known.len())];
            if roots.iter().any(|root| root.starts_with(name)) {
                continue;
            }
            let version =
                if dice.below(3) > 0 { format!("@{}", dice.one_of(versions)) } else { String::new() };
            let more = if more.is_empty() || dice.below(2) == 0 { "" } else { dice.one_of(more) };
            roots.push(format!("{name}{version}{more}"));
        }
        let unify = [json!(true), json!(true), json!("when_possible"), json!(false)];
        let unify = unify[dice.index(if separately { 4 } else { 3 })].clone();
        let reuse = if dice.below(3) == 0 { json!(false) } else { json!(true) };
        Case { roots, unify, reuse, asked: String::new() }
    }

    /// One that Spack solves, and another version of one of its nodes.
    fn begun(&self, dice: &mut Dice, separately: bool) -> Result<(Case, Nodes), Failed> {
        loop {
            let mut case = self.draw(dice, separately);
            self.write("stack", &case, &case.roots, &json!({}))?;
            if self.site.spack(&["-e", "stack", "concretize"]).is_err() {
                continue;
            }
            let before = nodes(&self.folder("stack"))?;
            let there: Vec<(&Known, &Value)> = self
                .known
                .iter()
                .filter_map(|known| {
                    Some((known, before.values().find(|node| text(node, "name") == known.0)?))
                })
                .collect();
            let (known, node) = there[dice.index(there.len())];
            let others: Vec<&&str> =
                known.1.iter().filter(|version| **version != text(node, "version")).collect();
            case.asked = format!("{}@{}", known.0, others[dice.index(others.len())]);
            return Ok((case, before));
        }
    }

    /// What `spack concretize --force` makes of the manifest that asks for it.
    fn forced(&self, case: &Case) -> Result<Option<Nodes>, Failed> {
        let (name, version) = case.asked.split_once('@').unwrap_or_default();
        let is_root = |root: &String| root.split(['@', '~', '+', ' ']).next() == Some(name);
        let mut packages = json!({});
        let mut roots = case.roots.clone();
        match roots.iter_mut().find(|root| is_root(root)) {
            Some(root) => case.asked.clone_into(root),
            None => packages = json!({ name: { "require": [format!("@{version}")] } }),
        }
        self.write("forced", case, &roots, &packages)?;
        fs::copy(self.folder("stack").join("spack.lock"), self.folder("forced").join("spack.lock"))?;
        if self.site.spack(&["-e", "forced", "concretize", "--force"]).is_err() {
            return Ok(None);
        }
        nodes(&self.folder("forced")).map(Some)
    }

    /// An environment of these roots, and the lock after an upgrade of it.
    fn upgraded(&self, roots: &[&str], unify: &Value, script: &str) -> Result<Nodes, Failed> {
        let roots: Vec<String> = roots.iter().map(|root| (*root).to_owned()).collect();
        let case = Case { roots, unify: unify.clone(), reuse: json!(false), asked: String::new() };
        self.write("shape", &case, &case.roots, &json!({}))?;
        self.site.spack(&["-e", "shape", "concretize"])?;
        self.site.json(&["eval", script])?;
        nodes(&self.folder("shape"))
    }

    /// Where each root is solved by itself, dependents are taken along when that is asked for.
    fn roots_by_themselves(&self) -> Done {
        let script = r#"return env.upgrade("shape", { "lab-hdf5@1.12.3" }, { dependents = true })"#;
        let after = self.upgraded(&["lab-netcdf@4.9.0", "lab-hdf5@1.14.3"], &json!(false), script)?;
        let versions: Vec<&str> =
            after.values().filter(|n| text(n, "name") == "lab-hdf5").map(|n| text(n, "version")).collect();
        if versions == ["1.12.3"] { Ok(()) } else { Err(format!("lab-hdf5 at {versions:?}").into()) }
    }

    /// A provider that is asked for takes the place of the one that the root asked for.
    fn another_provider(&self) -> Done {
        let script = r#"return env.upgrade("shape", { "lab-solver ^lab-openmpi" })"#;
        let roots = ["lab-hdf5@1.12.3~mpi", "lab-solver@2.4 ^lab-mpich"];
        let after = self.upgraded(&roots, &json!(true), script)?;
        let has = |name: &str| after.values().any(|node| text(node, "name") == name);
        let manifest = fs::read_to_string(self.folder("shape").join("spack.yaml"))?;
        if has("lab-openmpi") && !has("lab-mpich") && manifest.contains("lab-solver@2.4 ^lab-openmpi") {
            return Ok(());
        }
        Err(format!("the provider is not another: {manifest}").into())
    }

    fn try_one(&self, dice: &mut Dice, separately: bool) -> Done {
        let (case, before) = self.begun(dice, separately)?;
        let forced = self.forced(&case)?;
        let (name, version) = case.asked.split_once('@').unwrap_or_default();
        let script = format!("return env.upgrade(\"stack\", {{ \"{}\" }})", case.asked);
        let answer = self.site.json(&["eval", &script]);
        let told = |what: &str| -> Failed { format!("Spack {}: {case:?}: {what}", self.release).into() };
        let (answer, forced) = match (answer, forced) {
            (ours, None) => {
                println!("{case:?}: by force it is not solved, and by us {}", ours.is_ok());
                return Ok(());
            }
            (Err(error), Some(_)) => return Err(told(&format!("not solved, and by force it is: {error}"))),
            (Ok(answer), Some(forced)) => (answer, forced),
        };
        let after = nodes(&self.folder("stack"))?;
        let reached =
            |nodes: &Nodes| nodes.values().any(|n| text(n, "name") == name && text(n, "version") == version);
        if !reached(&after) && reached(&forced) {
            return Err(told("the asked version is not there"));
        }
        if answer["solves"].as_u64().is_none_or(|solves| solves > 3) {
            return Err(told(&format!("solved {} times", answer["solves"])));
        }
        let touched = needing(&before, name);
        let moved: Vec<&str> = before
            .iter()
            .filter(|(hash, _)| !touched.contains(*hash) && !after.contains_key(*hash))
            .map(|(_, node)| text(node, "name"))
            .collect();
        let gave_up = answer["gave_up"].as_array().is_some_and(|list| !list.is_empty());
        let (ours, theirs) = (lost(&before, &after), lost(&before, &forced));
        println!(
            "{case:?}: {} of {} hashes and {} shapes are lost, by force {} and {}; moved {moved:?}",
            ours.0,
            before.len(),
            ours.1,
            theirs.0,
            theirs.1
        );
        if ours.0 > theirs.0 && ours.1 >= theirs.1 {
            return Err(told(&format!(
                "{} hashes are lost, by force {}: {}",
                ours.0, theirs.0, answer["changes"]
            )));
        }
        // What is not needed any more goes, too.
        let is_gone = |name: &&str| !after.values().any(|node| text(node, "name") == *name);
        // Spack unifies what is solved anew with what stays, so a dependency may become one that was there for others.
        let is_unified = case.unify == json!("when_possible");
        if !gave_up && !is_unified && moved.iter().any(|name| !is_gone(name)) {
            return Err(told(&format!("{moved:?} does not need it and changed: {}", answer["changes"])));
        }
        for row in answer["changes"].as_array().into_iter().flatten() {
            if row["why"].as_str().is_none_or(str::is_empty) {
                return Err(told(&format!("a change without a reason: {row}")));
            }
        }
        Ok(())
    }
}

fn solves(release: &'static str, root: &Path) -> Done {
    let folder = tempfile::tempdir()?;
    let path = folder.path().canonicalize()?;
    let mut dice = Dice::new();
    let count = share("MOONSTACK_SOLVES", 2);
    let site = LabSite::make(root, &path.join("site"), false)?;
    // What is installed and no part of the environment must not slip in.
    for spec in ["lab-hdf5@1.12.3~mpi", "lab-zlib@1.2.13"] {
        site.spack(&["install", "--fake", spec])?;
    }
    let bed = Bed { release, site: &site, known: LAB };
    if release == "1.2" {
        bed.roots_by_themselves()?;
        bed.another_provider()?;
    }
    for _ in 0..count {
        // Before it solves roots side by side, Spack 0.23 indexes all of its packages.
        bed.try_one(&mut dice, count > 2 || release != "0.23")?;
    }
    let fake = share("MOONSTACK_SOLVES_FAKE", 0);
    if fake > 0 {
        let site = LabSite::make(root, &path.join("real"), true)?;
        let bed = Bed { release, site: &site, known: REAL };
        for _ in 0..fake {
            bed.try_one(&mut dice, true)?;
        }
    }
    Ok(())
}
