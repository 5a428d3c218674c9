//! The old installer: plans what must be there, goes through it in order, records what succeeded, and ends as Spack
//! ends when nobody watches. The steps of one package are in `steps`; nothing is really compiled.
//!
//! ```text
//! steps → { mod, permissions }
//! ```

pub(crate) mod permissions;
pub(crate) mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::session::{Options, Session};
use super::solve::Solution;
use crate::practice::model::halt::Halt;
use crate::practice::model::record::{ALL_TYPES, Node, Nodes, Record, build_order};
use crate::practice::modules::files;
use crate::practice::store::mirror;
use crate::world::fs::lock::Mode;

pub struct Installer<'s, 'a, 'b> {
    pub(super) session: &'s mut Session<'a, 'b>,
    pub(super) wanted: Solution,
    pub(super) use_cache: bool,
    only_cache: bool,
    fail_fast: bool,
    overwrite: bool,
    pub(super) show_log: bool,
    only_package: bool,
    only_dependencies: bool,
    pub(super) stage_root: PathBuf,
    cached: BTreeSet<String>,
    /// What is asked for and not marked.
    implicit: BTreeSet<String>,
    /// Hash to what is printed of it at the end.
    failed: BTreeMap<String, String>,
}

impl<'s, 'a, 'b> Installer<'s, 'a, 'b> {
    pub fn new(session: &'s mut Session<'a, 'b>, options: &Options, wanted: Solution) -> Result<Self, Halt> {
        let stage_root = crate::practice::session::stage_root(session)?;
        let use_cache = !options.has("--no-cache");
        // As Spack does, also what is in a mirror whose index does not say so.
        let cached =
            if use_cache { mirror::direct(&session.config, &wanted.nodes)? } else { BTreeSet::new() };
        Ok(Installer {
            session,
            wanted,
            use_cache,
            only_cache: options.has("--cache-only"),
            fail_fast: options.has("--fail-fast"),
            overwrite: options.has("--overwrite"),
            show_log: options.has("--show-log-on-error"),
            only_package: options.value("--only") == Some("package"),
            only_dependencies: options.value("--only") == Some("dependencies"),
            implicit: BTreeSet::new(),
            stage_root,
            cached,
            failed: BTreeMap::new(),
        })
    }

    /// Within an environment only its roots are marked, whatever else is asked for.
    pub fn marks_only(mut self, roots: &BTreeSet<&str>) -> Self {
        let asked = self.wanted.roots.iter().filter(|hash| !roots.contains(hash.as_str()));
        self.implicit = asked.cloned().collect();
        self
    }

    /// What must be there, dependencies first: build dependencies only of what is built.
    fn plan(&self) -> Result<Vec<String>, Halt> {
        let records = self.session.store.read()?;
        let mut needed = BTreeSet::new();
        let mut rest = self.wanted.roots.clone();
        while let Some(hash) = rest.pop() {
            if !needed.insert(hash.clone()) {
                continue;
            }
            let Some(node) = self.wanted.nodes.get(&hash) else { continue };
            let is_root = self.wanted.roots.contains(&hash);
            let built = records.installed(&hash).is_none() && !self.cached.contains(&hash)
                || self.overwrite && is_root;
            if node.external.is_none() && !self.only_package {
                let types: &[&str] = if built { ALL_TYPES } else { &["link", "run"] };
                rest.extend(node.edges(types).map(|e| e.hash.clone()));
            }
        }
        if self.only_dependencies {
            needed.retain(|h| !self.wanted.roots.contains(h));
        }
        let mut order = build_order(&self.wanted.nodes, &self.wanted.roots);
        order.retain(|h| needed.contains(h));
        Ok(order)
    }

    pub fn run(mut self) -> Result<u8, Halt> {
        self.session.store.prepare()?;
        let plan = self.plan()?;
        let printed: Vec<String> = plan
            .iter()
            .filter(|h| self.wanted.nodes.get(*h).is_some_and(|n| n.external.is_none()))
            .cloned()
            .collect();
        for hash in &plan {
            let Some(node) = self.wanted.nodes.get(hash).cloned() else { continue };
            if let Some(culprit) = node.dependencies.iter().find(|e| self.failed.contains_key(&e.hash)) {
                let name = self.wanted.nodes.get(&culprit.hash).map(Node::long_name).unwrap_or_default();
                self.session.complain(&format!(
                    "==> Warning: Skipping build of {} since {name} failed",
                    node.long_name()
                ))?;
                self.failed.insert(hash.clone(), String::new());
                continue;
            }
            let position = printed.iter().position(|h| h == hash).map_or(0, |p| p + 1);
            if let Err(reason) = self.one(&node, position, printed.len())? {
                if self.fail_fast {
                    return Err(Halt::failed(format!("Terminating after first install failure: {reason}")));
                }
                self.failed.insert(hash.clone(), reason);
            }
        }
        self.summary()
    }

    /// One package. The inner error is what Spack repeats at the end.
    fn one(&mut self, node: &Node, n: usize, of: usize) -> Result<Result<(), String>, Halt> {
        let asked = self.wanted.roots.contains(&node.hash);
        let explicit = asked && !self.implicit.contains(&node.hash);
        if node.external.is_some() {
            if self.session.store.read()?.installed(&node.hash).is_none() {
                self.write_modules(node, explicit)?;
            }
            self.record(node, explicit)?;
            return Ok(Ok(()));
        }
        let _lock = self.session.store.lock_prefix(&node.hash, Mode::Write)?;
        let prefix = self.session.store.prefix(node);
        let present = self.session.store.read()?.installed(&node.hash).is_some();
        if present && !(self.overwrite && asked) {
            if explicit {
                self.record(node, true)?;
            }
            self.session.say(&format!("[+] {}", prefix.display()))?;
            return Ok(Ok(()));
        }
        if self.use_cache && self.cached.contains(&node.hash) && mirror::intact(&self.session.config, node)? {
            self.extract(node, n, of)?;
            self.write_modules(node, explicit)?;
            self.record(node, explicit)?;
            return Ok(Ok(()));
        }
        if self.only_cache {
            let text = "InstallError: No binary found when cache-only was specified";
            self.session.complain(&format!("==> Error: {text}"))?;
            return Ok(Err(text.to_owned()));
        }
        let result = self.build(node, n, of)?;
        if result.is_ok() {
            self.write_modules(node, explicit)?;
            self.record(node, explicit)?;
            self.session.say(&format!("[+] {}", prefix.display()))?;
        }
        Ok(result)
    }

    /// Spack's hook after an installation, which comes before the record.
    fn write_modules(&mut self, node: &Node, explicit: bool) -> Result<(), Halt> {
        files::installed(self.session, node, &self.wanted.nodes, explicit)
    }

    /// Enters the package, and as missing whatever it refers to that has no record yet.
    fn record(&self, node: &Node, explicit: bool) -> Result<(), Halt> {
        let (store, nodes) = (&self.session.store, &self.wanted.nodes);
        Ok(store.change(|records| enter(records, store, nodes, node, explicit))?)
    }

    fn summary(&mut self) -> Result<u8, Halt> {
        if self.failed.is_empty() {
            return Ok(0);
        }
        let roots = self.wanted.roots.clone();
        let own = |hash: &String| self.failed.get(hash).filter(|r| !r.is_empty());
        if let [only] = roots.as_slice()
            && own(only).is_some()
        {
            return Ok(1);
        }
        let name = |hash: &String| self.wanted.nodes.get(hash).map(Node::long_name).unwrap_or_default();
        let mut lines = Vec::new();
        for root in &roots {
            if let Some(reason) = own(root) {
                lines.push(format!("==> Error: {}: {reason}", name(root)));
            }
        }
        for root in roots.iter().filter(|r| self.failed.contains_key(*r)) {
            lines.push(format!("==> Error: {}: Package was not installed", name(root)));
        }
        for line in lines {
            self.session.complain(&line)?;
        }
        Err(Halt::failed("Installation request failed.  Refer to reported errors for failing package(s)."))
    }
}

/// Puts an installed package into the records.
pub fn enter(
    records: &mut super::store::Records,
    store: &super::store::Store,
    nodes: &Nodes,
    node: &Node,
    explicit: bool,
) {
    let was_explicit = records.installed(&node.hash).is_some_and(|r| r.explicit);
    let was_installed = records.installed(&node.hash).map(|r| r.installation_time);
    for hash in crate::practice::model::record::closure(nodes, [node.hash.clone()], ALL_TYPES) {
        let Some(below) = nodes.get(&hash) else { continue };
        let entry = records.0.entry(hash).or_insert_with(|| Record {
            spec: below.clone(),
            ref_count: 0,
            path: Some(store.prefix(below).to_string_lossy().into_owned()),
            installed: false,
            explicit: false,
            installation_time: 0.0,
            deprecated_for: None,
            rest: serde_json::Map::new(),
        });
        if below.hash == node.hash {
            entry.installed = true;
            entry.explicit = explicit || was_explicit;
            let now = jiff::Timestamp::now().as_microsecond() as f64 / 1e6;
            entry.installation_time = was_installed.unwrap_or(now);
        }
    }
}
