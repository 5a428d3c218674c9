//! What judging a snapshot reads of the site, read once for all snapshots of an environment: the store, the
//! repositories, and of each prefix and recipe what was found when it was first asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::document::RepositoryRecord;
use super::object::{ObjectId, Objects};
use super::shelf::Kept;
use super::state;
use crate::base::{Result, Trouble};
use crate::site::Cx;
use crate::spack::held::{self, Store};
use crate::spack::locate;
use crate::spack::session::Scope;

/// The site as one environment sees it.
pub struct Ground {
    pub scope: Scope,
    pub store: Arc<Store>,
    pub repositories: Vec<RepositoryRecord>,
    folders: Vec<PathBuf>,
    prefixes: BTreeMap<PathBuf, bool>,
    recipes: BTreeMap<String, Option<String>>,
    commits: BTreeMap<PathBuf, Option<String>>,
}

impl Ground {
    /// As the environment in this folder sees it. Where that is gone, the site's configuration has to do.
    pub fn open(cx: &Cx, env: &Path) -> Result<Ground> {
        Stores::default().ground(cx, env)
    }

    /// Whether a folder is there.
    pub fn has(&mut self, cx: &Cx, prefix: &Path) -> bool {
        if let Some(known) = self.prefixes.get(prefix) {
            return *known;
        }
        let there = cx.world.eyes.is_folder(prefix);
        self.prefixes.insert(prefix.to_owned(), there);
        there
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
    pub fn commit(&mut self, cx: &Cx, repository: &Path) -> Option<String> {
        if let Some(known) = self.commits.get(repository) {
            return known.clone();
        }
        let commit = locate::commit_of(&*cx.world.eyes, repository);
        self.commits.insert(repository.to_owned(), commit.clone());
        commit
    }
}

/// Stores that were read, by their root and upstreams: environments mostly have the same.
#[derive(Default)]
struct Stores(BTreeMap<Vec<PathBuf>, Arc<Store>>);

impl Stores {
    fn ground(&mut self, cx: &Cx, env: &Path) -> Result<Ground> {
        let inside = Scope::open(cx, Some(&env.display().to_string()));
        let scope = match inside {
            Ok(scope) => scope,
            Err(_) => Scope::open(cx, None)?,
        };
        let mut key = vec![scope.install_tree()?.root];
        key.extend(scope.config.upstreams()?.into_iter().map(|upstream| upstream.install_tree));
        let store = match self.0.get(&key) {
            Some(known) => Arc::clone(known),
            None => {
                let store = Arc::new(held::read(cx, &scope)?);
                self.0.insert(key, Arc::clone(&store));
                store
            }
        };
        let eyes = &*cx.world.eyes;
        Ok(Ground {
            repositories: state::repositories(eyes, &scope)?,
            folders: scope.config.recipe_folders(eyes)?,
            prefixes: BTreeMap::new(),
            recipes: BTreeMap::new(),
            commits: BTreeMap::new(),
            scope,
            store,
        })
    }
}

/// The grounds of many snapshots.
#[derive(Default)]
pub struct Grounds {
    stores: Stores,
    grounds: BTreeMap<PathBuf, Result<Ground, Trouble>>,
    /// Objects that have the bytes that their names promise.
    whole: BTreeSet<ObjectId>,
}

impl Grounds {
    /// That of one environment.
    pub fn of(&mut self, cx: &Cx, env: &Path) -> Result<&mut Ground> {
        let stores = &mut self.stores;
        let ground = self.grounds.entry(env.to_owned()).or_insert_with(|| stores.ground(cx, env));
        ground.as_mut().map_err(|trouble| trouble.clone())
    }

    /// What of a snapshot cannot be read, each object read once, however many snapshots share it.
    pub fn unreadable(&mut self, cx: &Cx, kept: &Kept) -> Option<Trouble> {
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
