//! A small deterministic concretizer: newest version, default variants and default providers unless something
//! asks otherwise; everything in one request shares one configuration of each package, also with what is kept of an
//! environment. It does not optimise and reuses only that; a request that contradicts itself or what is kept is
//! refused in Spack's words.
//!
//! ```text
//! { choose, wishes }
//! ```

pub(crate) mod choose;
pub(crate) mod wishes;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::practice::model::catalogue::{Catalogue, LANGUAGES, Package};
use crate::practice::model::halt::Halt;
use crate::practice::model::query::{parse_one, variant_fits, version_fits};
use crate::practice::model::record::{ALL_TYPES, Edge, EdgeParameters, FLAGS, Node, Nodes, TARGET, closure};
use crate::spack::spec::Spec;
use choose::{Choice, applies, choose, compiler_of, unsatisfiable};
use wishes::Wishes;

#[derive(Debug, Clone, Default)]
pub struct Solution {
    pub nodes: Nodes,
    /// One hash for each request, in their order.
    pub roots: Vec<String>,
}

pub struct Solver<'a> {
    pub catalogue: &'a Catalogue,
    /// Sealed nodes of the configured compilers, preferred first.
    pub compilers: &'a [Node],
    pub wishes: Wishes,
    pub kept: Kept,
}

/// What of an environment stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    pub nodes: Nodes,
    /// Name to hash, of what the roots that stay link and run: there is no other of that name beside it.
    pub fixed: BTreeMap<String, String>,
}

impl Kept {
    /// All that these roots need.
    pub fn of(nodes: &Nodes, roots: &[String]) -> Kept {
        let all = closure(nodes, roots.iter().cloned(), ALL_TYPES);
        let shared = closure(nodes, roots.iter().cloned(), &["link", "run"]);
        let named = |hash: &String| Some((nodes.get(hash)?.name.clone(), hash.clone()));
        Kept {
            nodes: all.iter().filter_map(|h| Some((h.clone(), nodes.get(h)?.clone()))).collect(),
            fixed: shared.iter().filter_map(named).collect(),
        }
    }
}

type Wants = BTreeMap<String, Vec<Spec>>;

impl Solver<'_> {
    pub fn solve(&self, requests: &[Spec]) -> Result<Solution, Halt> {
        let title = requests.iter().map(ToString::to_string).collect::<Vec<_>>().join("`, `");
        let fixed = self.explicit_wants(requests)?;
        let mut roots = Vec::new();
        for request in requests {
            let name = request.name.as_deref().unwrap_or_default();
            roots.push(self.provider(name, &fixed));
        }
        let mut wants = fixed.clone();
        for _ in 0..32 {
            let (choices, next) = self.round(&roots, &wants, &fixed, &title)?;
            if next == wants {
                return self.assemble(&choices, &roots, requests, &title);
            }
            wants = next;
        }
        Err(unsatisfiable(&title, &["the constraints never settle".to_owned()]))
    }

    /// What the requests themselves say about each package.
    fn explicit_wants(&self, requests: &[Spec]) -> Result<Wants, Halt> {
        let mut wants = Wants::new();
        let mut stack: Vec<Spec> = requests.to_vec();
        let mut first = requests.len();
        while !stack.is_empty() {
            let spec = stack.remove(0);
            let is_root = first > 0;
            first = first.saturating_sub(1);
            let Some(name) = spec.name.clone() else {
                return Err(Halt::failed(format!("cannot concretize '{spec}', since it has no name")));
            };
            if !self.catalogue.knows(&name) {
                return Err(Halt::failed(format!(
                    "cannot concretize '{name}', since '{name}' does not exist"
                )));
            }
            self.check_known(&spec, &name)?;
            for edge in &spec.dependencies {
                let compiler =
                    edge.spec.name.as_deref().is_some_and(|n| n == "gcc" || LANGUAGES.contains(&n));
                if !compiler {
                    stack.push(edge.spec.clone());
                }
            }
            let target = if is_root { name } else { spec.name.clone().unwrap_or_default() };
            wants.entry(target).or_default().push(spec);
        }
        // A want on a virtual is a want on its provider.
        for virtual_name in self.catalogue.defaults.keys() {
            if let Some(list) = wants.remove(virtual_name) {
                let provider = self.provider(virtual_name, &wants);
                let renamed = list.into_iter().map(|mut s| {
                    s.name = Some(provider.clone());
                    s.versions = crate::spack::spec::version::VersionList::any();
                    s
                });
                wants.entry(provider.clone()).or_default().extend(renamed);
            }
        }
        Ok(wants)
    }

    fn check_known(&self, spec: &Spec, name: &str) -> Result<(), Halt> {
        let Some(package) = self.catalogue.package(name) else { return Ok(()) };
        for variant in spec.variants.keys() {
            if !package.variants.contains_key(variant) && variant != "build_system" {
                return Err(Halt::failed(format!("No such variant {{'{variant}'}} for spec: '{spec}'")));
            }
        }
        if package.versions.iter().any(|v| version_fits(v, &spec.versions)) {
            return Ok(());
        }
        Err(Halt::failed(format!("No version exists that satisfies these input specs:\n    {spec}")))
    }

    /// The package that stands for a name: itself, or the provider of a virtual.
    fn provider(&self, name: &str, wants: &Wants) -> String {
        if self.catalogue.package(name).is_some() {
            return name.to_owned();
        }
        let providers = self.catalogue.providers(name);
        let wished = self.wishes.provider(name);
        let named = |wish: Option<(&str, bool)>| {
            providers.iter().find(|p| wish.is_some_and(|(w, _)| w == **p)).copied()
        };
        let chosen = named(wished.filter(|(_, must)| *must))
            .or_else(|| providers.iter().find(|p| self.kept.fixed.contains_key(**p)).copied())
            .or_else(|| providers.iter().find(|p| wants.contains_key(**p)).copied())
            .or_else(|| named(wished))
            .or(providers.first().copied());
        chosen.unwrap_or(name).to_owned()
    }

    fn round(
        &self,
        roots: &[String],
        wants: &Wants,
        fixed: &Wants,
        title: &str,
    ) -> Result<(BTreeMap<String, Choice>, Wants), Halt> {
        let mut choices = BTreeMap::new();
        let mut next = fixed.clone();
        let mut rest: Vec<String> = roots.to_vec();
        while let Some(name) = rest.pop() {
            if choices.contains_key(&name) {
                continue;
            }
            let Some(package) = self.catalogue.package(&name) else {
                return Err(Halt::failed(format!(
                    "cannot concretize '{name}', since '{name}' does not exist"
                )));
            };
            let wanted = wants.get(&name).cloned().unwrap_or_default();
            if let Some(node) = self.kept(&name) {
                check_kept(node, &wanted, title)?;
                choices.insert(name, Choice::default());
                continue;
            }
            let mut choice = self.choose(&name, package, wanted, title)?;
            for dependency in &package.depends {
                if !applies(&dependency.when, &choice)? {
                    continue;
                }
                let mut spec = parse_one(&dependency.spec)?;
                let wanted = spec.name.clone().unwrap_or_default();
                let provider = self.provider(&wanted, wants);
                let (types, virtuals) = choice.needs.entry(provider.clone()).or_default();
                types.extend(dependency.types.split(' ').map(str::to_owned));
                if provider != wanted {
                    virtuals.insert(wanted);
                    spec.name = Some(provider.clone());
                }
                next.entry(provider.clone()).or_default().push(spec);
                rest.push(provider);
            }
            choices.insert(name, choice);
        }
        if let Some(stray) = fixed.keys().find(|n| !choices.contains_key(*n)) {
            return Err(unsatisfiable(
                title,
                &[format!("{stray} is not a dependency of any requested spec")],
            ));
        }
        Ok((choices, next))
    }

    fn kept(&self, name: &str) -> Option<&Node> {
        self.kept.nodes.get(self.kept.fixed.get(name)?)
    }

    /// With what configuration requires, and as much of what it prefers as can be.
    fn choose(&self, name: &str, package: &Package, wants: Vec<Spec>, title: &str) -> Result<Choice, Halt> {
        let mut wants = wants;
        wants.extend(self.wishes.required(name, package));
        let mut chosen = choose(name, package, &wants, title)?;
        let is_there = |spec: &Spec| {
            let compiler = compiler_of(spec);
            compiler.is_none_or(|c| {
                self.compilers
                    .iter()
                    .any(|n| c.name.as_ref() == Some(&n.name) && version_fits(&n.version, &c.versions))
            })
        };
        for wish in self.wishes.preferred(name, package).into_iter().filter(is_there) {
            let known = wish.variants.keys().all(|v| package.variants.contains_key(v));
            wants.push(wish);
            match choose(name, package, &wants, title) {
                Ok(better) if known => chosen = better,
                _ => drop(wants.pop()),
            }
        }
        Ok(chosen)
    }

    fn assemble(
        &self,
        choices: &BTreeMap<String, Choice>,
        roots: &[String],
        requests: &[Spec],
        title: &str,
    ) -> Result<Solution, Halt> {
        let general = requests.iter().find_map(compiler_of);
        let mut made = BTreeMap::new();
        let mut solution = Solution::default();
        for root in roots {
            let hash = self.node(root, choices, general.as_ref(), &mut made, &mut solution.nodes, title)?;
            solution.roots.push(hash);
        }
        Ok(solution)
    }

    fn node(
        &self,
        name: &str,
        choices: &BTreeMap<String, Choice>,
        general: Option<&Spec>,
        made: &mut BTreeMap<String, String>,
        nodes: &mut Nodes,
        title: &str,
    ) -> Result<String, Halt> {
        if let Some(hash) = made.get(name) {
            return Ok(hash.clone());
        }
        if let Some(kept) = self.kept(name) {
            let below = closure(&self.kept.nodes, [kept.hash.clone()], ALL_TYPES);
            nodes.extend(below.iter().filter_map(|h| Some((h.clone(), self.kept.nodes.get(h)?.clone()))));
            return Ok(kept.hash.clone());
        }
        let (Some(choice), Some(package)) = (choices.get(name), self.catalogue.package(name)) else {
            return Err(Halt::internal(format!("'{name}' was not chosen")));
        };
        if package.external {
            return self.add_compiler(|n| n.version == choice.version, nodes, title);
        }
        let mut node = Node::new(name, &choice.version, TARGET);
        node.parameters.extend(choice.parameters.clone());
        for flag in FLAGS {
            let set = choice.flags.get(flag).cloned().unwrap_or_default();
            node.parameters.insert(flag.to_owned(), Value::Array(set));
        }
        for (dependency, (types, virtuals)) in &choice.needs {
            let hash = self.node(dependency, choices, general, made, nodes, title)?;
            node.dependencies.push(edge(dependency, hash, types, virtuals));
        }
        if !package.languages.is_empty() {
            self.add_toolchain(&mut node, package, choice.compiler.as_ref().or(general), nodes, title)?;
        }
        node.seal();
        let hash = node.hash.clone();
        nodes.insert(hash.clone(), node);
        made.insert(name.to_owned(), hash.clone());
        Ok(hash)
    }

    fn add_compiler(
        &self,
        fits: impl Fn(&Node) -> bool,
        nodes: &mut Nodes,
        title: &str,
    ) -> Result<String, Halt> {
        let found = self.compilers.iter().find(|n| fits(n));
        let Some(compiler) = found else {
            return Err(unsatisfiable(title, &["no configured compiler satisfies the request".to_owned()]));
        };
        nodes.insert(compiler.hash.clone(), compiler.clone());
        Ok(compiler.hash.clone())
    }

    /// Compiler, its runtime and Spack's wrapper, as dependencies.
    fn add_toolchain(
        &self,
        node: &mut Node,
        package: &Package,
        wanted: Option<&Spec>,
        nodes: &mut Nodes,
        title: &str,
    ) -> Result<(), Halt> {
        let fits = |n: &Node| {
            wanted.is_none_or(|w| {
                w.name.as_deref().is_none_or(|name| name == n.name) && version_fits(&n.version, &w.versions)
            })
        };
        let hash = self.add_compiler(fits, nodes, title)?;
        let version = nodes.get(&hash).map(|n| n.version.clone()).unwrap_or_default();
        let mut runtime = Node::new("gcc-runtime", &version, TARGET);
        plain_parameters(&mut runtime);
        runtime.dependencies.push(edge_of("gcc", hash.clone(), "build", &[]));
        runtime.seal();
        let wrapper_version = self
            .catalogue
            .package("compiler-wrapper")
            .and_then(|p| p.versions.first())
            .cloned()
            .unwrap_or_default();
        let mut wrapper = Node::new("compiler-wrapper", &wrapper_version, TARGET);
        plain_parameters(&mut wrapper);
        wrapper.seal();
        let languages: Vec<&str> = package.languages.iter().map(String::as_str).collect();
        node.dependencies.push(edge_of("gcc", hash, "build", &languages));
        node.dependencies.push(edge_of("gcc-runtime", runtime.hash.clone(), "link", &[]));
        node.dependencies.push(edge_of("compiler-wrapper", wrapper.hash.clone(), "build", &[]));
        nodes.insert(runtime.hash.clone(), runtime);
        nodes.insert(wrapper.hash.clone(), wrapper);
        Ok(())
    }
}

/// What stays as it is must be what is wanted.
fn check_kept(node: &Node, wants: &[Spec], title: &str) -> Result<(), Halt> {
    let fits = |want: &&Spec| {
        version_fits(&node.version, &want.versions)
            && want.variants.iter().all(|(name, wanted)| variant_fits(node.parameters.get(name), wanted))
    };
    match wants.iter().find(|want| !fits(want)) {
        None => Ok(()),
        Some(want) => Err(unsatisfiable(
            title,
            &[format!("Cannot satisfy '{want}': the environment has {}@{} already", node.name, node.version)],
        )),
    }
}

/// Parameters of a node that has no variants.
pub fn plain_parameters(node: &mut Node) {
    node.parameters.insert("build_system".to_owned(), Value::from("generic"));
    for flag in FLAGS {
        node.parameters.insert(flag.to_owned(), Value::Array(Vec::new()));
    }
}

fn edge_of(name: &str, hash: String, types: &str, virtuals: &[&str]) -> Edge {
    let own = |text: &str| text.split(' ').map(str::to_owned).collect();
    edge(name, hash, &own(types), &virtuals.iter().map(|v| (*v).to_owned()).collect())
}

fn edge(name: &str, hash: String, types: &BTreeSet<String>, virtuals: &BTreeSet<String>) -> Edge {
    let order = ["build", "link", "run", "test"];
    Edge {
        name: name.to_owned(),
        hash,
        parameters: EdgeParameters {
            deptypes: order.iter().filter(|t| types.contains(**t)).map(|t| (*t).to_owned()).collect(),
            virtuals: virtuals.iter().cloned().collect(),
            rest: serde_json::Map::new(),
        },
    }
}
