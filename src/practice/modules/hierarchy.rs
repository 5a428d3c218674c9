//! Lmod's hierarchy: which compiler and providers the module of a spec stands below, what it provides itself, and the
//! folders that loading it opens.

use std::path::PathBuf;

use super::{ModuleSet, texts};
use crate::practice::model::halt::Halt;
use crate::practice::model::query::parse_one;
use crate::practice::model::record::{ALL_TYPES, FAMILY, Node, closure, preorder};

impl ModuleSet {
    pub(in crate::practice) fn is_token(&self, word: &str) -> bool {
        word == "compiler" || self.catalogue.is_virtual(word)
    }

    /// The tokens of Lmod's hierarchy; the compiler is always the last that was not named.
    pub fn hierarchy(&self) -> Vec<String> {
        let mut tokens = texts(self.settings.get("hierarchy"));
        if !tokens.iter().any(|t| t == "compiler") {
            tokens.push("compiler".to_owned());
        }
        tokens
    }

    /// What of the hierarchy a spec stands below: token and provider.
    pub(in crate::practice) fn required(&self, node: &Node) -> Result<Vec<(String, Node)>, Halt> {
        let mut compiler = None;
        for hash in preorder(&self.nodes, &node.hash) {
            let Some(found) = self.nodes.get(&hash) else { continue };
            let edge = found.dependencies.iter().find(|e| e.parameters.virtuals.iter().any(|v| v == "c"));
            compiler = compiler.or_else(|| edge.and_then(|e| self.nodes.get(&e.hash)).cloned());
        }
        let is_core = self.listed(node, "core_specs")?;
        let Some(compiler) = compiler.filter(|_| !is_core) else {
            return Ok(vec![("compiler".to_owned(), self.core_compiler()?)]);
        };
        let mut needs = vec![("compiler".to_owned(), compiler)];
        let own = self.provided(node);
        let below = closure(&self.nodes, [node.hash.clone()], ALL_TYPES);
        let edges: Vec<_> =
            below.iter().filter_map(|h| self.nodes.get(h)).flat_map(|n| &n.dependencies).collect();
        for token in self.hierarchy().into_iter().filter(|t| t != "compiler" && !own.contains(t)) {
            let edge = edges.iter().find(|e| e.parameters.virtuals.contains(&token));
            if let Some(provider) = edge.and_then(|e| self.nodes.get(&e.hash)) {
                needs.push((token, provider.clone()));
            }
        }
        Ok(needs)
    }

    /// A stand-in for the first core compiler: only that it is one counts.
    fn core_compiler(&self) -> Result<Node, Halt> {
        let text = self.core.first().map(String::as_str).unwrap_or_default();
        let spec = parse_one(text)?;
        let version = spec.versions.to_string();
        Ok(Node::new(spec.name.as_deref().unwrap_or_default(), version.trim_start_matches('='), FAMILY))
    }

    /// The tokens of the hierarchy that the spec provides; a compiler provides itself.
    pub fn provided(&self, node: &Node) -> Vec<String> {
        let package = self.catalogue.package(&node.name);
        let provides = |t: &String| package.is_some_and(|p| p.provides.contains(t));
        let compiler = node.name == "gcc";
        self.hierarchy().into_iter().filter(|t| provides(t) || compiler && t == "compiler").collect()
    }

    pub(in crate::practice) fn part(&self, token: &str, provider: &Node) -> Result<String, Halt> {
        let plain = format!("{}/{}", provider.name, provider.version);
        if token != "compiler" {
            return Ok(format!("{plain}-{}", provider.short()));
        }
        for core in &self.core {
            if self.fits(provider, core)? {
                return Ok("Core".to_owned());
            }
        }
        Ok(plain)
    }

    /// The folders that loading the module opens: one for each choice of what it provides, below what it needs itself.
    pub fn unlocked(&self, node: &Node) -> Result<Vec<PathBuf>, Halt> {
        let provided = self.provided(node);
        let needs = self.required(node)?;
        let mut choices: Vec<u32> = (1..1_u32 << provided.len().min(8)).collect();
        choices.sort_by_key(|c| c.count_ones());
        let mut paths = Vec::new();
        for choice in choices {
            let chosen =
                |t: &String| provided.iter().position(|p| p == t).is_some_and(|at| choice >> at & 1 == 1);
            let mut path = self.arch_dir(node);
            for token in self.hierarchy() {
                let needed = needs.iter().find(|(t, _)| *t == token && !provided.contains(t)).map(|(_, n)| n);
                if let Some(provider) = chosen(&token).then_some(node).or(needed) {
                    path = path.join(self.part(&token, provider)?);
                }
            }
            paths.push(path);
        }
        Ok(paths)
    }
}
