//! What a manifest says of its views: where each stands, which specs it shows and where in it they lie. The forms are
//! `true`, `false`, a path, and a mapping of names to paths or descriptions.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::environment::Environment;
use crate::practice::model::format;
use crate::practice::model::halt::Halt;
use crate::practice::model::query::{self, parse_one};
use crate::practice::model::record::{Node, Nodes, build_order, closure};
use crate::practice::store::Records;
use crate::spack::spec::Spec;

/// The packages of which a view shows only the newest, as Spack knows them by their tag.
pub const RUNTIMES: [&str; 1] = ["gcc-runtime"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkType {
    Symlink,
    Hardlink,
    Copy,
}

#[derive(Debug, Clone)]
pub struct Descriptor {
    pub root: PathBuf,
    raw_root: String,
    projections: Map<String, Value>,
    select: Vec<String>,
    exclude: Vec<String>,
    link: String,
    pub link_type: LinkType,
}

/// The views of an environment, in the manifest's order.
pub fn declared(environment: &Environment) -> Result<Vec<Descriptor>, Halt> {
    let manifest = environment.manifest()?;
    let default = environment.view_path().to_string_lossy().into_owned();
    Ok(match manifest.get("view") {
        Some(Value::Bool(false)) => Vec::new(),
        Some(Value::String(path)) => vec![Descriptor::at(environment, path)],
        Some(Value::Object(map)) if !map.is_empty() => {
            map.values().filter_map(|value| Descriptor::read(environment, value)).collect()
        }
        _ => vec![Descriptor::at(environment, &default)],
    })
}

impl Descriptor {
    fn at(environment: &Environment, path: &str) -> Descriptor {
        Descriptor {
            root: environment.path_in(path),
            raw_root: path.to_owned(),
            projections: Map::new(),
            select: Vec::new(),
            exclude: Vec::new(),
            link: "all".to_owned(),
            link_type: LinkType::Symlink,
        }
    }

    fn read(environment: &Environment, value: &Value) -> Option<Descriptor> {
        let root = value.as_str().or_else(|| value.get("root")?.as_str())?;
        let words = |key: &str| -> Vec<String> {
            let list = value.get(key).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let text =
            |key: &str, default: &str| value.get(key).and_then(Value::as_str).unwrap_or(default).to_owned();
        let mut descriptor = Descriptor::at(environment, root);
        descriptor.projections =
            value.get("projections").and_then(Value::as_object).cloned().unwrap_or_default();
        (descriptor.select, descriptor.exclude) = (words("select"), words("exclude"));
        descriptor.link = text("link", "all");
        descriptor.link_type = match text("link_type", "symlink").as_str() {
            "hardlink" | "hard" => LinkType::Hardlink,
            "copy" | "relocate" => LinkType::Copy,
            _ => LinkType::Symlink,
        };
        Some(descriptor)
    }

    /// The description that is hashed: key by key what Spack puts there, since the hash names the folder.
    pub fn description(&self) -> Value {
        let mut out = Map::new();
        out.insert("root".to_owned(), json!(self.raw_root));
        for (key, value) in [
            ("projections", Value::Object(self.projections.clone())),
            ("select", json!(self.select)),
            ("exclude", json!(self.exclude)),
        ] {
            let empty = value.as_array().is_some_and(Vec::is_empty) || value == json!({});
            if !empty {
                out.insert(key.to_owned(), value);
            }
        }
        let kind = match self.link_type {
            LinkType::Symlink => "symlink",
            LinkType::Hardlink => "hardlink",
            LinkType::Copy => "copy",
        };
        out.insert("link_type".to_owned(), json!(kind));
        if self.link != "all" {
            out.insert("link".to_owned(), json!(self.link));
        }
        Value::Object(out)
    }

    /// The installed specs that the view shows, what needs others before these.
    pub fn members<'n>(
        &self,
        roots: &[String],
        nodes: &'n Nodes,
        records: &Records,
    ) -> Result<Vec<&'n Node>, Halt> {
        let types: &[&str] = match self.link.as_str() {
            "all" => &["link", "run"],
            "run" => &["run"],
            _ => &[],
        };
        let reached = closure(nodes, roots.iter().cloned(), types);
        let specs = |words: &[String]| words.iter().map(|w| parse_one(w)).collect::<Result<Vec<_>, _>>();
        let (select, exclude) = (specs(&self.select)?, specs(&self.exclude)?);
        let any = |list: &[Spec], node: &Node| list.iter().any(|s| query::matches(node, s, nodes));
        let mut order = build_order(nodes, roots);
        order.reverse();
        let mut members: Vec<&Node> = order
            .iter()
            .filter(|hash| reached.contains(*hash) && records.installed(hash).is_some())
            .filter_map(|hash| nodes.get(hash))
            .filter(|node| (select.is_empty() || any(&select, node)) && !any(&exclude, node))
            .collect();
        drop_old_runtimes(&mut members);
        Ok(members)
    }

    /// Where the spec lies in the view, from its root.
    pub fn place(&self, node: &Node, nodes: &Nodes) -> Result<String, Halt> {
        match format::projection(&self.projections, node, nodes)? {
            Some(pattern) => format::fill(&pattern, node, nodes, "").map_err(Halt::failed),
            None => Ok(String::new()),
        }
    }
}

fn drop_old_runtimes(members: &mut Vec<&Node>) {
    for name in RUNTIMES {
        let newest =
            members.iter().filter(|n| n.name == name).max_by(|a, b| older(a, b)).map(|n| n.hash.clone());
        members.retain(|n| n.name != name || Some(&n.hash) == newest.as_ref());
    }
}

fn older(a: &Node, b: &Node) -> std::cmp::Ordering {
    let parts = |n: &Node| -> Vec<u64> { n.version.split('.').filter_map(|p| p.parse().ok()).collect() };
    parts(a).cmp(&parts(b))
}
