//! What `spack find` would list: specs to match, which records to look at, and the answer in Spack's order.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{Kind, Result, Trouble};

use super::database::State;
use super::matcher::{Matcher, no_recipes};
use super::recipes::Recipes;
use super::stores::{StoreEntry, Stores};
use crate::spack::spec::version::{Version, refuse_git};
use crate::spack::spec::{Dialect, Spec};

/// Which records, and which specs of them. An empty list of specs means every record.
#[derive(Debug, Clone)]
pub struct Query {
    pub specs: Vec<Spec>,
    pub dialect: Dialect,
    pub explicit: Option<bool>,
    /// As `spack find` without options: installed ones.
    pub states: Vec<State>,
    /// Only these, as in an environment.
    pub hashes: Option<BTreeSet<String>>,
}

impl Query {
    pub fn new(specs: Vec<Spec>, dialect: Dialect) -> Self {
        Query { specs, dialect, explicit: None, states: vec![State::Installed], hashes: None }
    }

    pub fn parse(text: &str, dialect: Dialect) -> Result<Self> {
        Ok(Query::new(Spec::parse_all(text, dialect)?, dialect))
    }

    /// The records that match one of the specs, in Spack's order.
    pub fn run<'s, 'a>(
        &self,
        stores: &'s Stores<'a>,
        recipes: Option<&'s dyn Recipes>,
    ) -> Result<Vec<StoreEntry<'s, 'a>>> {
        for node in self.specs.iter().flat_map(Spec::nodes) {
            refuse_git(&node.versions)?;
        }
        let matcher = Matcher { stores, dialect: self.dialect, recipes };
        let mut found: Vec<StoreEntry<'s, 'a>> = Vec::new();
        if self.specs.is_empty() {
            found.extend(stores.entries().filter(|entry| self.considers(*entry)));
        }
        let mut seen = BTreeSet::new();
        for spec in &self.specs {
            for entry in self.matching(&matcher, spec)? {
                if seen.insert(entry.record.hash) {
                    found.push(entry);
                }
            }
        }
        sort(&mut found, self.dialect)?;
        Ok(found)
    }

    fn considers(&self, entry: StoreEntry<'_, '_>) -> bool {
        self.states.contains(&entry.record.state())
            && self.explicit.is_none_or(|explicit| explicit == entry.record.explicit)
            && self.hashes.as_ref().is_none_or(|hashes| hashes.contains(entry.record.hash))
    }

    fn matching<'s, 'a>(&self, matcher: &Matcher<'s, 'a>, spec: &Spec) -> Result<Vec<StoreEntry<'s, 'a>>> {
        let considered = || matcher.stores.entries().filter(|entry| self.considers(*entry));
        let named =
            |entry: &StoreEntry<'_, '_>| spec.name.as_deref().is_none_or(|name| name == &*entry.record.name);
        let mut found = Vec::new();
        for entry in considered().filter(named) {
            if matcher.satisfies(entry, spec)? {
                found.push(entry);
            }
        }
        let Some(name) = spec.name.as_deref().filter(|_| found.is_empty()) else { return Ok(found) };
        // Nothing is called so: it may be a virtual.
        match matcher.recipes {
            None if matcher.stores.is_virtual(name)? => return Err(no_recipes(name)),
            None => return Ok(found),
            Some(recipes) if recipes.is_package(name)? => return Ok(found),
            Some(_) => {}
        }
        for entry in considered().filter(|entry| !named(entry)) {
            if matcher.satisfies(entry, spec)? {
                found.push(entry);
            }
        }
        Ok(found)
    }

    /// Exactly one record; the error lists the candidates.
    pub fn one<'s, 'a>(
        &self,
        stores: &'s Stores<'a>,
        recipes: Option<&'s dyn Recipes>,
    ) -> Result<StoreEntry<'s, 'a>> {
        let found = self.run(stores, recipes)?;
        let asked = self.specs.iter().map(Spec::to_string).collect::<Vec<_>>().join(" ");
        match found.as_slice() {
            [one] => Ok(*one),
            [] => Err(Trouble::new(Kind::NotFound, format!("no installed spec matches '{asked}'"))
                .fact("query", asked)),
            many => {
                let hashes: Vec<String> =
                    many.iter().map(|e| format!("{}/{}", e.record.name, short(e.record.hash))).collect();
                let count = many.len();
                Err(Trouble::new(Kind::Ambiguous, format!("{count} installed specs match '{asked}'"))
                    .hint(format!(
                        "say which: {}",
                        hashes.iter().take(8).cloned().collect::<Vec<_>>().join(", ")
                    ))
                    .fact("query", asked)
                    .fact("matches", hashes))
            }
        }
    }
}

/// `gwnt2rd…` of 32 characters is a hash, whoever leaves the slash out.
pub fn slashed(text: &str) -> String {
    let hash = text.len() == 32 && text.chars().all(|c| matches!(c, 'a'..='z' | '2'..='7'));
    if hash { format!("/{text}") } else { text.to_owned() }
}

/// As Spack shortens hashes for people.
pub fn short(hash: &str) -> &str {
    hash.get(..7).unwrap_or(hash)
}

/// As Spack sorts: by name, namespace, version, hash.
fn sort(found: &mut [StoreEntry<'_, '_>], dialect: Dialect) -> Result<()> {
    // There are few names and many namesakes: each version is parsed once, and names are not compared again.
    let mut by_name: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for entry in &*found {
        by_name.entry(&entry.record.name).or_default().push(*entry);
    }
    let mut places = found.iter_mut();
    for namesakes in by_name.into_values() {
        let mut keyed = Vec::with_capacity(namesakes.len());
        for entry in namesakes {
            keyed.push((
                entry.record.namespace.as_deref(),
                plain_version(entry, dialect)?,
                entry.record.hash,
                entry,
            ));
        }
        keyed.sort_by(|a, b| (&a.0, &a.1, a.2).cmp(&(&b.0, &b.1, b.2)));
        for ((.., entry), place) in keyed.into_iter().zip(places.by_ref()) {
            *place = entry;
        }
    }
    Ok(())
}

/// The version without the reference that may stand before it.
fn plain_version(entry: StoreEntry<'_, '_>, dialect: Dialect) -> Result<Version> {
    let text = &*entry.record.version;
    let parsed = Version::parse(text.rsplit('=').next().unwrap_or(text), dialect);
    parsed.map_err(|t| entry.database.damaged(entry.record, t.message()))
}
