//! Lmod's cache of a generation: made with the real Lmod where there is one (`LMOD_PKG`, `LMOD_DIR` or a usual place), and
//! with a stand-in for when it fails.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;

use crate::common::runs_bed::{self, Bed};
use crate::common::trial::trial;
use crate::common::{self, modules};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("lmod::a_generation_has_a_cache_that_lmod_believes", modules::no_lmod(), believed),
        trial("lmod::a_module_that_lmod_cannot_load_is_found", modules::no_lmod(), unloadable),
        trial("lmod::the_plan_and_the_run_make_the_same_cache", None, planned),
        trial("lmod::a_cache_that_cannot_be_made_is_a_warning", None, failing),
    ]
}

/// A practice site that makes modules for Lmod, and a site file.
fn with_modules(text: &str) -> Bed {
    let mut bed = Bed::practice();
    bed.use_site_file(text);
    bed.make_modules();
    bed
}

/// A made-up program in the place of Lmod's.
fn stand_in(bed: &Bed, text: &str) -> PathBuf {
    let folder = bed.root.join("lmod/libexec");
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join("update_lmod_system_cache_files");
    common::program(&program, text);
    program
}

fn cache(bed: &Bed) -> PathBuf {
    bed.state().join("generations/science/1/modules/lmod-cache")
}

fn believed() {
    let lmod = modules::lmod_package().expect("Lmod");
    let bed = with_modules(&format!("lmod = '{}'\n", lmod.display()));
    let built = bed.json(&["generation", "adopt", "science"]);
    assert_eq!(built["lmod_cache"], cache(&bed).display().to_string());
    bed.ok(&["-q", "generation", "prove", "science"]);
    bed.ok(&["-q", "generation", "publish", "science"]);
    let link = bed.state().join("current/science");
    let root = link.join("modules/lmod");
    let mut platforms = std::fs::read_dir(&root).unwrap().flatten().map(|entry| entry.path().join("Core"));
    let core = platforms.find(|path| path.is_dir()).unwrap();
    let text = std::fs::read_to_string(link.join("modules/lmod-cache/spiderT.lua")).unwrap();
    assert!(text.contains(&format!("[\"{}\"]", core.display())), "{text}");
    // What only the cache says is what Lmod shows: it did not look into the folders.
    let cache = cache(&bed);
    let text =
        text.replace("[\"zlib-ng/", "[\"from-the-cache/").replace("[\"zlib-ng\"]", "[\"from-the-cache\"]");
    std::fs::write(cache.join("spiderT.lua"), text).unwrap();
    let rc = bed.root.join("lmodrc.lua");
    let at = link.join("modules/lmod-cache");
    let text = format!(
        "scDescriptT = {{ {{ [\"dir\"] = \"{0}\", [\"timestamp\"] = \"{0}/timestamp\" }} }}\n",
        at.display()
    );
    std::fs::write(&rc, text).unwrap();
    let output = Command::new(lmod.join("libexec/lmod"))
        .args(["bash", "-t", "spider"])
        .env("MODULEPATH", &core)
        .env("LMOD_RC", &rc)
        .env("HOME", &bed.root)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("from-the-cache/"), "{said}{}", String::from_utf8_lossy(&output.stdout));
}

/// With the site file's word for where Lmod is, as from cron: no variable of a shell names it.
fn unloadable() {
    let lmod = modules::lmod_package().expect("Lmod");
    let bed = with_modules(&format!("lmod = '{}'\n", lmod.display()));
    bed.ok(&["-q", "generation", "adopt", "science"]);
    bed.ok(&["-q", "generation", "prove", "science"]);
    let root = bed.state().join("generations/science/1/modules/lmod");
    for file in walkdir::WalkDir::new(&root).into_iter().flatten() {
        if file.path().extension().is_some_and(|extension| extension == "lua") {
            let text = std::fs::read_to_string(file.path()).unwrap();
            std::fs::write(file.path(), format!("{text}\nthis is not Lua\n")).unwrap();
        }
    }
    let output = bed.run(&["--json", "generation", "prove", "science"]);
    assert_eq!(output.status.code(), Some(1));
    let proof: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let told = proof["problems"].to_string();
    assert!(told.contains("does not load in Lmod"), "{proof}");
}

fn planned() {
    let bed = with_modules("lmod = 'lmod'\n");
    stand_in(&bed, "printf 'spiderT = {}' > \"$2/spiderT.lua\"; touch \"$4\"");
    let script = bed.script("adopt.lua", "generation.adopt('science')");
    let plan = bed.json(&["plan", &script]);
    bed.ok(&["run", &script]);
    let run = bed.last_run();
    assert_eq!(runs_bed::identities(&plan["actions"]), runs_bed::identities(&run["journal"]));
    assert!(plan["actions"].to_string().contains("update_lmod_system_cache_files"), "{plan}");
    assert_eq!(std::fs::read_to_string(cache(&bed).join("spiderT.lua")).unwrap(), "spiderT = {}");
    assert!(cache(&bed).join("timestamp").exists());
}

fn failing() {
    for failing in ["echo 'spider is ill' >&2; exit 1", "exit 0"] {
        let bed = with_modules("lmod = 'lmod'\n");
        stand_in(&bed, "printf 'spiderT = {}' > \"$2/spiderT.lua\"; touch \"$4\"");
        bed.ok(&["-q", "generation", "adopt", "science"]);
        assert!(cache(&bed).exists());
        stand_in(&bed, failing);
        let output = bed.run(&["generation", "build", "science", "--number", "1"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.contains("has no cache for Lmod"), "{said}");
        assert_eq!(said.contains("spider is ill"), failing.contains("ill"), "{said}");
        assert!(!cache(&bed).exists(), "the old one would hide what is new");
        bed.ok(&["-q", "generation", "prove", "science"]);
    }
    let bed = with_modules("lmod = '/no/such/folder'\n");
    let output = bed.run(&["generation", "adopt", "science"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("which `lmod` of the site file names"));
    assert!(!Path::new(&cache(&bed)).exists());
}
