//! Dependencies of a root that cannot stay beside what is asked newly, since both provide the same virtual package:
//! `solver ^mpich` and `solver ^openmpi` make `solver ^openmpi`.

use std::collections::BTreeSet;

use crate::base::Result;
use crate::spack::lock::contents::LockContents;
use crate::spack::spec::Spec;
use crate::spack::store::recipes::{FoundProvision, Recipes};

/// `new` without those that `old` asked for and that what is `asked` takes the place of.
pub fn without(
    mut new: Spec,
    old: &Spec,
    asked: &Spec,
    lock: &LockContents,
    recipes: &dyn Recipes,
) -> Result<Spec> {
    let names = |spec: &Spec| -> BTreeSet<String> {
        spec.dependencies.iter().filter_map(|edge| edge.spec.name.clone()).collect()
    };
    let (before, now) = (names(old), names(asked));
    let mut taken = BTreeSet::new();
    for name in now.difference(&before) {
        taken.extend(provided(name, lock, recipes)?);
    }
    let mut rivals = BTreeSet::new();
    for name in before.difference(&now) {
        if !taken.is_disjoint(&provided(name, lock, recipes)?) {
            rivals.insert(name.clone());
        }
    }
    new.dependencies.retain(|edge| edge.spec.name.as_ref().is_none_or(|name| !rivals.contains(name)));
    Ok(new)
}

/// The virtual packages that a package stands for: in the lock, or as its recipe says.
fn provided(name: &str, lock: &LockContents, recipes: &dyn Recipes) -> Result<BTreeSet<String>> {
    let edges = lock.specs.values().flat_map(|row| &row.dependencies);
    let locked = edges.filter(|edge| edge.name == name).flat_map(|edge| edge.virtuals.iter().cloned());
    let mut found: BTreeSet<String> = locked.collect();
    for provision in recipes.provisions(name)?.iter() {
        if let FoundProvision::Read(provision) = provision {
            found.extend(provision.virtuals.iter().filter_map(|spec| spec.name.clone()));
        }
    }
    Ok(found)
}
