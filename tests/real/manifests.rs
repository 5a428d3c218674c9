//! Manifests by chance on real Spacks: what they ask for is what Spack reads in them, and a root that is removed or
//! replaced leaves every other one as it was. `MOONSTACK_MANIFESTS=500 cargo test --test real manifests::` is the
//! long proof, `MOONSTACK_SEED` gives others.

mod grammar;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::common::dice::{Dice, share};
use crate::common::lab::{self, LabSite};

pub fn trials() -> Vec<Trial> {
    lab::for_each_release("manifests", &None, agree)
}

/// What environments ask for, or nothing where that is refused or left to Spack.
type Asked = BTreeMap<String, Option<Vec<String>>>;

struct Bed {
    release: &'static str,
    site: LabSite,
    names: Vec<String>,
}

fn agree(release: &'static str, root: &Path) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let site = LabSite::make(root, &folder.path().join("site"), false)?;
    // Only the lab's packages: an index of all others takes Spack minutes.
    let repos = folder.path().join("site/config/repos.yaml");
    fs::write(&repos, fs::read_to_string(&repos)?.replace("repos:\n", "repos::\n"))?;
    let mut dice = Dice::new();
    let names: Vec<String> = (0..share("MOONSTACK_MANIFESTS", 30)).map(|n| format!("m{n}")).collect();
    let environments = folder.path().join("site/environments");
    for name in &names {
        fs::create_dir_all(environments.join(name))?;
        fs::write(environments.join(name).join("spack.yaml"), grammar::manifest(&mut dice))?;
    }
    let bed = Bed { release, site, names };
    let before = bed.ours()?;
    bed.compare(&before, &environments)?;
    let words = bed.change(&before, &mut dice)?;
    let after = bed.ours()?;
    bed.compare(&after, &environments)?;
    bed.nothing_else_changed(&before, &after, &words, &environments)
}

impl Bed {
    fn script(&self, text: &str) -> Result<Value, Failed> {
        let output = self.site.moonstack(&["--json", "-q", "eval", text]).output()?;
        serde_json::from_slice(&output.stdout)
            .map_err(|e| format!("{e}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }

    fn ours(&self) -> Result<Asked, Failed> {
        let found = self.script(
            "local out = {} for _, e in ipairs(env.list()) do local ok, found = pcall(env.show, e.name) \
             if ok and #found.manifest.not_understood == 0 then local texts = {} \
             for _, s in ipairs(found.manifest.specs) do texts[#texts + 1] = s.text end \
             out[e.name] = json.list(texts) else out[e.name] = false end end return out",
        )?;
        let texts = |value: &Value| {
            let list = value.as_array()?;
            Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        };
        Ok(self.names.iter().map(|name| (name.clone(), texts(&found[name]))).collect())
    }

    /// Spack reads the same roots in each.
    fn compare(&self, ours: &Asked, environments: &Path) -> Result<(), Failed> {
        let file = environments.join("../asked.json");
        fs::write(
            &file,
            json!(ours.iter().map(|(n, t)| (n, t.clone().unwrap_or_default())).collect::<BTreeMap<_, _>>())
                .to_string(),
        )?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/manifests/ask.py");
        let (script, file) = (script.display().to_string(), file.display().to_string());
        let printed = self.site.spack(&["python", &script, &file])?;
        let line = printed.lines().find_map(|line| line.strip_prefix("ASKED")).ok_or("Spack says nothing")?;
        let theirs: BTreeMap<String, Value> = serde_json::from_str(line)?;
        let (mut same, mut refused, mut left) = (0, 0, 0);
        for (name, texts) in ours {
            let verdict = &theirs[name];
            let text = fs::read_to_string(environments.join(name).join("spack.yaml"))?;
            match (texts, verdict.get("same"), verdict.get("refused")) {
                (Some(_), Some(_), _) => same += 1,
                (None, _, Some(_)) => refused += 1,
                (None, ..) => left += 1,
                _ => return Err(format!("Spack {}: {texts:?}\n{verdict}\n{text}", self.release).into()),
            }
        }
        println!(
            "Spack {}: {same} read alike, {refused} refused by both, {left} left to Spack",
            self.release
        );
        if left * 5 > self.names.len() { Err("too many are left to Spack".into()) } else { Ok(()) }
    }

    /// Removes or replaces one root of each, and tells what came of it.
    fn change(&self, before: &Asked, dice: &mut Dice) -> Result<Value, Failed> {
        let mut words = Vec::new();
        for (name, texts) in before {
            let Some(texts) = texts.as_ref().filter(|texts| !texts.is_empty()) else { continue };
            let root = &texts[dice.index(texts.len())];
            let replace = dice.below(2) == 0;
            let package = root.split(['@', ' ', '~', '+']).next().unwrap_or_default();
            words.push(
                json!({ "env": name, "root": root, "by": format!("{package}@2.77"), "replace": replace }),
            );
        }
        fs::write(self.site.state().with_extension("json"), json!(words).to_string())?;
        let file = self.site.state().with_extension("json").display().to_string();
        self.script(&format!(
            "local out = {{}} for _, w in ipairs(json.decode(fs.read({file:?}))) do \
             local ok, e = pcall(function() if w.replace then env.add(w.env, w.by, {{ replace = true }}) \
             else env.remove(w.env, w.root) end end) w.ok = ok w.kind = not ok and e.kind or nil \
             w.message = not ok and e.message or nil out[w.env] = w end return out"
        ))
    }

    fn nothing_else_changed(
        &self,
        before: &Asked,
        after: &Asked,
        words: &Value,
        environments: &Path,
    ) -> Result<(), Failed> {
        let (mut done, mut refused) = (0, 0);
        for (name, word) in words.as_object().ok_or("no words")? {
            let (Some(old), Some(new)) = (&before[name], &after[name]) else {
                return Err("it was readable".into());
            };
            let text = fs::read_to_string(environments.join(name).join("spack.yaml"))?;
            let wrong =
                |why: &str| format!("Spack {}: {why}: {word}\n{old:?}\n{new:?}\n{text}", self.release);
            if text.matches('#').count() < 2 {
                return Err(wrong("a remark is gone").into());
            }
            if word["ok"] != true {
                refused += 1;
                if word["kind"] != "refused" || old != new {
                    return Err(wrong("it is not refused well").into());
                }
                continue;
            }
            done += 1;
            let root = word["root"].as_str().unwrap_or_default();
            let by = word["by"].as_str().unwrap_or_default();
            let package = by.split('@').next().unwrap_or_default();
            let of_package = |text: &&String| text.split(['@', ' ', '~', '+']).next() == Some(package);
            let others = |texts: &[String]| {
                let mut rest: Vec<String> = texts.iter().filter(|text| !of_package(text)).cloned().collect();
                rest.sort();
                rest
            };
            if others(old) != others(new) {
                return Err(wrong("another root changed").into());
            }
            let left: Vec<&String> = new.iter().filter(of_package).collect();
            let good = if word["replace"] == true {
                !left.is_empty() && left.iter().all(|text| text.starts_with(by))
            } else {
                !new.iter().any(|text| text == root)
            };
            if !good {
                return Err(wrong("it is not what was asked").into());
            }
        }
        println!("Spack {}: {done} changed, {refused} refused", self.release);
        Ok(())
    }
}
