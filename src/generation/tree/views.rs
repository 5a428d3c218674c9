//! Whether the views of a generation are those of its lock: a link that leads into another prefix shows users what the
//! generation is not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::spack::change::around::view::{Followed, follow_each};
use crate::spack::drive::installed::Store;
use crate::spack::lock::contents::LockContents;
use crate::world::Eyes;
use crate::world::fs::real::{RealPaths, real_path};

/// So many links into the same wrong prefix are one problem.
const NAMED: usize = 5;

/// Follows every link of a view: to something that is there, and in one of the lock's prefixes or in the view itself.
pub fn follow(eyes: &dyn Eyes, root: &Path, prefixes: &BTreeSet<PathBuf>) -> Followed {
    let mut real = RealPaths::new(eyes);
    let own = real_path(eyes, root);
    let mut strange: Vec<String> = Vec::new();
    let mut found = follow_each(eyes, &own, usize::MAX, |path| {
        let (Some(folder), Ok(target)) = (path.parent(), eyes.read_link(path)) else { return };
        let target = real.entry(&folder.join(&target));
        if !target.starts_with(&own) && !target.ancestors().any(|above| prefixes.contains(above)) {
            strange.push(format!("{} leads to {}", path.display(), target.display()));
        }
    });
    let more = strange.len().saturating_sub(NAMED);
    let told = strange.into_iter().take(NAMED);
    found.problems.extend(told.map(|link| format!("{link}, which is of no package of its lock")));
    if more > 0 {
        found
            .problems
            .push(format!("{more} more links of {} lead to no package of its lock", root.display()));
    }
    found
}

/// The prefixes of a lock, as what they are.
pub fn prefixes(eyes: &dyn Eyes, store: &Store, lock: &LockContents) -> BTreeSet<PathBuf> {
    let rows = lock.specs.iter();
    let paths = rows.filter_map(|(hash, row)| match &row.external {
        Some(external) => external.path.clone(),
        None => store.get(hash).and_then(|held| held.prefix.clone()),
    });
    paths.map(|path| real_path(eyes, Path::new(&path))).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::world::fs::eyes::LiveEyes;

    #[test]
    fn a_link_into_another_prefix_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for folder in ["real/a/bin", "real/b/bin", "tree/bin"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        for file in ["real/a/bin/x", "real/b/bin/y", "tree/bin/own"] {
            std::fs::write(at(file), "").unwrap();
        }
        symlink("real", at("store")).unwrap();
        symlink("tree", at("view")).unwrap();
        symlink(at("store/a/bin/x"), at("tree/bin/x")).unwrap();
        symlink("own", at("tree/bin/other")).unwrap();
        let good: BTreeSet<PathBuf> = [real_path(&LiveEyes, &at("store/a"))].into();
        let found = follow(&LiveEyes, &at("view"), &good);
        assert_eq!((found.links, found.problems.len()), (2, 0), "{found:?}");
        symlink(at("store/b/bin/y"), at("tree/bin/y")).unwrap();
        symlink(at("real/b/bin/gone"), at("tree/bin/gone")).unwrap();
        let found = follow(&LiveEyes, &at("view"), &good);
        assert_eq!(found.problems.len(), 2, "{found:?}");
        assert!(found.problems.iter().any(|p| p.contains("of no package of its lock")), "{found:?}");
    }
}
