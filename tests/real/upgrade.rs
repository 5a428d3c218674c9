//! upgrade-with-snapshot on real Spacks: one that works, one that cannot be built, one whose mirror is gone, and some
//! that are killed. Users are on one whole generation after each. CI kills one a release; `MOONSTACK_REAL_KILLS=30 cargo test
//! --test real upgrade::` is the long proof.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};

use crate::common::dice::{Dice, share};
use crate::common::lab::{self, LabSite};

pub fn trials() -> Vec<Trial> {
    lab::for_each_release("upgrade", &None, upgrades)
}

type Done = Result<(), Failed>;

const MODULES: &str = "modules:\n  default:\n    enable: [tcl]\n";
const MANIFEST: &str =
    "spack:\n  specs: [lab-app@1.0, lab-big kib=8]\n  view: true\n  concretizer: {unify: true}\n";

struct Bed<'a> {
    release: &'static str,
    site: &'a LabSite,
}

impl Bed<'_> {
    fn upgrade(&self, args: &[&str]) -> Result<Output, Failed> {
        Ok(self
            .site
            .moonstack(&[&["-q", "run", "upgrade-with-snapshot", "stack"], args].concat())
            .output()?)
    }

    /// The upgrade ends so; gives what it said.
    fn ends(&self, args: &[&str], code: i32) -> Result<String, Failed> {
        let output = self.upgrade(args)?;
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let title = format!("Spack {}: upgrade {args:?}", self.release);
        if output.status.code() == Some(code) {
            println!("{title}: {code}");
            return Ok(text);
        }
        Err(format!("{title}: {:?}, not {code}\n{text}", output.status.code()).into())
    }

    /// What the program of the view says, the generation it is of, and that this generation is whole.
    fn used(&self) -> Result<(u64, String), Failed> {
        let link = self.site.state().join("current/stack");
        let output = Command::new(link.join("view/bin/lab-app")).output()?;
        lab::done("lab-app", &output)?;
        let target = fs::read_link(&link)?;
        let number = target.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse().ok());
        let number: u64 = number.ok_or_else(|| format!("the link leads to {}", target.display()))?;
        if walkdir::WalkDir::new(link.join("modules")).into_iter().flatten().count() < 5 {
            return Err("there are no modules".into());
        }
        Ok((number, String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    /// Users are on this generation, and see of the program what they are meant to.
    fn users_are_on(&self, number: u64, says: &str) -> Done {
        let (on, said) = self.used()?;
        if on == number && said.contains(says) {
            return Ok(());
        }
        Err(format!("users are on {on}, not {number}, and see {said}").into())
    }

    /// Every folder of a generation is in the list, and every environment that Spack knows for one.
    fn everything_is_listed(&self) -> Done {
        let rows = self.site.json(&["generation", "list"])?;
        let listed: Vec<String> =
            rows.as_array().into_iter().flatten().map(|row| row["number"].to_string()).collect();
        for entry in fs::read_dir(self.site.state().join("generations/stack"))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() && !listed.contains(&name) {
                return Err(format!("generation {name} is not listed: {listed:?}").into());
            }
        }
        for name in self.site.spack(&["env", "list"])?.split_whitespace() {
            if name.strip_prefix("stack-g").is_some_and(|number| !listed.iter().any(|l| l == number)) {
                return Err(format!("Spack knows {name}, and it is not listed: {listed:?}").into());
            }
        }
        Ok(())
    }
}

fn upgrades(release: &'static str, root: &Path) -> Done {
    let folder = tempfile::tempdir()?;
    let path = folder.path().canonicalize()?;
    let site = LabSite::make(root, &path.join("site"), false)?;
    let bed = Bed { release, site: &site };
    fs::write(site.folder.join("config/modules.yaml"), MODULES)?;
    site.spack(&["env", "create", "stack"])?;
    fs::write(site.folder.join("environments/stack/spack.yaml"), MANIFEST)?;
    site.spack(&["-e", "stack", "concretize"])?;
    site.spack(&["-e", "stack", "install"])?;

    let begin = Instant::now();
    bed.ends(&["lab-app@2.0"], 0)?;
    let took = begin.elapsed();
    bed.users_are_on(2, "lab-app 2.0")?;

    let said = bed.ends(&["lab-broken@2.0"], 2)?;
    for part in ["users stay on generation 2", "lab-broken", "is built to fail", "log: "] {
        if !said.contains(part) {
            return Err(format!("'{part}' is not said: {said}").into());
        }
    }
    bed.users_are_on(2, "lab-app 2.0")?;
    bed.everything_is_listed()?;

    mirror_gone(&bed, &path)?;
    killed(&bed, took)
}

/// Only from a mirror that is not there: nothing changes. With the mirror back the same command does it.
fn mirror_gone(bed: &Bed<'_>, path: &Path) -> Done {
    let (mirror, away) = (path.join("mirror"), path.join("away"));
    bed.site.spack(&["mirror", "add", "--unsigned", "near", &format!("file://{}", mirror.display())])?;
    bed.site.spack(&["buildcache", "push", "--unsigned", "--update-index", "near", "lab-zlib"])?;
    let (before, _) = bed.used()?;
    fs::rename(&mirror, &away)?;
    bed.ends(&["lab-big kib=9", "--cache-only"], 2)?;
    bed.users_are_on(before, "lab-app 2.0")?;
    bed.everything_is_listed()?;
    fs::rename(&away, &mirror)?;
    bed.site.spack(&["install", "lab-big", "kib=9"])?;
    let hashes = bed.site.installed("lab-big");
    for hash in &hashes {
        bed.site.spack(&[
            "buildcache",
            "push",
            "--unsigned",
            "--update-index",
            "near",
            &format!("/{hash}"),
        ])?;
    }
    bed.site.spack(&["uninstall", "-y", "--force", "lab-big kib=9"])?;
    bed.ends(&["lab-big kib=9", "--cache-only"], 0)?;
    bed.users_are_on(bed.used()?.0, "lab-app 2.0")
}

/// Killed at any instant: users are whole meanwhile, and the run that goes on comes to its end.
fn killed(bed: &Bed<'_>, took: Duration) -> Done {
    let mut dice = Dice::new();
    let mut hit = 0;
    let kills = share("MOONSTACK_REAL_KILLS", 1);
    for attempt in 0..kills {
        let spec = format!("lab-big kib={}", 20 + attempt);
        let (before, _) = bed.used()?;
        let words = ["-q", "run", "upgrade-with-snapshot", "stack", &spec];
        let mut child = bed.site.moonstack(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        std::thread::sleep(Duration::from_micros(dice.below(took.as_micros() as u64)));
        child.kill()?;
        child.wait()?;
        let (on, _) = bed.used()?;
        if on < before {
            return Err(format!("users were on {before} and are on {on}").into());
        }
        bed.everything_is_listed()?;
        let run = bed.site.json(&["runs", "-n", "1"])?[0].clone();
        if run["state"] != "ok" {
            hit += 1;
            let id = run["id"].to_string();
            lab::done("resume", &bed.site.moonstack(&["-q", "runs", "resume", &id]).output()?)?;
        }
        let wanted = format!("kib={}", 20 + attempt);
        let manifest = fs::read_to_string(bed.site.state().join("current/stack/spack.yaml"))?;
        let (on, _) = bed.used()?;
        if !manifest.contains(&wanted) && on == before {
            // It was killed before it was on record.
            bed.ends(&[&spec], 0)?;
        }
        let manifest = fs::read_to_string(bed.site.state().join("current/stack/spack.yaml"))?;
        if !manifest.contains(&wanted) {
            return Err(format!("users are on generation {on}, without {spec}").into());
        }
        let (on, said) = bed.used()?;
        bed.users_are_on(on, "lab-app 2.0").map_err(|e| format!("{e:?} {said}"))?;
        let proof =
            bed.site.json(&["generation", "prove", "stack", "--number", &on.to_string(), "--deep"])?;
        if proof["ok"] != true {
            return Err(format!("generation {on} is not whole: {proof}").into());
        }
        bed.everything_is_listed()?;
    }
    println!("Spack {}: {kills} kills, {hit} of a run under way", bed.release);
    Ok(())
}
