//! Does a concrete spec satisfy an abstract one, exactly as `spack find` decides it? The two dialects differ
//! in what `%` means and in how dependencies are searched; each is followed where it differs.

use std::collections::BTreeSet;

use crate::base::{Kind, Result, Trouble};

use super::node::{Dependency, Node, Value};
use super::recipes::Recipes;
use super::stores::{StoreEntry, Stores};
use crate::spack::spec::targets::{self, UnknownTarget};
use crate::spack::spec::version::list::VersionList;
use crate::spack::spec::{Dialect, Edge, Spec, Variant, VariantValue};

pub struct Matcher<'s, 'a> {
    pub stores: &'s Stores<'a>,
    pub dialect: Dialect,
    /// What packages provide; `None` where no repository can be read.
    pub recipes: Option<&'s dyn Recipes>,
}

fn link_or_run(edge: &Dependency<'_>) -> bool {
    edge.has_type("link") || edge.has_type("run")
}

impl<'s, 'a> Matcher<'s, 'a> {
    pub fn satisfies(&self, entry: StoreEntry<'s, 'a>, spec: &Spec) -> Result<bool> {
        if spec.name.as_deref().is_some_and(|name| name != &*entry.record.name) {
            return Ok(hash_fits(entry, spec) && self.provides(entry, spec)?);
        }
        if !self.node_satisfies(entry, spec)? {
            return Ok(false);
        }
        match self.dialect {
            _ if spec.dependencies.is_empty() => Ok(true),
            Dialect::Compiler => self.dependencies_before_1_0(entry, spec),
            Dialect::Direct => self.dependencies_from_1_0(entry, spec),
        }
    }

    /// The node alone, or as the provider of a virtual, without its dependencies.
    fn satisfies_shallow(&self, entry: StoreEntry<'s, 'a>, spec: &Spec) -> Result<bool> {
        if spec.name.as_deref().is_some_and(|name| name != &*entry.record.name) {
            return Ok(hash_fits(entry, spec) && self.provides(entry, spec)?);
        }
        self.node_satisfies(entry, spec)
    }

    fn node_satisfies(&self, entry: StoreEntry<'s, 'a>, spec: &Spec) -> Result<bool> {
        if !hash_fits(entry, spec) {
            return Ok(false);
        }
        let node = entry.node()?;
        if let (Some(wanted), Some(found)) = (&spec.namespace, &node.namespace)
            && **wanted != **found
        {
            return Ok(false);
        }
        if !spec.versions.is_any() && !self.recorded(entry, &node.version)?.satisfies(&spec.versions) {
            return Ok(false);
        }
        if let Some(wanted) = &spec.compiler {
            let Some(found) = &node.compiler else { return Ok(false) };
            let fits = *found.name == *wanted.name
                && self.recorded(entry, &found.version)?.satisfies(&wanted.versions);
            if !fits {
                return Ok(false);
            }
        }
        let flags_fit = spec.flags.iter().all(|(name, wanted)| {
            let found = joined_flags(node, name);
            wanted.iter().all(|flag| found.contains(&flag.text.as_str()))
        });
        Ok(self.variants_fit(entry, node, spec)? && self.architecture_fits(node, spec)? && flags_fit)
    }

    fn architecture_fits(&self, node: &Node<'a>, spec: &Spec) -> Result<bool> {
        for (wanted, found) in [(&spec.platform, &node.arch.platform), (&spec.os, &node.arch.os)] {
            match (wanted.as_deref(), found.as_deref()) {
                // From 1.0 on a wildcard ends the comparison, even before the target.
                (Some("*"), Some(_)) if self.dialect == Dialect::Direct => return Ok(true),
                (Some(wanted), found) if found != Some(wanted) => return Ok(false),
                _ => {}
            }
        }
        match (&spec.target, &node.arch.target) {
            (Some(wanted), Some(_)) if wanted == "*" && self.dialect == Dialect::Direct => Ok(true),
            (Some(wanted), Some(found)) => {
                targets::satisfies(found, wanted).map_err(|UnknownTarget(name)| {
                    Trouble::usage(format!(
                        "'{name}' in 'target={wanted}' is not a target that archspec knows"
                    ))
                })
            }
            (Some(_), None) => Ok(false),
            (None, _) => Ok(true),
        }
    }

    fn variants_fit(&self, entry: StoreEntry<'s, 'a>, node: &Node<'a>, spec: &Spec) -> Result<bool> {
        let (everywhere, here): (Vec<_>, Vec<_>) = spec.variants.iter().partition(|(_, v)| v.propagate);
        if !here.iter().all(|(name, wanted)| {
            node.variant(name).is_some_and(|found| self.variant_fits(name, found, wanted))
        }) {
            return Ok(false);
        }
        if everywhere.is_empty() {
            return Ok(true);
        }
        let agrees = |node: &Node<'a>| {
            everywhere.iter().all(|(name, wanted)| {
                node.variant(name).is_none_or(|found| self.variant_fits(name, found, wanted))
            })
        };
        if !agrees(node) {
            return Ok(false);
        }
        for (_, child) in self.stores.edges(entry, |_| true)? {
            if !agrees(child.node()?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn variant_fits(&self, name: &str, found: &Value<'_>, wanted: &Variant) -> bool {
        match (found, &wanted.value) {
            (_, VariantValue::Any) => true,
            (Value::Bool(found), VariantValue::Bool(wanted)) => found == wanted,
            (Value::Bool(_), VariantValue::Text(_))
            | (Value::Text(_) | Value::List(_), VariantValue::Bool(_)) => false,
            (Value::Text(found), VariantValue::Text(values)) => {
                let patch = name == "patches" && self.dialect == Dialect::Direct && !wanted.exact;
                matches!(values.as_slice(), [one] if **found == **one || patch && found.starts_with(one.as_str()))
            }
            (Value::List(found), VariantValue::Text(values)) if wanted.exact => {
                let found: BTreeSet<&str> = found.iter().map(|v| &**v).collect();
                found == values.iter().map(String::as_str).collect()
            }
            (Value::List(found), VariantValue::Text(values)) if name == "patches" => {
                values.iter().all(|v| found.iter().any(|f| f.starts_with(v.as_str())))
            }
            (Value::List(found), VariantValue::Text(values)) => {
                values.iter().all(|v| found.iter().any(|f| **f == **v))
            }
        }
    }

    /// Is the spec's name a virtual that this node provides in a version that fits?
    fn provides(&self, entry: StoreEntry<'s, 'a>, spec: &Spec) -> Result<bool> {
        let Some(name) = spec.name.as_deref() else { return Ok(false) };
        if spec.versions.is_any() && self.stores.provides_by_edge(entry, name)? {
            return Ok(true);
        }
        let Some(recipes) = self.recipes else {
            if self.stores.is_virtual(name)? {
                return Err(no_recipes(name));
            }
            return Ok(false);
        };
        for provision in recipes.provisions(&entry.record.name)?.iter() {
            let Some(provision) = provision.about(&entry.record.name, name)? else { continue };
            let named = provision
                .virtuals
                .iter()
                .any(|v| v.name.as_deref() == Some(name) && v.versions.intersects(&spec.versions));
            if named {
                let mut applies = true;
                for when in &provision.when {
                    applies = applies && self.node_satisfies(entry, when)?;
                }
                if applies {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The edges whose children a `^` may name: the link and run DAG, and direct build dependencies.
    fn reachable(&self, entry: StoreEntry<'s, 'a>) -> Result<Vec<(&'s Dependency<'a>, StoreEntry<'s, 'a>)>> {
        let mut edges = self.stores.edges(entry, link_or_run)?;
        edges.extend(self.stores.children(entry)?.filter(|(edge, _)| edge.has_type("build")));
        Ok(edges)
    }

    /// The virtuals that an edge of the query asks for; `^mpi` asks for `mpi`.
    fn wanted_virtuals(&self, edge: &Edge) -> Result<Vec<String>> {
        let mut wanted = edge.virtuals.clone();
        if let Some(name) = &edge.spec.name
            && !wanted.contains(name)
            && self.stores.is_virtual(name)?
        {
            wanted.push(name.clone());
        }
        Ok(wanted)
    }

    fn dependencies_before_1_0(&self, entry: StoreEntry<'s, 'a>, spec: &Spec) -> Result<bool> {
        let mut reachable = None;
        for edge in &spec.dependencies {
            let wanted = self.wanted_virtuals(edge)?;
            if wanted.is_empty() {
                continue;
            }
            if reachable.is_none() {
                reachable = Some(self.reachable(entry)?);
            }
            let name = edge.spec.name.as_deref().unwrap_or_default();
            let edges = reachable.iter().flatten();
            let named: Vec<_> =
                edges.filter(|(e, child)| &*child.record.name == name || e.provides(name)).collect();
            if !wanted.iter().all(|v| named.iter().any(|(e, _)| e.provides(v))) {
                return Ok(false);
            }
        }
        let all = self.stores.edges(entry, |_| true)?;
        for edge in &spec.dependencies {
            if !self.any_satisfies(all.iter().map(|(_, child)| *child), &edge.spec)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn any_satisfies(
        &self,
        mut entries: impl Iterator<Item = StoreEntry<'s, 'a>>,
        spec: &Spec,
    ) -> Result<bool> {
        // Names first: whether another package provides it may need its recipe.
        let mut others = Vec::new();
        for entry in entries.by_ref() {
            if spec.name.as_deref().is_none_or(|name| name == &*entry.record.name) {
                if self.node_satisfies(entry, spec)? {
                    return Ok(true);
                }
            } else {
                others.push(entry);
            }
        }
        for entry in others {
            if self.satisfies_shallow(entry, spec)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn dependencies_from_1_0(&self, entry: StoreEntry<'s, 'a>, spec: &Spec) -> Result<bool> {
        let mut reachable = None;
        for edge in &spec.dependencies {
            let fits = if !self.applies(entry, spec, edge)? {
                true
            } else if edge.direct {
                self.direct_fits(entry, spec, edge)?
            } else {
                if reachable.is_none() {
                    reachable = Some(self.reachable(entry)?);
                }
                self.transitive_fits(reachable.as_deref().unwrap_or(&[]), edge)?
            };
            if !fits {
                return Ok(false);
            }
            for inner in &edge.spec.dependencies {
                if self.applies(entry, &edge.spec, inner)? && !self.direct_fits(entry, &edge.spec, inner)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Does the condition of a dependency hold? Where its parent is not there, the dependency is looked for all the same.
    fn applies(&self, root: StoreEntry<'s, 'a>, parent: &Spec, edge: &Edge) -> Result<bool> {
        let Some(when) = &edge.when else { return Ok(true) };
        let node = match &parent.name {
            Some(name) if *name != *root.record.name => self.lookup(root, name)?,
            _ => Some(root),
        };
        node.map_or(Ok(true), |node| self.satisfies(node, when))
    }

    fn transitive_fits(
        &self,
        reachable: &[(&'s Dependency<'a>, StoreEntry<'s, 'a>)],
        edge: &Edge,
    ) -> Result<bool> {
        let candidates: Vec<_> = match &edge.spec.name {
            None => reachable.iter().collect(),
            Some(name) => reachable
                .iter()
                .filter(|(e, child)| &*child.record.name == name || e.provides(name))
                .collect(),
        };
        let wanted = self.wanted_virtuals(edge)?;
        let named = |v: &str| candidates.iter().any(|(e, child)| e.provides(v) || &*child.record.name == v);
        if candidates.is_empty() || !wanted.iter().all(|v| named(v)) {
            return Ok(false);
        }
        self.any_satisfies(candidates.iter().map(|(_, child)| *child), &edge.spec)
    }

    /// `%name`: a direct dependency of the node that the query's parent stands for.
    fn direct_fits(&self, root: StoreEntry<'s, 'a>, parent: &Spec, edge: &Edge) -> Result<bool> {
        let current = match &parent.name {
            Some(name) if edge.spec.name.as_ref() != Some(name) => match self.lookup(root, name)? {
                Some(found) => found,
                None => return Ok(false),
            },
            _ => root,
        };
        let node = current.node()?;
        if node.has_compiler_key() || (node.external.is_some() && node.dependencies.is_empty()) {
            return self.compiler_fits(current, node, &edge.spec);
        }
        let wanted = self.wanted_virtuals(edge)?;
        let name = edge.spec.name.as_deref();
        let by_virtual = match name {
            Some(name) => self.stores.is_virtual(name)?,
            None => false,
        };
        let candidates = self.stores.children(current)?.filter(|(e, child)| {
            let virtuals = wanted.is_empty() || wanted.iter().any(|v| e.provides(v));
            let named = name.is_none_or(|name| name == &*child.record.name);
            let types = edge.deptypes.iter().all(|t| e.has_type(t));
            types && (named && (virtuals || by_virtual) || by_virtual && virtuals)
        });
        for (_, child) in candidates.collect::<Vec<_>>() {
            if self.satisfies(child, &edge.spec)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The node of that name, or provider of that virtual, in a DAG: direct build dependencies first.
    fn lookup(&self, root: StoreEntry<'s, 'a>, name: &str) -> Result<Option<StoreEntry<'s, 'a>>> {
        let is = |(e, child): &(&Dependency<'a>, StoreEntry<'s, 'a>)| {
            &*child.record.name == name || e.provides(name)
        };
        let tools = |e: &Dependency<'a>| e.has_type("build") || e.has_type("test");
        if let Some((_, found)) = self.stores.children(root)?.filter(|(e, _)| tools(e)).find(is) {
            return Ok(Some(found));
        }
        if &*root.record.name == name {
            return Ok(Some(root));
        }
        Ok(self.stores.edges(root, link_or_run)?.into_iter().find(is).map(|(_, found)| found))
    }

    /// A version as a record has it; one that is none is damage, and no fault of the query.
    fn recorded(&self, entry: StoreEntry<'_, '_>, version: &str) -> Result<VersionList> {
        VersionList::concrete(version, self.dialect)
            .map_err(|t| entry.database.damaged(entry.record, t.message()))
    }

    /// The compiler that a node keeps as a name and a version against `%name`.
    fn compiler_fits(&self, entry: StoreEntry<'_, '_>, node: &Node<'_>, wanted: &Spec) -> Result<bool> {
        let Some(found) = &node.compiler else { return Ok(false) };
        let modern =
            crate::spack::spec::parser::LEGACY_COMPILERS.iter().find(|(old, _)| *old == &*found.name);
        let name = modern.map_or(&*found.name, |(_, modern)| *modern);
        let bare = wanted.variants.is_empty()
            && wanted.flags.is_empty()
            && wanted.hash.is_none()
            && wanted.platform.is_none()
            && wanted.os.is_none()
            && wanted.target.is_none();
        Ok(bare
            && wanted.name.as_deref().is_none_or(|wanted| wanted == name)
            && self.recorded(entry, &found.version)?.satisfies(&wanted.versions))
    }
}

fn hash_fits(entry: StoreEntry<'_, '_>, spec: &Spec) -> bool {
    spec.hash.as_deref().is_none_or(|prefix| entry.record.hash.starts_with(prefix))
}

fn joined_flags<'n>(node: &'n Node<'_>, name: &str) -> Vec<&'n str> {
    node.flags(name).iter().map(|flag| &**flag).collect()
}

pub(in crate::spack) fn no_recipes(name: &str) -> Trouble {
    Trouble::new(
        Kind::Unsupported,
        format!(
            "'{name}' is a virtual; which specs provide it cannot be told without the package repositories"
        ),
    )
    .hint(format!("name a provider, or what depends on one: '^{name}'"))
}
