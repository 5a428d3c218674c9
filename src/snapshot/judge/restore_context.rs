//! What judging a snapshot reads of the site, read once for all snapshots of an environment: the store, the
//! repositories, and of each prefix and recipe what was found when it was first asked for.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use crate::base::{Result, Trouble};
use crate::site::Cx;
use crate::snapshot::record::state;
use crate::snapshot::store::document::RepositoryRecord;
use crate::snapshot::store::index::StoredSnapshot;
use crate::snapshot::store::object::{ObjectId, Objects};
use crate::spack::config::locate;
use crate::spack::drive::installed::{self, Store};
use crate::spack::drive::session::Scope;

/// The site as one environment sees it.
pub struct Ground {
    pub scope: Scope,
    pub store: Arc<Store>,
    pub repositories: Vec<RepositoryRecord>,
    folders: Vec<PathBuf>,
    recipes: BTreeMap<String, Option<String>>,
    places: Rc<Places>,
}

/// What was found at paths, whichever environment asked: on a slow file system each look costs.
#[derive(Default)]
struct Places {
    folders: RefCell<BTreeMap<PathBuf, bool>>,
    commits: RefCell<BTreeMap<PathBuf, Option<String>>>,
}

impl Ground {
    /// As the environment in this folder sees it. Where that is gone, the site's configuration has to do.
    pub fn open(cx: &Cx, env: &Path) -> Result<Ground> {
        Stores::default().ground(cx, env)
    }

    /// Whether a folder is there for this user.
    pub fn has(&self, cx: &Cx, folder: &Path) -> bool {
        let mut known = self.places.folders.borrow_mut();
        *known.entry(folder.to_owned()).or_insert_with(|| cx.world.eyes.finds_folder(folder))
    }

    /// Digest of today's recipe.
    pub fn recipe(&mut self, cx: &Cx, package: &str) -> Option<String> {
        if let Some(known) = self.recipes.get(package) {
            return known.clone();
        }
        let digest = state::recipe_digest(&*cx.world.eyes, &self.folders, package);
        self.recipes.insert(package.to_owned(), digest.clone());
        digest
    }

    /// The commit that a repository is at.
    pub fn commit(&self, cx: &Cx, repository: &Path) -> Option<String> {
        let mut known = self.places.commits.borrow_mut();
        let find = || locate::commit_of(&*cx.world.eyes, repository);
        known.entry(repository.to_owned()).or_insert_with(find).clone()
    }
}

/// Stores that were read, by their root and upstreams: environments mostly have the same.
#[derive(Default)]
struct Stores {
    known: BTreeMap<Vec<PathBuf>, Arc<Store>>,
    places: Rc<Places>,
}

impl Stores {
    fn ground(&mut self, cx: &Cx, env: &Path) -> Result<Ground> {
        let inside = Scope::open(cx, Some(&env.display().to_string()));
        let scope = match inside {
            Ok(scope) => scope,
            Err(_) => Scope::open(cx, None)?,
        };
        let mut key = vec![scope.install_tree()?.root];
        key.extend(scope.config.upstreams()?.into_iter().map(|upstream| upstream.install_tree));
        let store = if let Some(known) = self.known.get(&key) {
            Arc::clone(known)
        } else {
            let store = Arc::new(installed::read(cx, &scope)?);
            self.known.insert(key, Arc::clone(&store));
            store
        };
        let eyes = &*cx.world.eyes;
        Ok(Ground {
            repositories: state::repositories(eyes, &scope)?,
            folders: scope.config.recipe_folders(eyes)?,
            recipes: BTreeMap::new(),
            places: Rc::clone(&self.places),
            scope,
            store,
        })
    }
}

/// The grounds of many snapshots.
#[derive(Default)]
pub struct Grounds {
    stores: Stores,
    by_env: BTreeMap<PathBuf, Result<Ground, Trouble>>,
    /// Objects that have the bytes that their names promise.
    whole: BTreeSet<ObjectId>,
}

impl Grounds {
    /// That of one environment.
    pub fn of(&mut self, cx: &Cx, env: &Path) -> Result<&mut Ground> {
        let stores = &mut self.stores;
        let ground = self.by_env.entry(env.to_owned()).or_insert_with(|| stores.ground(cx, env));
        ground.as_mut().map_err(|trouble| trouble.clone())
    }

    /// What of a snapshot cannot be read, each object read once, however many snapshots share it.
    pub fn unreadable(&mut self, cx: &Cx, kept: &StoredSnapshot) -> Option<Trouble> {
        for id in kept.snapshot.objects() {
            if self.whole.contains(id) {
                continue;
            }
            match Objects(cx).get(id) {
                Ok(_) => self.whole.insert(id.clone()),
                Err(trouble) => return Some(trouble),
            };
        }
        None
    }
}
