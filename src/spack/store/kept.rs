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
