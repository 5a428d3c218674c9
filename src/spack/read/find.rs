//! Questions about what is installed, answered from the database without starting Spack.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::drive::session::{Scope, within};
use crate::spack::environment::EnvironmentInfo;
use crate::spack::lock::lockfile::LockfileText;
use crate::spack::read::keepers;
use crate::spack::spec::{Dialect, words};
use crate::spack::store::database::State;
use crate::spack::store::query::{Query, slashed};
use crate::spack::store::recipes::Recipes;
use crate::spack::store::row::SpecRow;
use crate::spack::store::stores::{StoreEntry, Stores};

/// Finds installed specs, in Spack's order. Reads the database; starts no Spack.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FindArgs {
    /// What to find, in Spack's syntax: `hdf5@1.12: +mpi %gcc ^openmpi`; several are alternatives. A list is read as
    /// words of a command line, `{ "mpich", "cflags=-O3 -g" }`.
    pub query: Option<Asked>,
    /// Only those that a user asked for (`true`), or only those that came as dependencies (`false`).
    pub explicit: Option<bool>,
    /// Only those in the lock of this environment.
    pub env: Option<String>,
    /// Also records that are not installed: `missing`, `deprecated`.
    pub states: Vec<StateName>,
}

/// A query as one text, or as the words of a command line.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Asked {
    Text(String),
    Words(Vec<String>),
}

impl Asked {
    fn text(&self, dialect: Dialect) -> String {
        match self {
            Asked::Text(text) => text.clone(),
            Asked::Words(all) => words::join(all, dialect),
        }
    }
}

/// A state that a record can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    Installed,
    Missing,
    Deprecated,
}

impl StateName {
    fn state(self) -> State {
        match self {
            StateName::Installed => State::Installed,
            StateName::Missing => State::Missing,
            StateName::Deprecated => State::Deprecated,
        }
    }
}

pub async fn find(cx: Cx, args: FindArgs) -> Result<Vec<SpecRow>> {
    found(cx, args, rows).await
}

/// Finds as `find` does and lets `work` look at the records where they are, without rows of their own.
pub async fn found<T: Send + 'static>(
    cx: Cx,
    args: FindArgs,
    work: impl FnOnce(&Stores<'_>, &[StoreEntry<'_, '_>]) -> Result<T> + Send + 'static,
) -> Result<T> {
    within(&cx, args.env.clone(), move |cx, scope| {
        let asked = args.query.as_ref().map(|asked| asked.text(scope.spack.dialect())).unwrap_or_default();
        let mut query = query(cx, scope, &asked)?;
        query.explicit = args.explicit;
        if !args.states.is_empty() {
            query.states = args.states.iter().map(|s| s.state()).collect();
        }
        scope.with_stores(cx, |stores, recipes| work(stores, &query.run(stores, Some(recipes))?))
    })
    .await
}

/// Gets the one installed spec that matches. None is an error of kind `not_found`, several are `ambiguous`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct GetArgs {
    /// What to get, in Spack's syntax, or `/HASH`.
    pub query: String,
    /// Within the lock of this environment.
    pub env: Option<String>,
}

pub async fn get(cx: Cx, args: GetArgs) -> Result<SpecRow> {
    within(&cx, args.env.clone(), move |cx, scope| {
        scope.with_stores(cx, |stores, recipes| {
            SpecRow::of_entry(stores, one(cx, scope, &args.query, stores, recipes)?)
        })
    })
    .await
}

/// Lists the installed specs that depend on one.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct DependentsArgs {
    /// The spec, in Spack's syntax, or `/HASH`.
    pub query: String,
    /// Also those that depend on it through others.
    #[serde(default)]
    pub transitive: bool,
}

pub async fn dependents(cx: Cx, args: DependentsArgs) -> Result<Vec<SpecRow>> {
    within(&cx, None, move |cx, scope| {
        scope.with_stores(cx, |stores, recipes| {
            let entry = one(cx, scope, &args.query, stores, recipes)?;
            let mut found = Vec::new();
            let mut seen = BTreeSet::from([entry.record.hash]);
            let mut queue = vec![entry];
            while let Some(child) = queue.pop() {
                for (index, database) in stores.databases().iter().enumerate() {
                    for record in database.dependents(child.record)? {
                        if seen.insert(record.hash) {
                            let parent = StoreEntry { database, record, store: index };
                            found.push(parent);
                            if args.transitive {
                                queue.push(parent);
                            }
                        }
                    }
                }
            }
            found.retain(|e| e.record.installed);
            sorted_rows(stores, &found)
        })
    })
    .await
}

/// Lists the dependencies of an installed spec.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct DependenciesArgs {
    /// The spec, in Spack's syntax, or `/HASH`.
    pub query: String,
    /// Also the dependencies of dependencies.
    #[serde(default)]
    pub transitive: bool,
    /// Only edges of these types: `build`, `link`, `run`, `test`.
    #[serde(default)]
    pub types: Vec<String>,
}

pub async fn dependencies(cx: Cx, args: DependenciesArgs) -> Result<Vec<SpecRow>> {
    const TYPES: [&str; 4] = ["build", "link", "run", "test"];
    if let Some(unknown) = args.types.iter().find(|t| !TYPES.contains(&t.as_str())) {
        return Err(Trouble::unknown("dependency type", unknown, TYPES));
    }
    within(&cx, None, move |cx, scope| {
        scope.with_stores(cx, |stores, recipes| {
            let entry = one(cx, scope, &args.query, stores, recipes)?;
            let wanted = |edge: &crate::spack::store::node::Dependency<'_>| {
                args.types.is_empty() || args.types.iter().any(|t| edge.has_type(t))
            };
            let mut found = Vec::new();
            let mut seen = BTreeSet::from([entry.record.hash]);
            if args.transitive {
                found.extend(stores.edges(entry, wanted)?.into_iter().map(|(_, child)| child));
            } else {
                found
                    .extend(stores.children(entry)?.filter(|(edge, _)| wanted(edge)).map(|(_, child)| child));
            }
            found.retain(|e| seen.insert(e.record.hash));
            sorted_rows(stores, &found)
        })
    })
    .await
}

/// Tells which environments need an installed spec, directly or through others.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct UsersArgs {
    /// The spec, in Spack's syntax, or `/HASH`.
    pub query: String,
}

/// An environment that needs a spec.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UserRow {
    /// The environment.
    pub env: String,
    /// Its folder.
    pub path: String,
    /// The spec is a root of it, or of an environment that it includes.
    pub root: bool,
    /// The roots that need it, as the manifest words them; those of included environments too.
    pub roots: Vec<String>,
}

pub async fn users(cx: Cx, args: UsersArgs) -> Result<Vec<UserRow>> {
    within(&cx, None, move |cx, scope| {
        let hash = scope.with_stores(cx, |stores, recipes| {
            Ok(one(cx, scope, &args.query, stores, recipes)?.record.hash.to_owned())
        })?;
        users_of(cx, scope, &hash, Kind::Corrupt)
    })
    .await
}

/// The environments whose lock holds a hash. A lock that cannot be read is an error: "nobody needs it" must be
/// known, not assumed. What cannot be looked at at all is an error of the kind that is given.
pub fn users_of(cx: &Cx, scope: &Scope, hash: &str, unknown: Kind) -> Result<Vec<UserRow>> {
    let mut users = Vec::new();
    for environment in keepers::environments(cx, scope, &[], unknown)? {
        users.extend(user_of(cx, &environment, hash).map_err(|trouble| {
            let who = format!("environment {}", environment.name);
            keepers::unknown(unknown, &who, &environment.path).hint(trouble.message())
        })?);
    }
    Ok(users)
}

fn user_of(cx: &Cx, environment: &EnvironmentInfo, hash: &str) -> Result<Option<UserRow>> {
    let Some(text) = LockfileText::of(cx, environment)? else { return Ok(None) };
    let lock = text.parse()?;
    let specs = lock.all_specs();
    if !specs.iter().any(|s| &*s.hash == hash) {
        return Ok(None);
    }
    let mut children: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for locked in &specs {
        let node = lock.node(locked)?;
        children.insert(&locked.hash, node.dependencies.iter().map(|d| d.hash.to_string()).collect());
    }
    let needs = |root: &str| {
        let mut queue = vec![root.to_owned()];
        let mut seen = BTreeSet::new();
        while let Some(next) = queue.pop() {
            if next == hash {
                return true;
            }
            if seen.insert(next.clone()) {
                queue.extend(children.get(next.as_str()).into_iter().flatten().cloned());
            }
        }
        false
    };
    let all = lock.all_roots();
    let roots: Vec<String> = all.iter().filter(|r| needs(&r.hash)).map(|r| r.spec.to_string()).collect();
    Ok(Some(UserRow {
        env: environment.name.clone(),
        path: environment.path.display().to_string(),
        root: all.iter().any(|r| &*r.hash == hash),
        roots,
    }))
}

/// A query within the scope: in an environment, only what its lock holds.
pub fn query(cx: &Cx, scope: &Scope, text: &str) -> Result<Query> {
    let mut query = Query::new(scope.specs(cx, &slashed(text.trim()))?, scope.spack.dialect());
    if let Some(environment) = &scope.environment {
        query.hashes = Some(match LockfileText::of(cx, environment)? {
            Some(text) => text.parse()?.all_specs().iter().map(|s| s.hash.to_string()).collect(),
            None => BTreeSet::new(),
        });
    }
    Ok(query)
}

/// The one record that matches.
pub fn one<'s, 'a>(
    cx: &Cx,
    scope: &Scope,
    text: &str,
    stores: &'s Stores<'a>,
    recipes: &dyn Recipes,
) -> Result<StoreEntry<'s, 'a>> {
    if text.trim().is_empty() {
        return Err(Trouble::usage("the query is empty").hint("name a spec: \"zlib@1.3\", \"/abcdef\""));
    }
    let hash = query(cx, scope, text)?.one(stores, Some(recipes))?.record.hash.to_owned();
    stores.get(&hash).ok_or_else(|| Trouble::new(Kind::Internal, "a record was lost"))
}

pub fn rows(stores: &Stores<'_>, entries: &[StoreEntry<'_, '_>]) -> Result<Vec<SpecRow>> {
    entries.iter().map(|entry| SpecRow::of_entry(stores, *entry)).collect()
}

fn sorted_rows(stores: &Stores<'_>, entries: &[StoreEntry<'_, '_>]) -> Result<Vec<SpecRow>> {
    let mut rows = rows(stores, entries)?;
    rows.sort_by(|a, b| (&a.name, &a.version, &a.hash).cmp(&(&b.name, &b.version, &b.hash)));
    Ok(rows)
}
