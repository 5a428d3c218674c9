//! Whether those whom a site file lets read can read a generation: every folder on the way, every file, and what the
//! links of its views lead to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::base::Result;
use crate::site::Cx;
use crate::spack::change::around::share;
use crate::spack::drive::installed;
use crate::spack::drive::session::Scope;
use crate::spack::lock::contents::LockContents;
use crate::world::Eyes;
use crate::world::fs::access::Access;
use crate::world::fs::eyes::{FileKind, Stat};

/// So many are named; the rest is counted.
const NAMED: usize = 5;
const READ: u32 = 4;
const ENTER: u32 = 1;

/// What they could not read or enter.
pub fn look(cx: &Cx, scope: &Scope, access: &Access, link: &Path) -> Result<Vec<String>> {
    let folder = &scope.inside()?.path;
    let mut reach = Reach {
        eyes: &*cx.world.eyes,
        access,
        restricted: restricted(cx, scope)?,
        ways: BTreeSet::new(),
        problems: Vec::new(),
        more: 0,
    };
    reach.way(folder);
    if let Some(above) = link.parent().filter(|above| reach.eyes.is_folder(above).unwrap_or(true)) {
        reach.way(above);
        reach.folder(above, reach.eyes.stat(above).ok());
    }
    reach.tree(folder);
    let mut problems = reach.problems;
    if reach.more > 0 {
        problems.push(format!("{} more that {} cannot read", reach.more, access.readers()));
    }
    Ok(problems)
}

/// Prefixes of packages that are for some only, as Spack's configuration says.
fn restricted(cx: &Cx, scope: &Scope) -> Result<Vec<PathBuf>> {
    let lock = LockContents::of_environment(&*cx.world.eyes, scope.inside()?)?.unwrap_or_default();
    let store = installed::read(cx, scope)?;
    let mut out = Vec::new();
    for (hash, row) in &lock.specs {
        if share::has_own_permissions(scope, &row.name)? {
            out.extend(store.get(hash).and_then(|held| held.prefix.clone()).map(PathBuf::from));
        }
    }
    Ok(out)
}

struct Reach<'a> {
    eyes: &'a dyn Eyes,
    access: &'a Access,
    restricted: Vec<PathBuf>,
    /// Folders whose way was looked at.
    ways: BTreeSet<PathBuf>,
    problems: Vec<String>,
    more: usize,
}

impl Reach<'_> {
    fn tell(&mut self, what: &str, path: &Path) {
        if self.problems.len() < NAMED {
            self.problems.push(format!("{} cannot {what} {}", self.access.readers(), path.display()));
        } else {
            self.more += 1;
        }
    }

    fn lacks(&self, stat: &Stat, bits: u32) -> bool {
        self.access.class(stat.mode, stat.gid) & bits != bits
    }

    /// Each folder from the root to this one can be entered.
    fn way(&mut self, folder: &Path) {
        for above in folder.ancestors() {
            if !self.ways.insert(above.to_owned()) {
                return;
            }
            if self.eyes.stat(above).is_ok_and(|stat| self.lacks(&stat, ENTER)) {
                self.tell("enter", above);
            }
        }
    }

    fn folder(&mut self, path: &Path, stat: Option<Stat>) {
        let Some(stat) = stat else { return };
        if self.lacks(&stat, ENTER) {
            if self.ways.insert(path.to_owned()) {
                self.tell("enter", path);
            }
        } else if self.lacks(&stat, READ) {
            self.tell("list", path);
        }
    }

    fn file(&mut self, path: &Path, stat: &Stat) {
        if self.lacks(stat, READ) {
            self.tell("read", path);
        } else if stat.mode & 0o100 != 0 && self.lacks(stat, ENTER) {
            self.tell("run", path);
        }
    }

    fn tree(&mut self, top: &Path) {
        let mut folders = vec![top.to_owned()];
        while let Some(folder) = folders.pop() {
            self.folder(&folder, self.eyes.lstat(&folder).ok());
            for name in self.eyes.list(&folder).unwrap_or_default() {
                let path = folder.join(&name);
                let Ok(stat) = self.eyes.lstat(&path) else { continue };
                match stat.kind {
                    // Spack's own notes on an environment and its packages are of no use to others.
                    FileKind::Folder if ![".spack-env", ".spack"].contains(&name.as_str()) => {
                        folders.push(path);
                    }
                    FileKind::File => self.file(&path, &stat),
                    FileKind::Link => self.link(&path),
                    FileKind::Folder | FileKind::Other => {}
                }
            }
        }
    }

    fn link(&mut self, path: &Path) {
        // One that leads nowhere is told of elsewhere.
        let (Ok(target), Ok(stat)) = (self.eyes.read_link(path), self.eyes.stat(path)) else { return };
        let target = path.parent().unwrap_or(path).join(target);
        if self.restricted.iter().any(|prefix| target.starts_with(prefix)) {
            return;
        }
        self.way(target.parent().unwrap_or(&target));
        match stat.kind {
            FileKind::Folder => self.folder(&target, Some(stat)),
            _ => self.file(&target, &stat),
        }
    }
}
