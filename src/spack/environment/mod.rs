//! Environments on disk: the managed ones under their root, tracked ones (links), independent folders. A folder is
//! an environment when it holds `spack.yaml`; what the file says is read in [`manifest`]. What is concrete or
//! installed of one is not known here.
//!
//! ```text
//! manifest → { minus, speclist } → { combine, exclusion }
//! ```

pub mod combine;
pub mod exclusion;
pub mod manifest;
pub mod minus;
pub mod speclist;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::config::{Config, is_environment};
use crate::base::nearest::nearest;
use crate::base::{Kind, Result, Trouble};
use crate::spack::config::paths::normal;
use crate::spack::config::release::Release;
use crate::world::Eyes;
use crate::world::fs::eyes::FileKind;
use crate::world::fs::real::is_same_path;

/// How Spack knows an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnvironmentKind {
    /// A folder under the environments' root.
    Managed,
    /// A link under the root to a folder elsewhere.
    Tracked,
    /// A folder that Spack does not list.
    Independent,
}

/// An environment, without what its manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EnvironmentInfo {
    /// The name for `spack -e`; for independent ones the folder.
    pub name: String,
    /// The folder that holds `spack.yaml`, links followed for tracked ones.
    pub path: PathBuf,
    pub kind: EnvironmentKind,
    /// It has been concretized.
    pub has_lock: bool,
    /// Its default view exists on disk.
    pub has_view: bool,
    /// The release of Spack that is to read its lock.
    #[serde(skip)]
    #[schemars(skip)]
    pub release: Release,
}

impl EnvironmentInfo {
    pub fn manifest_file(&self) -> PathBuf {
        self.path.join("spack.yaml")
    }

    pub fn lock_file(&self) -> PathBuf {
        self.path.join("spack.lock")
    }
}

/// Whether Spack accepts the name for a managed environment.
pub fn valid_name(name: &str, release: Release) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let nested = release.abilities().nested_env_names;
    let mut chars = name.chars();
    chars.next().is_some_and(word) && chars.all(|c| word(c) || c == '-' || (nested && c == '/'))
}

/// Refuses a name that Spack would refuse.
pub fn check_name(name: &str, release: Release) -> Result<()> {
    if valid_name(name, release) {
        return Ok(());
    }
    let slash = if release.abilities().nested_env_names { ", '/'" } else { "" };
    Err(Trouble::usage(format!("'{name}' is no name for an environment"))
        .hint(format!("letters, digits, '_' and '-'{slash}, and a letter, digit or '_' first")))
}

/// All environments that `spack env list` shows, sorted by name.
pub fn list(eyes: &dyn Eyes, config: &Config) -> Result<Vec<EnvironmentInfo>> {
    Ok(survey(eyes, config)?.0)
}

/// Of the environments that are known, the one in a folder, however its path is written.
pub fn in_folder<'k>(
    eyes: &dyn Eyes,
    known: &'k [EnvironmentInfo],
    folder: &Path,
) -> Option<&'k EnvironmentInfo> {
    known.iter().find(|info| is_same_path(eyes, &info.path, folder))
}

/// All environments, and the entries beside them that lead nowhere, or into what cannot be looked at: Spack does not list
/// those, and what they need is not known.
pub fn survey(eyes: &dyn Eyes, config: &Config) -> Result<(Vec<EnvironmentInfo>, Vec<PathBuf>)> {
    let root = config.environments_root()?.path;
    let (mut out, mut unseen) = (Vec::new(), Vec::new());
    if eyes.is_folder(&root)? {
        let nested = config.release.abilities().nested_env_names;
        let (release, trail) = (config.release, Vec::new());
        let mut walk = Walk { eyes, release, nested, trail, out: &mut out, unseen: &mut unseen };
        walk.folder(&root, eyes.entries(&root)?, "", false)?;
    }
    out.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((out, unseen))
}

struct Walk<'a> {
    eyes: &'a dyn Eyes,
    release: Release,
    nested: bool,
    /// The folders above, so that a link to one of them ends the walk.
    trail: Vec<PathBuf>,
    out: &'a mut Vec<EnvironmentInfo>,
    unseen: &'a mut Vec<PathBuf>,
}

impl Walk<'_> {
    /// Where environments nest, a walk goes through everything below, also the views and modules of tracked ones
    /// with their thousands of links: it looks only at what can be in a name.
    fn folder(
        &mut self,
        folder: &Path,
        entries: Vec<(String, FileKind)>,
        prefix: &str,
        within: bool,
    ) -> Result<()> {
        self.trail.push(folder.to_owned());
        for (entry, kind) in entries {
            let path = folder.join(&entry);
            let name = if prefix.is_empty() { entry } else { format!("{prefix}/{entry}") };
            // Nothing below a folder whose name is not valid has a valid name.
            if !valid_name(&name, self.release) {
                continue;
            }
            if !self.leads_on(&path, kind) {
                // Links within an environment are those of its views.
                if kind == FileKind::Link && !within && self.eyes.stat(&path).is_err() {
                    self.unseen.push(path);
                }
                continue;
            }
            if !self.nested {
                if is_environment(self.eyes, &path).unwrap_or(true) {
                    self.out.push(describe(self.eyes, self.release, &name, &path));
                }
                continue;
            }
            match self.eyes.entries(&path) {
                Ok(below) => {
                    let is_one = self.has_manifest(&path, &below);
                    if is_one {
                        self.out.push(describe(self.eyes, self.release, &name, &path));
                    }
                    self.folder(&path, below, &name, within || is_one)?;
                }
                // A folder that may not be read hides what is in it, from Spack as well.
                Err(trouble) if trouble.is(Kind::Permission) || trouble.is(Kind::NotFound) => {
                    if !within {
                        self.unseen.push(path);
                    }
                }
                Err(trouble) => return Err(trouble),
            }
        }
        self.trail.pop();
        Ok(())
    }

    fn has_manifest(&self, folder: &Path, entries: &[(String, FileKind)]) -> bool {
        entries.iter().any(|(name, kind)| match kind {
            FileKind::File => name == "spack.yaml",
            FileKind::Link => name == "spack.yaml" && self.eyes.is_file(&folder.join(name)).unwrap_or(true),
            FileKind::Folder | FileKind::Other => false,
        })
    }

    /// Whether it is a folder that the walk is not in already.
    fn leads_on(&self, path: &Path, kind: FileKind) -> bool {
        match kind {
            FileKind::Folder => true,
            FileKind::Link => {
                let Ok(target) = self.eyes.stat(path) else { return false };
                let above = |folder: &PathBuf| {
                    self.eyes.stat(folder).is_ok_and(|s| (s.device, s.inode) == (target.device, target.inode))
                };
                target.kind == FileKind::Folder && self.trail.len() <= 40 && !self.trail.iter().any(above)
            }
            FileKind::File | FileKind::Other => false,
        }
    }
}

fn describe(eyes: &dyn Eyes, release: Release, name: &str, path: &Path) -> EnvironmentInfo {
    match leads_to(eyes, path) {
        Some(folder) => info(eyes, release, name, folder, EnvironmentKind::Tracked),
        None => info(eyes, release, name, path.to_owned(), EnvironmentKind::Managed),
    }
}

/// The folder that a tracked environment's entry leads to, whether it is there or not.
pub fn leads_to(eyes: &dyn Eyes, entry: &Path) -> Option<PathBuf> {
    let is_link = eyes.lstat(entry).is_ok_and(|s| s.kind == FileKind::Link);
    let target = is_link.then(|| eyes.read_link(entry).ok()).flatten()?;
    Some(normal(&entry.parent()?.join(target)))
}

fn info(
    eyes: &dyn Eyes,
    release: Release,
    name: &str,
    path: PathBuf,
    kind: EnvironmentKind,
) -> EnvironmentInfo {
    EnvironmentInfo {
        name: name.to_owned(),
        // One that cannot be looked at is told by who reads it.
        has_lock: eyes.is_file(&path.join("spack.lock")).unwrap_or(true),
        has_view: eyes.exists(&path.join(".spack-env/view")).unwrap_or(false),
        path,
        kind,
        release,
    }
}

/// The environment that `spack -e NAME_OR_FOLDER` would take: a managed name first, else a folder.
pub fn find(eyes: &dyn Eyes, config: &Config, name_or_folder: &str) -> Result<EnvironmentInfo> {
    let root = config.environments_root()?.path;
    if valid_name(name_or_folder, config.release) {
        let path = root.join(name_or_folder);
        if is_environment(eyes, &path)? {
            return Ok(describe(eyes, config.release, name_or_folder, &path));
        }
    }
    let folder = normal(&config.sub.cwd.join(config.sub.expand_home(name_or_folder)));
    if is_environment(eyes, &folder)? {
        // A folder under the root is known by its name, however it was written.
        let known = list(eyes, config)?.into_iter().find(|known| is_same_path(eyes, &known.path, &folder));
        let shown = folder.display().to_string();
        return Ok(
            known.unwrap_or_else(|| info(eyes, config.release, &shown, folder, EnvironmentKind::Independent))
        );
    }
    let names: Vec<String> = list(eyes, config)?.into_iter().map(|e| e.name).collect();
    let mut trouble = Trouble::new(Kind::NotFound, format!("there is no environment '{name_or_folder}'"))
        .fact("environment", name_or_folder)
        .fact("root", root.display().to_string());
    if let Some(near) = nearest(name_or_folder, names.iter().map(String::as_str)) {
        trouble = trouble.hint(format!("did you mean '{near}'?"));
    } else {
        trouble = trouble.hint("give the name of a managed environment, or a folder that holds spack.yaml");
    }
    Err(trouble)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::fs::eyes::LiveEyes;

    #[test]
    fn a_walk_ends_where_links_lead_in_a_circle() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for name in ["a", "a/b", "a/v1.2", "a/v1.2/c", "d"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
            std::fs::write(root.join(name).join("spack.yaml"), "spack: {}\n").unwrap();
        }
        for (to, at) in
            [("..", "a/up"), (".", "a/b/self"), ("../d", "a/d"), ("../a/b", "d/b"), ("self", "self")]
        {
            std::os::unix::fs::symlink(to, root.join(at)).unwrap();
        }
        let names = |release: &str| {
            let (release, mut out) = (Release::parse(release).unwrap(), Vec::new());
            let nested = release.abilities().nested_env_names;
            let (trail, mut unseen) = (Vec::new(), Vec::new());
            let mut walk =
                Walk { eyes: &LiveEyes, release, nested, trail, out: &mut out, unseen: &mut unseen };
            walk.folder(root, LiveEyes.entries(root).unwrap(), "", false).unwrap();
            out.into_iter().map(|found| found.name).collect::<Vec<_>>()
        };
        assert_eq!(names("0.23.0"), ["a", "d"]);
        assert_eq!(names("1.2.0"), ["a", "a/b", "a/d", "a/d/b", "d", "d/b"]);
    }

    #[test]
    fn names_by_release() {
        let of = |text: &str| Release::parse(text).unwrap();
        let cases = [
            ("e1", true, true),
            ("_x-1", true, true),
            ("a/b", false, true),
            ("-x", false, false),
            ("/x", false, false),
            (".x", false, false),
            ("a b", false, false),
            ("", false, false),
            ("é", true, true),
        ];
        for (name, old, new) in cases {
            assert_eq!(valid_name(name, of("0.23.0")), old, "{name}");
            assert_eq!(valid_name(name, of("1.1.0")), new, "{name}");
        }
        assert_eq!(check_name("a b", of("1.1.0")).unwrap_err().kind(), Kind::Usage);
    }
}
