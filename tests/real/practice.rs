//! Real Spack reads what the practice site writes: the same specs, the same hashes, environments and mirror. Runs for
//! every Spack 1.x checkout under `MOONSTACK_LAB` or `~/.cache/moonstack-lab`; shown as ignored where there is none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use moonstack::practice::{self, PracticeSite, Streams};
use serde_json::Value;

use crate::common::lab;
use crate::common::trial::trial;

const RELEASES: [&str; 2] = ["1.1", "1.2"];

pub fn trials() -> Vec<Trial> {
    let each = |release: &'static str| {
        let (root, name) = (lab::root(release), format!("practice::{}", lab::word(release)));
        let lack = root.is_none().then(|| format!("no checkout of Spack {release}"));
        let root = root.unwrap_or_default();
        let whole = root.clone();
        [
            trial(format!("{name}_reads_a_practice_site"), lack.clone(), move || reads(&whole)),
            trial(format!("{name}_takes_over_a_folder_environment"), lack, move || takes_over(&root)),
        ]
    };
    RELEASES.into_iter().flat_map(each).collect()
}

struct Sides<'a> {
    real: &'a Path,
    site: &'a PracticeSite,
}

impl Sides<'_> {
    fn real(&self, words: &[&str]) -> Result<String, Failed> {
        let mut command = Command::new(self.real.join("bin/spack"));
        let scrubbed = std::env::vars_os().filter(|(k, _)| !k.to_string_lossy().starts_with("SPACK_"));
        command.env_clear().envs(scrubbed).envs(&self.site.env).env("SPACK_ROOT", self.real);
        let output = command.args(words).output()?;
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout)?);
        }
        Err(format!("spack {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr)).into())
    }

    fn ours(&self, words: &[&str]) -> Result<String, Failed> {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let variables: BTreeMap<String, String> = self.site.env.clone();
        let mut streams = Streams { input: &mut std::io::empty(), out: &mut out, err: &mut err };
        match practice::run(&words, &self.site.spack_root, &variables, &mut streams) {
            0 => Ok(String::from_utf8(out)?),
            code => Err(format!("practice {words:?}: {code} {}", String::from_utf8_lossy(&err)).into()),
        }
    }

    /// Both print the same, apart from the blank around it.
    fn same(&self, words: &[&str]) -> Result<(), Failed> {
        let (real, ours) = (self.real(words)?, self.ours(words)?);
        if real.trim() == ours.trim() {
            return Ok(());
        }
        Err(format!("spack {}\nreal:\n{real}\nours:\n{ours}", words.join(" ")).into())
    }

    /// Both print the same nodes. In an environment Spack prints them in its order of traversal, so order is left out.
    fn same_json(&self, words: &[&str]) -> Result<(), Failed> {
        let by_hash = |text: String| -> Result<BTreeMap<String, Value>, Failed> {
            let nodes: Vec<Value> = serde_json::from_str(&text)?;
            Ok(nodes.into_iter().map(|n| (n["hash"].to_string(), n)).collect())
        };
        let (real, ours) = (by_hash(self.real(words)?)?, by_hash(self.ours(words)?)?);
        if real == ours && !real.is_empty() {
            return Ok(());
        }
        Err(format!("spack {}\nreal: {:?}\nours: {:?}", words.join(" "), real.keys(), ours.keys()).into())
    }
}

fn reads(real: &Path) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let site = practice::create(&dir.path().join("site"), Path::new(env!("CARGO_BIN_EXE_moonstack")))?;
    let sides = Sides { real, site: &site };
    sides.ours(&["install", "osu-micro-benchmarks", "^mpich"])?;
    sides.ours(&["uninstall", "-y", "zlib@1.2.13"])?;
    sides.same_json(&["find", "--json"])?;
    sides.same_json(&["find", "--json", "-x"])?;
    sides.same_json(&["find", "--json", "hdf5+mpi ^openmpi %gcc@13"])?;
    sides.same_json(&["-e", "science", "find", "--json"])?;
    for words in [
        &["find", "-L"] as &[_],
        &["find", "-p", "hdf5"],
        &["find", "--format", "{name} {version} {hash} {prefix} {arch}{variants}"],
        &["-e", "science", "find", "-l"],
        &["mirror", "list"],
        &["location", "-i", "netcdf-c"],
    ] {
        sides.same(words)?;
    }
    let folder = site.root.join("environments/next");
    sides.same(&["-D", &folder.to_string_lossy(), "find"])?;
    // Spack lists environments in the order of the folder.
    let sorted = |text: String| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    if sorted(sides.real(&["env", "list"])?) != sorted(sides.ours(&["env", "list"])?) {
        return Err("the environments differ".into());
    }
    hashes_again(&sides)?;
    sides.ours(&["buildcache", "push", "--unsigned", "--update-index", "practice", "python"])?;
    offered(&sides)?;
    sides.same(&["verify", "manifest", "hdf5", "netcdf-c", "python", "openmpi", "mpich"])?;
    Ok(())
}

/// Spack computes each hash of the store again from its own reading.
fn hashes_again(sides: &Sides<'_>) -> Result<(), Failed> {
    let code = "import spack.store, spack.hash_types as ht; print('\\n'.join(s.name + ' ' + s.dag_hash() + ' ' + s.spec_hash(ht.dag_hash) for s in spack.store.STORE.db.query()))";
    let text = sides.real(&["python", "-c", code])?;
    let mut count = 0;
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, recorded, computed] = words.as_slice() else { return Err(line.into()) };
        if recorded != computed {
            return Err(format!("{name}: we wrote {recorded}, Spack computes {computed}").into());
        }
        count += 1;
    }
    if count < 10 { Err(format!("only {count} hashes").into()) } else { Ok(()) }
}

/// The mirror's packages, as Spack lists them.
fn offered(sides: &Sides<'_>) -> Result<(), Failed> {
    let text = sides.real(&["buildcache", "list", "-a", "-L"])?;
    let names: BTreeSet<&str> =
        text.lines().filter_map(|l| l.split(' ').nth(1)?.split_once('@')).map(|(name, _)| name).collect();
    for name in ["hdf5", "osu-micro-benchmarks", "zlib-ng", "python"] {
        if !names.contains(name) {
            return Err(format!("the mirror lacks {name}: {text}").into());
        }
    }
    Ok(())
}

const FOLDER: &str = "spack:
  specs: [hdf5+hl, fftw~mpi, python]
  view:
    default:
      root: views/main
      link: roots
    tools:
      root: ROOT/tools
      link: run
      select: [cmake, hdf5]
    cpu:
      root: views/cpu
      exclude: [hwloc]
      projections:
        mpi: mpi/{name}
        all: '{name}/{version}'
  concretizer: {unify: true}
  modules:
    default:
      enable: [tcl, lmod]
      roots: {tcl: ROOT/tcl, lmod: ROOT/lmod}
      lmod:
        'core_compilers:': [CORE]
        hierarchy: [mpi]
      tcl:
        hide_implicits: true
        python:
          environment:
            set: {'{name}_ROOT': '{prefix}'}
        all:
          suffixes: {+mpi: par, ^openmpi: openmpi}
        projections: {all: '{name}/{version}', openmpi: 'mpi/{name}/{version}'}
";

/// An environment in a folder, tracked, with views and module files: Spack takes what practice built for its own.
fn takes_over(real: &Path) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let site = practice::create(&dir.path().join("site"), Path::new(env!("CARGO_BIN_EXE_moonstack")))?;
    let sides = Sides { real, site: &site };
    for core in ["gcc@13.2.0", "gcc@11.4.0"] {
        let folder = site.root.join(format!("generations/with-{core}"));
        let place = folder.to_string_lossy().into_owned();
        std::fs::create_dir_all(&folder)?;
        let manifest = FOLDER.replace("ROOT", &place).replace("CORE", core);
        std::fs::write(folder.join("spack.yaml"), manifest)?;
        sides.ours(&["-D", &place, "concretize"])?;
        sides.ours(&["-D", &place, "install"])?;
        views_stay(&sides, &folder)?;
        for system in ["tcl", "lmod"] {
            same_modules(&sides, &folder, system)?;
        }
    }
    let place = site.root.join("generations/with-gcc@13.2.0").to_string_lossy().into_owned();
    sides.ours(&["env", "track", "-n", "one", &place])?;
    sides.real(&["env", "track", "-n", "two", &place])?;
    for words in
        [&["-e", "one", "find"] as &[_], &["-e", "two", "find", "-lv"], &["-D", &place, "find", "-c"]]
    {
        sides.same(words)?;
    }
    sides.same_json(&["-e", "two", "find", "--json"])?;
    sides.ours(&["env", "untrack", "-y", "two"])?;
    sides.real(&["env", "remove", "-y", "one"])?;
    if sides.ours(&["env", "list"])?.contains("one") || !Path::new(&place).join("spack.lock").is_file() {
        return Err("untracking".into());
    }
    Ok(())
}

/// Spack finds each view current, and makes the same of it when it starts anew.
fn views_stay(sides: &Sides<'_>, folder: &Path) -> Result<(), Failed> {
    let place = folder.to_string_lossy().into_owned();
    let said = sides.real(&["-D", &place, "env", "view", "regenerate"])?;
    if !said.trim().is_empty() {
        return Err(format!("Spack made the views again: {said}").into());
    }
    let ours = tree(folder)?;
    for view in ["views", "tools", "._tools"] {
        let path = folder.join(view);
        if path.is_symlink() { std::fs::remove_file(path)? } else { std::fs::remove_dir_all(path)? }
    }
    sides.real(&["-D", &place, "env", "view", "regenerate"])?;
    let real = tree(folder)?;
    let differ: Vec<_> = ours.symmetric_difference(&real).collect();
    if differ.is_empty() && ours.len() > 50 {
        Ok(())
    } else {
        Err(format!("views differ: {differ:#?}").into())
    }
}

/// Every path below, links with what they lead to. Module files and Spack's copies of recipes are left out.
fn tree(folder: &Path) -> Result<BTreeSet<String>, Failed> {
    let mut found = BTreeSet::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry?;
        let path = entry.path().strip_prefix(folder)?.to_string_lossy().into_owned();
        if [".spack-env", "tcl", "lmod"].iter().any(|left_out| path.starts_with(left_out)) {
            continue;
        }
        let target = std::fs::read_link(entry.path()).map(|t| t.display().to_string()).unwrap_or_default();
        found.insert(format!("{path} -> {target}"));
    }
    Ok(found)
}

/// The same files with the same effect, whoever writes them.
fn same_modules(sides: &Sides<'_>, folder: &Path, system: &str) -> Result<(), Failed> {
    let place = folder.to_string_lossy().into_owned();
    let words = ["-D", &place, "module", system, "refresh", "-y", "--delete-tree"];
    sides.ours(&words)?;
    let ours = modules(&folder.join(system))?;
    sides.real(&words)?;
    let real = modules(&folder.join(system))?;
    for (path, lines) in &real {
        if ours.get(path) != Some(lines) {
            return Err(format!("{path}\nreal: {lines:#?}\nours: {:#?}", ours.get(path)).into());
        }
    }
    let names = (ours.keys().collect::<Vec<_>>(), real.keys().collect::<Vec<_>>());
    if names.0 == names.1 && real.len() > 8 { Ok(()) } else { Err(format!("{names:#?}").into()) }
}

/// Module files with their lines, apart from times, descriptions and order.
fn modules(root: &Path) -> Result<BTreeMap<String, BTreeSet<String>>, Failed> {
    let mut found = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root) {
        let entry = entry?;
        if !entry.file_type().is_file() {
            continue;
        }
        let text = std::fs::read_to_string(entry.path())?;
        let skipped = ["##", "--", "module-whatis", "whatis", "help(", "    puts"];
        let lines =
            text.lines().filter(|l| !l.trim().is_empty() && !skipped.iter().any(|s| l.starts_with(s)));
        let lines = lines.map(str::to_owned).collect();
        found.insert(entry.path().strip_prefix(root)?.to_string_lossy().into_owned(), lines);
    }
    Ok(found)
}
