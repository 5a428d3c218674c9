//! A store and its upstreams as they were read, kept with their text for the next question: as long as each index is the
//! one that was read.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use self_cell::self_cell;

use super::database::DatabaseText;
use super::database::mark::Mark;
use super::database::reader::Reader;
use super::stores::Stores;
use crate::base::Result;
use crate::spack::config::release::Release;
use crate::world::Eyes;

self_cell!(
    /// The texts, and the databases that borrow from them: the store's own first.
    pub struct ReadStores {
        owner: Vec<DatabaseText>,
        #[not_covariant]
        dependent: Stores,
    }
);

impl ReadStores {
    /// Reads databases of versions that this Spack reads.
    pub fn parse(texts: Vec<DatabaseText>, release: Release) -> Result<ReadStores> {
        ReadStores::try_new(texts, |texts| {
            let upstream = Reader::of_upstream(release);
            let mut texts = texts.iter();
            let local = texts.next().map(|text| text.parse_for(&Reader::of_store(release))).transpose()?;
            let others = texts.map(|text| text.parse_for(&upstream)).collect::<Result<_>>()?;
            Ok(Stores::of(local, others))
        })
    }
}

/// Which indices, and how each of them is.
#[derive(PartialEq)]
struct Marks(Vec<(PathBuf, Mark)>);

/// The last stores that were read.
#[derive(Default)]
pub struct KeptStores(Mutex<Option<(Marks, Arc<ReadStores>)>>);

impl KeptStores {
    /// What is kept of these stores, if nobody wrote them since; else they are read, and kept where nobody did so
    /// meanwhile.
    pub fn get(
        &self,
        eyes: &dyn Eyes,
        roots: &[PathBuf],
        read: impl FnOnce() -> Result<ReadStores>,
    ) -> Result<Arc<ReadStores>> {
        let before = marks(eyes, roots);
        if let Some(marks) = &before
            && let Some((known, stores)) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner)
            && known == marks
        {
            return Ok(Arc::clone(stores));
        }
        // The old ones go first, so that never both are held.
        self.forget();
        let stores = Arc::new(read()?);
        if let Some(marks) = before.filter(|before| marks(eyes, roots).as_ref() == Some(before)) {
            let kept = (marks, Arc::clone(&stores));
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        }
        Ok(stores)
    }

    /// Something was changed.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// None where an index is missing, or so young that its time says nothing.
fn marks(eyes: &dyn Eyes, roots: &[PathBuf]) -> Option<Marks> {
    let mark = |root: &PathBuf| {
        let mark = Mark::of(eyes, &root.join(".spack-db")).ok().filter(Mark::is_settled)?;
        Some((root.clone(), mark))
    };
    roots.iter().map(mark).collect::<Option<_>>().map(Marks)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::world::fs::eyes::LiveEyes;

    /// An index that was written long ago or just now, and Spack's mark of its writing.
    fn write(root: &Path, long_ago: bool, verifier: &str) {
        let folder = root.join(".spack-db");
        fs::create_dir_all(&folder).unwrap();
        let index = folder.join("index.json");
        fs::write(&index, "{}").unwrap();
        let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let when = if long_ago { past } else { SystemTime::now() };
        fs::File::options().append(true).open(&index).unwrap().set_modified(when).unwrap();
        fs::write(folder.join("index_verifier"), verifier).unwrap();
    }

    #[test]
    fn a_store_is_read_again_once_somebody_may_have_written_it() {
        let folder = tempfile::tempdir().unwrap();
        let (root, upstream) = (folder.path().join("store"), folder.path().join("upstream"));
        let release = Release::parse("1.2.0").unwrap();
        let (kept, reads) = (KeptStores::default(), Cell::new(0));
        let ask = |roots: &[&PathBuf]| {
            let roots: Vec<PathBuf> = roots.iter().map(|root| (*root).clone()).collect();
            let read = || {
                reads.set(reads.get() + 1);
                ReadStores::parse(roots.iter().map(|root| DatabaseText::empty(root)).collect(), release)
            };
            kept.get(&LiveEyes, &roots, read).unwrap();
            reads.get()
        };
        write(&root, true, "a");
        assert_eq!([ask(&[&root]), ask(&[&root]), ask(&[&root])], [1, 1, 1]);
        // The same second and size, and another writing.
        write(&root, true, "b");
        assert_eq!([ask(&[&root]), ask(&[&root])], [2, 2]);
        // Another writing would have the same time.
        write(&root, false, "c");
        assert_eq!([ask(&[&root]), ask(&[&root])], [3, 4]);
        write(&root, true, "d");
        write(&upstream, true, "a");
        assert_eq!([ask(&[&root, &upstream]), ask(&[&root, &upstream])], [5, 5]);
        write(&upstream, true, "b");
        assert_eq!([ask(&[&root, &upstream]), ask(&[&root])], [6, 7]);
        kept.forget();
        assert_eq!(ask(&[&root]), 8);
        // What is not there may come at any time.
        fs::remove_file(upstream.join(".spack-db/index.json")).unwrap();
        assert_eq!([ask(&[&root, &upstream]), ask(&[&root, &upstream])], [9, 10]);
    }
}
