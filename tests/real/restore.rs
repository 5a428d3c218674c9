//! Restoring on real Spacks: whatever was done to an environment, what `spack find --json` prints, manifest, lock,
//! view and modules are those of the snapshot again. CI tries one sequence a release; `MOONSTACK_SEQUENCES=30 cargo
//! test --test real restore::` is the long proof, `MOONSTACK_SEED` another sequence. With
//! `MOONSTACK_LAB_SITES=DIR:DIR` (sites that `tests/lab/lab` made and `spack install --fake` filled) the environment
//! is everything that the site of the release has, 200 specs at least, and what is missing comes from a mirror.

mod change;
mod picture;
mod stock;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use libtest_mimic::{Failed, Trial};
use serde_json::{Map, Value};
use stock::Stock;

use crate::common::dice::{Dice, share};
use crate::common::lab::{self, LabSite};

pub fn trials() -> Vec<Trial> {
    lab::for_each_release("restore", &None, sequences)
}

const MODULES: &str = "modules:\n  default:\n    enable: [tcl, lmod]\n    roots: {tcl: SITE/tcl, lmod: SITE/lmod}\n    \
                       lmod: {core_compilers: [gcc@12.2.0], hierarchy:: [lab-mpi]}\n";

struct Bed {
    site: LabSite,
    env: PathBuf,
    stock: Stock,
    /// What the snapshot has.
    hashes: BTreeSet<String>,
}

impl Bed {
    /// The environment installed, and a snapshot of it.
    fn make(root: &Path, folder: &Path) -> Result<Bed, Failed> {
        let place = folder.join("site");
        let (site, stock) = match lab::named_site(root) {
            None => (LabSite::make(root, &place, false)?, Stock::small()),
            Some(other) => {
                let stock = Stock::large(&other)?;
                (stock::beside(&other, &place)?, stock)
            }
        };
        let mut bed = Bed { site, env: place.join("environments/stack"), stock, hashes: BTreeSet::new() };
        fs::write(place.join("config/modules.yaml"), MODULES.replace("SITE", &place.display().to_string()))?;
        bed.spack(&["env", "create", "stack"])?;
        fs::write(bed.env.join("here.yaml"), "config:\n  build_jobs: 2\n")?;
        fs::write(bed.env.join("spack.yaml"), &bed.stock.manifest)?;
        bed.within(&["concretize"])?;
        bed.within(&["install"])?;
        bed.site.json(&["eval", "env.refresh('stack')"])?;
        let mut words = vec!["snapshot", "create", "stack", "--pin"];
        if let Some(mirror) = bed.stock.mirror {
            let at = format!("file://{}/mirror", place.display());
            bed.spack(&["mirror", "add", "--unsigned", mirror, &at])?;
            // Some recipes forbid what moonstack does not do unasked.
            bed.within(&["buildcache", "push", "--unsigned", "--private", mirror])?;
            words.extend(["--ensure", mirror]);
        }
        bed.site.json(&words)?;
        let lock: Value = serde_json::from_slice(&fs::read(bed.env.join("spack.lock"))?)?;
        bed.hashes =
            lock["concrete_specs"].as_object().into_iter().flatten().map(|(hash, _)| hash.clone()).collect();
        Ok(bed)
    }

    fn spack(&self, args: &[&str]) -> Result<String, Failed> {
        Ok(self.site.spack(args)?)
    }

    fn within(&self, args: &[&str]) -> Result<String, Failed> {
        let mut all = vec!["-e", "stack"];
        all.extend(args);
        self.spack(&all)
    }

    /// Calls of Spack that may find what was spoilt before, and stop there; says so.
    fn tried(&self, calls: &[&[&str]]) -> &'static str {
        if calls.iter().all(|words| self.within(words).is_ok()) { "" } else { ", which Spack refused" }
    }

    fn view(&self) -> PathBuf {
        self.env.join(".spack-env/view")
    }

    /// What a restore has to bring back and Spack's database calls installed, with its prefix.
    fn prefixes(&self) -> Vec<(String, PathBuf)> {
        let store = self.site.store().canonicalize().unwrap_or_default();
        let records = self.site.records();
        let own = |(hash, r): (&String, &Value)| {
            let path = PathBuf::from(r["path"].as_str()?);
            let is_there = r["installed"] == true && path.starts_with(&store) && path.is_dir();
            (is_there && self.hashes.contains(hash) && !asks_python(&records, hash))
                .then(|| (hash.clone(), path))
        };
        records.iter().filter_map(own).collect()
    }
}

/// Spack asks Python where its extensions go when it unpacks them or what needs them, and a faked one cannot answer.
fn asks_python(records: &Map<String, Value>, hash: &str) -> bool {
    let needs = records.get(hash).and_then(|r| r["spec"]["dependencies"].as_array());
    needs.into_iter().flatten().any(|need| {
        let name = need["name"].as_str().unwrap_or_default();
        let is_extension = name == "python-venv" || name == "meson" || name.starts_with("py-");
        is_extension || asks_python(records, need["hash"].as_str().unwrap_or_default())
    })
}

fn sequences(release: &'static str, root: &Path) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let bed = Bed::make(root, &folder.path().canonicalize()?)?;
    let wanted = bed.picture()?;
    let specs = bed.hashes.len();
    assert!(
        specs >= bed.stock.specs && wanted.view.contains(bed.stock.shown) && wanted.modules.contains("lmod"),
        "{specs} specs: {wanted:?}"
    );
    let mut dice = Dice::new();
    for sequence in 0..share("MOONSTACK_SEQUENCES", 1) {
        let mut done = Vec::new();
        for _ in 0..=dice.below(4) {
            done.push(change::change(&bed, &mut dice)?);
        }
        let told =
            |text: String| Failed::from(format!("Spack {release}, sequence {sequence}: {done:?}: {text}"));
        let begin = Instant::now();
        let restored = bed.site.json(&["snapshot", "restore", "stack@1", "--configuration"]);
        restored.map_err(told)?;
        let took = begin.elapsed().as_secs_f64();
        println!("Spack {release}, {specs} specs, {sequence}: {} ({took:.1} s)", done.join(", "));
        let now = bed.picture()?;
        if now != wanted {
            return Err(told(wanted.differences(&now)));
        }
    }
    Ok(())
}
