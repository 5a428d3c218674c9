//! Restoring on real Spacks: whatever was done to an environment, what `spack find --json` prints, manifest, lock,
//! view and modules are those of the snapshot again. CI tries one sequence a release; `MOONSTACK_SEQUENCES=30
//! cargo test --test restore_real` is the long proof, `MOONSTACK_SEED` another sequence.

#[path = "common/dice.rs"]
mod dice;
#[path = "common/lab.rs"]
mod lab;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

use dice::{Dice, share};
use lab::LabSite;
use libtest_mimic::Failed;
use moonstack::base::digest;
use serde_json::Value;

fn main() {
    lab::for_each_release(sequences);
}

type Done = Result<(), Failed>;

const MODULES: &str = "modules:\n  default:\n    enable: [tcl, lmod]\n    roots: {tcl: SITE/tcl, lmod: SITE/lmod}\n    \
                       lmod: {core_compilers: [gcc@12.2.0], hierarchy:: [lab-mpi]}\n";
const MANIFEST: &str = "spack:\n  include: [here.yaml]\n  specs: [lab-app@1.0, lab-big kib=8]\n  view: true\n  \
                        concretizer: {unify: true}\n";

struct Bed<'a> {
    site: &'a LabSite,
    env: PathBuf,
}

/// What has to be the same again.
#[derive(PartialEq, Debug)]
struct Picture {
    find: Vec<Value>,
    manifest: String,
    included: String,
    lock: String,
    view: String,
    modules: String,
    explicit: Vec<String>,
}

impl Bed<'_> {
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

    fn picture(&self) -> Result<Picture, Failed> {
        let mut find: Vec<Value> = serde_json::from_str(&self.within(&["find", "--json"])?)?;
        find.sort_by_key(|node| node["hash"].to_string());
        let records = self.site.records();
        let ours = |hash: &&String| find.iter().any(|node| node["hash"] == **hash);
        let mut explicit: Vec<String> =
            records.keys().filter(ours).filter(|hash| records[*hash]["explicit"] == true).cloned().collect();
        explicit.sort();
        Ok(Picture {
            manifest: fs::read_to_string(self.env.join("spack.yaml"))?,
            included: fs::read_to_string(self.env.join("here.yaml"))?,
            lock: fs::read_to_string(self.env.join("spack.lock"))?,
            view: tree(&fs::canonicalize(self.view())?)?,
            modules: self.modules(&find)?,
            find,
            explicit,
        })
    }

    /// Module files of what the environment has, without the line that says when each was written. Those of specs
    /// that were installed meanwhile and are still there are not its concern.
    fn modules(&self, find: &[Value]) -> Result<String, Failed> {
        let mut out = Vec::new();
        for kind in ["tcl", "lmod"] {
            for entry in walkdir::WalkDir::new(self.site.folder.join(kind)).sort_by_file_name() {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_ours = |node: &Value| {
                    let hash = node["hash"].as_str().unwrap_or_default();
                    name.contains(&hash[..7])
                };
                if entry.file_type().is_file() && find.iter().any(is_ours) {
                    let text = fs::read_to_string(entry.path())?;
                    let rest: Vec<&str> =
                        text.lines().enumerate().filter(|(n, _)| *n != 1).map(|(_, l)| l).collect();
                    out.push(format!(
                        "{} {}",
                        entry.path().display(),
                        digest::bytes(rest.join("\n").as_bytes())
                    ));
                }
            }
        }
        Ok(out.join("\n"))
    }

    /// Everything installed by hash, with its prefix.
    fn prefixes(&self) -> Vec<(String, PathBuf)> {
        let records = self.site.records().into_iter().filter(|(_, r)| r["installed"] == true);
        let own = |(hash, r): (String, Value)| {
            let path = PathBuf::from(r["path"].as_str()?);
            (path.starts_with(self.site.store()) && path.is_dir()).then_some((hash, path))
        };
        records.filter_map(own).collect()
    }
}

/// Names, links and what they lead to.
fn tree(root: &Path) -> Result<String, Failed> {
    let mut out = Vec::new();
    for entry in walkdir::WalkDir::new(root).sort_by_file_name() {
        let entry = entry?;
        let name = entry.path().strip_prefix(root)?.display().to_string();
        out.push(match fs::read_link(entry.path()) {
            Ok(target) => format!("{name} -> {}", target.display()),
            Err(_) if entry.file_type().is_file() => {
                format!("{name} {}", digest::bytes(&fs::read(entry.path())?))
            }
            Err(_) => name,
        });
    }
    Ok(out.join("\n"))
}

/// One thing that people and accidents do; says which.
fn change(bed: &Bed<'_>, dice: &mut Dice) -> Result<String, Failed> {
    let manifest = bed.env.join("spack.yaml");
    let text = fs::read_to_string(&manifest)?;
    let prefixes = bed.prefixes();
    let pick = |dice: &mut Dice| {
        let at = dice.below(prefixes.len() as u64) as usize;
        prefixes.get(at).cloned()
    };
    Ok(match dice.below(12) {
        0 => {
            let spec = dice.one_of(&["lab-zlib@1.2.13", "lab-hwloc", "lab-solver"]);
            format!("add {spec}{}", bed.tried(&[&["add", spec], &["concretize", "-f"], &["install"]]))
        }
        1 if text.contains("lab-big") => {
            format!("remove lab-big{}", bed.tried(&[&["remove", "lab-big"], &["concretize"]]))
        }
        2 if text.contains("lab-app@1.0") => {
            fs::write(&manifest, text.replace("lab-app@1.0", "lab-app@2.0"))?;
            format!("upgrade lab-app{}", bed.tried(&[&["concretize", "-f"], &["install"]]))
        }
        3 | 4 => match pick(dice) {
            None => "nothing to uninstall".into(),
            Some((hash, prefix)) => {
                let words = ["uninstall", "-y", "--force", &format!("/{hash}")];
                let refused = if bed.spack(&words).is_ok() { "" } else { ", which Spack refused" };
                format!("uninstall {}{refused}", prefix.display())
            }
        },
        5 | 6 => match pick(dice) {
            None => "nothing to damage".into(),
            Some((_, prefix)) => damage(dice, &prefix)?,
        },
        7 => {
            fs::write(&manifest, text.replace("view: true", "view: false") + "# edited by hand\n")?;
            "edit the manifest".into()
        }
        8 => {
            fs::write(bed.env.join("here.yaml"), "config:\n  build_jobs: 7\n")?;
            bed.spack(&["config", "--scope=user", "add", "packages:lab-hdf5:require:[~mpi]"])?;
            "change configuration".into()
        }
        9 => {
            let _ = fs::remove_file(bed.env.join("spack.lock"));
            "lose the lock".into()
        }
        10 => {
            if let Ok(real) = fs::canonicalize(bed.view()) {
                let _ = fs::remove_file(real.join("bin/lab-app"));
                let _ = symlink("/nowhere", real.join("bin/lab-app"));
            }
            if dice.below(2) == 0 {
                let _ = fs::remove_file(bed.view());
            }
            "spoil the view".into()
        }
        _ => {
            let kind = dice.one_of(&["tcl", "lmod"]);
            let _ = fs::remove_dir_all(bed.site.folder.join(kind));
            format!("lose the {kind} modules")
        }
    })
}

fn damage(dice: &mut Dice, prefix: &Path) -> Result<String, Failed> {
    let files: Vec<PathBuf> = walkdir::WalkDir::new(prefix)
        .sort_by_file_name()
        .into_iter()
        .flatten()
        .filter(|e| e.file_type().is_file() && !e.path().components().any(|c| c.as_os_str() == ".spack"))
        .map(walkdir::DirEntry::into_path)
        .collect();
    let Some(file) = files.get(dice.below(files.len() as u64) as usize).filter(|_| dice.below(4) > 0) else {
        fs::remove_dir_all(prefix)?;
        return Ok(format!("remove {}", prefix.display()));
    };
    match dice.below(3) {
        0 => fs::remove_file(file)?,
        1 => fs::write(file, "")?,
        _ => {
            let mut bytes = fs::read(file)?;
            if let Some(byte) = bytes.first_mut() {
                *byte ^= 1;
            }
            fs::write(file, bytes)?;
        }
    }
    Ok(format!("damage {}", file.display()))
}

fn sequences(release: &str, root: &Path) -> Done {
    let folder = tempfile::tempdir()?;
    let path = folder.path().canonicalize()?;
    let site = LabSite::make(root, &path.join("site"), false)?;
    let bed = Bed { site: &site, env: path.join("site/environments/stack") };
    let modules = MODULES.replace("SITE", &site.folder.display().to_string());
    fs::write(site.folder.join("config/modules.yaml"), modules)?;
    bed.spack(&["env", "create", "stack"])?;
    fs::write(bed.env.join("here.yaml"), "config:\n  build_jobs: 2\n")?;
    fs::write(bed.env.join("spack.yaml"), MANIFEST)?;
    bed.within(&["concretize"])?;
    bed.within(&["install"])?;
    bed.site.json(&["eval", "env.refresh('stack')"])?;
    let wanted = bed.picture()?;
    assert!(
        wanted.find.len() >= 7 && wanted.view.contains("bin/lab-app") && wanted.modules.contains("lmod"),
        "{wanted:?}"
    );
    bed.site.json(&["snapshot", "create", "stack", "--pin"])?;
    let mut dice = Dice::new();
    for sequence in 0..share("MOONSTACK_SEQUENCES", 1) {
        let mut done = Vec::new();
        for _ in 0..=dice.below(4) {
            done.push(change(&bed, &mut dice)?);
        }
        let told =
            |text: String| Failed::from(format!("Spack {release}, sequence {sequence}: {done:?}: {text}"));
        let begin = Instant::now();
        let restored = bed.site.json(&["snapshot", "restore", "stack@1", "--configuration"]);
        restored.map_err(told)?;
        println!("Spack {release}, {sequence}: {} ({:.1} s)", done.join(", "), begin.elapsed().as_secs_f64());
        let now = bed.picture()?;
        if now != wanted {
            return Err(told(format!("\nwanted {wanted:#?}\nis {now:#?}")));
        }
    }
    Ok(())
}
