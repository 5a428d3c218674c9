//! Plans on real Spacks: the actions of the plan are those of the run, the solver's lock is the one that comes of it,
//! and planning leaves the site, Spack's caches and our own state as they were. CI tries a share of the workflows;
//! `MOONSTACK_PLANS=all cargo test --test real plan::` tries all of them.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use moonstack::base::digest;
use serde_json::Value;

use crate::common::lab::{self, LabSite};

const SHARE: &[&str] = &["c_environments", "e_install", "j_dated"];
const ALL: &[&str] = &[
    "a_files",
    "b_tree",
    "c_environments",
    "d_solve",
    "e_install",
    "f_environment_install",
    "g_side_by_side",
    "h_graph",
    "i_when_changed",
    "j_dated",
];
const SPECS: &[(&str, &str)] = &[("small", "lab-zlib"), ("big", "lab-hdf5~mpi"), ("new", "lab-hwloc@2.9")];

pub fn trials() -> Vec<Trial> {
    lab::for_each_release("plan", &None, plans)
}

struct Bed {
    site: LabSite,
    out: PathBuf,
    folder: tempfile::TempDir,
}

impl Bed {
    fn words(&self, name: &str) -> Vec<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workflows").join(format!("{name}.lua"));
        let text = std::fs::read_to_string(&path).unwrap();
        let mut words = vec![path.display().to_string()];
        for (option, spec) in
            SPECS.iter().filter(|(option, _)| text.contains(&format!("name = \"{option}\"")))
        {
            words.extend([format!("--{option}"), (*spec).to_owned()]);
        }
        if text.contains("name = \"dir\"") {
            words.extend(["--dir".to_owned(), self.out.display().to_string()]);
        }
        words
    }

    /// The site with store, environments, configuration and caches, our state, and the user's folder.
    fn everything(&self) -> String {
        digest::tree(self.folder.path()).unwrap()
    }
}

fn plans(release: &'static str, root: &Path) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let site = LabSite::make(root, &folder.path().join("site"), false)?;
    let bed = Bed { site, out: folder.path().join("out"), folder };
    // What Spack makes at its first call is not the plan's doing.
    bed.site.spack(&["spec", "lab-hdf5"])?;
    let all = std::env::var("MOONSTACK_PLANS").is_ok_and(|v| v == "all");
    for name in if all { ALL } else { SHARE } {
        let _ = std::fs::remove_dir_all(&bed.out);
        std::fs::create_dir_all(&bed.out)?;
        let words = bed.words(name);
        let with = |first: &'static str| -> Vec<String> {
            std::iter::once(first.to_owned()).chain(words.iter().cloned()).collect()
        };
        let before = bed.everything();
        let begin = std::time::Instant::now();
        let plan = call(&bed, &with("plan"))?;
        let planned = begin.elapsed();
        if bed.everything() != before {
            return Err(format!("Spack {release}: {name}: planning changed something").into());
        }
        call(&bed, &with("run"))?;
        let id = bed.site.json(&["runs", "-n", "1"])?[0]["id"].to_string();
        let run = bed.site.json(&["runs", "show", &id])?;
        let (expected, done) = (identities(&plan["actions"]), identities(&run["journal"]));
        if expected != done {
            return Err(format!("Spack {release}: {name}:\nplan {expected:#?}\nrun {done:#?}").into());
        }
        println!(
            "Spack {release}: {name}: {} actions, planned in {:.1} s",
            done.len(),
            planned.as_secs_f64()
        );
    }
    Ok(())
}

fn call(bed: &Bed, words: &[String]) -> Result<Value, String> {
    bed.site.json(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn identities(actions: &Value) -> Vec<String> {
    let text = |a: &Value, key: &str| a[key].as_str().unwrap_or_default().to_owned();
    let keys = ["step", "strand", "action", "what", "content", "place"];
    let mut all: Vec<Vec<String>> = actions
        .as_array()
        .into_iter()
        .flatten()
        .map(|a| keys.iter().map(|key| text(a, key)).collect())
        .collect();
    all.sort_by(|a: &Vec<String>, b| a[..2].cmp(&b[..2]));
    all.into_iter().map(|parts| parts.join(" ")).collect()
}
