//! What packages provide, read from the `provides` directives of their recipes. Only what is written out is
//! understood; a directive that is computed is refused when the answer would depend on it.

pub(crate) mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::{Kind, Result, Trouble};
use crate::world::Eyes;

use crate::spack::spec::{Dialect, Spec};
use text::provisions_of;

/// One `provides` directive.
#[derive(Debug, Clone, PartialEq)]
pub struct Provision {
    pub virtuals: Vec<Spec>,
    /// All of these must hold.
    pub when: Vec<Spec>,
}

/// A directive as found: read, or computed by the recipe.
#[derive(Debug, Clone, PartialEq)]
pub enum FoundProvision {
    Read(Provision),
    Computed { line: usize, arguments: String },
}

impl FoundProvision {
    /// The directive, if it may speak of the virtual; an error if only running the recipe could tell.
    pub fn about(&self, package: &str, name: &str) -> Result<Option<&Provision>> {
        match self {
            FoundProvision::Read(provision) => {
                let named = provision.virtuals.iter().any(|v| v.name.as_deref() == Some(name));
                Ok(named.then_some(provision))
            }
            FoundProvision::Computed { arguments, .. }
                if arguments.contains(['"', '\'']) && !arguments.contains(name) =>
            {
                Ok(None)
            }
            FoundProvision::Computed { line, .. } => Err(Trouble::new(
                Kind::Unsupported,
                format!("whether '{package}' provides '{name}' is computed by its recipe (line {line})"),
            )
            .hint("name the package instead of the virtual")),
        }
    }
}

/// Where it is known what packages provide.
pub trait Recipes {
    /// What a package provides; nothing for a package without a recipe.
    fn provisions(&self, package: &str) -> Result<Arc<Vec<FoundProvision>>>;

    /// Is there a recipe of that name? Then it is no virtual.
    fn is_package(&self, name: &str) -> Result<bool>;
}

/// The recipes of package repositories.
pub struct RepositoryRecipes<'e> {
    eyes: &'e dyn Eyes,
    /// Folders with a `repo.yaml`, highest precedence first.
    repositories: Vec<PathBuf>,
    dialect: Dialect,
    known: Mutex<BTreeMap<String, Arc<Vec<FoundProvision>>>>,
}

impl<'e> RepositoryRecipes<'e> {
    pub fn new(eyes: &'e dyn Eyes, repositories: Vec<PathBuf>, dialect: Dialect) -> Self {
        RepositoryRecipes { eyes, repositories, dialect, known: Mutex::default() }
    }

    fn text(&self, package: &str) -> Result<Option<String>> {
        let recipe = self.repositories.iter().find_map(|folder| recipe_of(self.eyes, folder, package));
        recipe.map(|path| self.eyes.read_text(&path)).transpose()
    }
}

/// The file of a package's recipe in one repository.
pub fn recipe_of(eyes: &dyn Eyes, repository: &Path, package: &str) -> Option<PathBuf> {
    let module = package.replace('-', "_");
    // Where all is as usual, the first is it; the last are for names that Python cannot import.
    let names = [package.to_owned(), module.clone(), format!("_{module}")];
    let usual = usize::from(names[0] == names[1]);
    names
        .iter()
        .skip(usual)
        .map(|name| repository.join("packages").join(name).join("package.py"))
        .find(|path| eyes.finds_file(path))
}

impl Recipes for RepositoryRecipes<'_> {
    fn provisions(&self, package: &str) -> Result<Arc<Vec<FoundProvision>>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(package) {
            return Ok(Arc::clone(found));
        }
        let text = self.text(package)?.unwrap_or_default();
        let found = Arc::new(provisions_of(&text, self.dialect));
        known.insert(package.to_owned(), Arc::clone(&found));
        Ok(found)
    }

    fn is_package(&self, name: &str) -> Result<bool> {
        // Some virtuals have a recipe of their own, which only documents them.
        let virtual_recipe =
            |text: &str| text.lines().any(|line| line.trim_start().starts_with("virtual = True"));
        Ok(self.text(name)?.is_some_and(|text| !virtual_recipe(&text)))
    }
}
