//! What has to be the same again after a restore.

use std::fs;
use std::path::Path;

use libtest_mimic::Failed;
use moonstack::base::digest;
use serde_json::Value;

use super::Bed;

/// What has to be the same again.
#[derive(PartialEq, Debug)]
pub struct Picture {
    pub find: Vec<Value>,
    pub manifest: String,
    pub included: String,
    pub lock: String,
    pub view: String,
    pub modules: String,
    pub explicit: Vec<String>,
}

impl Bed {
    pub fn picture(&self) -> Result<Picture, Failed> {
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
                    let mut rest: Vec<&str> =
                        text.lines().enumerate().filter(|(n, _)| *n != 1).map(|(_, l)| l).collect();
                    // Spack keeps no order among the folders of Python's modules.
                    rest.sort_unstable();
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
}

/// Names, links and what they lead to.
fn tree(root: &Path) -> Result<String, Failed> {
    let mut out = Vec::new();
    for entry in walkdir::WalkDir::new(root).sort_by_file_name() {
        let entry = entry?;
        let name = entry.path().strip_prefix(root)?.display().to_string();
        // Where a package came from is no part of what it is.
        if name.ends_with("/binary_distribution") {
            continue;
        }
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

impl Picture {
    /// Lines that are only here or only there.
    pub fn differences(&self, now: &Picture) -> String {
        let lines = |picture: &Picture| -> Vec<(&str, String)> {
            let find = picture.find.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
            let texts = [
                ("find", find),
                ("manifest", picture.manifest.clone()),
                ("included", picture.included.clone()),
                ("lock", picture.lock.clone()),
                ("view", picture.view.clone()),
                ("modules", picture.modules.clone()),
                ("explicit", picture.explicit.join("\n")),
            ];
            let all = texts.iter().flat_map(|(of, text)| text.lines().map(|line| (*of, line.to_owned())));
            all.collect()
        };
        let (wanted, is) = (lines(self), lines(now));
        let only = |sign: char, here: &[(&str, String)], there: &[(&str, String)]| -> Vec<String> {
            let differ = here.iter().filter(|line| !there.contains(line));
            differ.map(|(of, line)| format!("{sign} {of}: {line}")).collect()
        };
        [only('-', &wanted, &is), only('+', &is, &wanted)].concat().join("\n")
    }
}
