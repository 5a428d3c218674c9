//! What stands in a module file, for Tcl modules and for Lmod: who it is, what is loaded with it, and the folders of the
//! prefix that go into the variables which the configuration names for them. Only folders that exist are named.

use std::path::Path;

use serde_json::{Map, Value};

use super::{ModuleSet, System, texts};
use crate::practice::model::format;
use crate::practice::model::halt::Halt;
use crate::practice::model::record::Node;

/// One change of the environment.
enum Change {
    Prepend(String, String),
    Append(String, String),
    Set(String, String),
    Unset(String),
}

pub fn text(set: &ModuleSet, node: &Node) -> Result<String, Halt> {
    let changes = changes(set, node)?;
    let now = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S%.6f").to_string();
    let title = format!("{}/{}", format::display(node, &set.nodes), node.short());
    match set.system {
        System::Tcl => tcl(set, node, &changes, &now, &title),
        System::Lmod => lmod(set, node, &changes, &now, &title),
    }
}

fn changes(set: &ModuleSet, node: &Node) -> Result<Vec<Change>, Halt> {
    let prefix = set.store.prefix(node);
    let rules = set.rules(node)?;
    let filter = rules.get("filter").and_then(|f| f.get("exclude_env_vars"));
    let left_out = texts(filter);
    let mut changes = Vec::new();
    for (folder, variables) in &set.inspections {
        let below = folder.trim_start_matches("./");
        let path = if below.is_empty() { prefix.join(".") } else { prefix.join(below) };
        if path.is_dir() && !is_system(&path) {
            let path =
                if below.is_empty() { format!("{}/.", prefix.display()) } else { path.display().to_string() };
            changes.extend(texts(Some(variables)).into_iter().map(|v| Change::Prepend(v, path.clone())));
        }
    }
    if let Some(wanted) = rules.get("environment").and_then(Value::as_object) {
        configured(set, node, wanted, &prefix, &mut changes)?;
    }
    changes.retain(|change| {
        let (Change::Prepend(name, _) | Change::Append(name, _) | Change::Set(name, _) | Change::Unset(name)) = change;
        !left_out.contains(name)
    });
    Ok(changes)
}

fn is_system(path: &Path) -> bool {
    ["/", "/usr", "/usr/local"].iter().any(|root| {
        ["", "bin", "lib", "lib64", "include", "share"]
            .iter()
            .any(|below| path == Path::new(root).join(below))
    })
}

/// `environment: {set: {'{name}_ROOT': '{prefix}'}}` and the like.
fn configured(
    set: &ModuleSet,
    node: &Node,
    wanted: &Map<String, Value>,
    prefix: &Path,
    changes: &mut Vec<Change>,
) -> Result<(), Halt> {
    let fill = |text: &str| -> Result<String, Halt> {
        format::fill(text, node, &set.nodes, &prefix.to_string_lossy()).map_err(Halt::failed)
    };
    let variable = |text: &str| -> Result<String, Halt> {
        // Only what is filled in is written in capitals.
        let (head, rest) = text.split_once('{').unwrap_or((text, ""));
        let (field, tail) = rest.split_once('}').unwrap_or(("", rest));
        let middle =
            if field.is_empty() { String::new() } else { fill(&format!("{{{field}}}"))?.to_uppercase() };
        Ok(format!("{head}{middle}{tail}").replace('-', "_"))
    };
    for name in texts(wanted.get("unset")) {
        changes.push(Change::Unset(variable(&name)?));
    }
    for (key, make) in [
        ("set", Change::Set as fn(String, String) -> Change),
        ("prepend_path", Change::Prepend),
        ("append_path", Change::Append),
    ] {
        for (name, value) in wanted.get(key).and_then(Value::as_object).into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            changes.push(make(variable(name)?, fill(&value)?));
        }
    }
    Ok(())
}

fn touches_man_path(changes: &[Change]) -> bool {
    let is = |c: &Change| matches!(c, Change::Prepend(n, _) | Change::Append(n, _) if n == "MANPATH");
    changes.iter().any(is)
}

fn tcl(set: &ModuleSet, node: &Node, changes: &[Change], now: &str, title: &str) -> Result<String, Halt> {
    let mut out = format!(
        "#%Module1.0\n## Module file created by spack (https://github.com/spack/spack) on {now}\n##\n## {title}\n##\n\n"
    );
    out += &format!(
        "module-whatis {{{} of moonstack's practice site.}}\n\nproc ModulesHelp {{ }} {{\n",
        node.name
    );
    for (label, value) in [("Name   ", &*node.name), ("Version", &*node.version), ("Target ", node.target())]
    {
        out += &format!("    puts stderr {{{label}: {value}}}\n");
    }
    out += "}\n\n";
    let loads = set.autoload(node)?;
    if !loads.is_empty() {
        out += "if {![info exists ::env(LMOD_VERSION_MAJOR)]} {\n";
        for name in &loads {
            out += &format!("    module load {name}\n");
        }
        out += "} else {\n";
        for name in &loads {
            out += &format!("    depends-on {name}\n");
        }
        out += "}\n\n";
    }
    for name in texts(set.rules(node)?.get("conflict")) {
        out += &format!("conflict {}\n", format::fill(&name, node, &set.nodes, "").map_err(Halt::failed)?);
    }
    for change in changes {
        out += &match change {
            Change::Prepend(name, value) => format!("prepend-path {name} {{{value}}}\n"),
            Change::Append(name, value) => format!("append-path {name} {{{value}}}\n"),
            Change::Set(name, value) => format!("setenv {name} {{{value}}}\n"),
            Change::Unset(name) => format!("unsetenv {name}\n"),
        };
    }
    if touches_man_path(changes) {
        out += "append-path MANPATH {}\n";
    }
    Ok(out)
}

fn lmod(set: &ModuleSet, node: &Node, changes: &[Change], now: &str, title: &str) -> Result<String, Halt> {
    let mut out = format!(
        "-- -*- lua -*-\n-- Module file created by spack (https://github.com/spack/spack) on {now}\n--\n-- {title}\n--\n\n"
    );
    let target = node.target();
    for (label, value) in [("Name", &*node.name), ("Version", &*node.version), ("Target", target)] {
        out += &format!("whatis([[{label} : {value}]])\n");
    }
    out += &format!("whatis([[Short description : {} of moonstack's practice site.]])\n\n", node.name);
    for (label, value) in [("Name   ", &*node.name), ("Version", &*node.version), ("Target ", target)] {
        out += &format!("help([[{label}: {value}]])\n");
    }
    out.push('\n');
    out += &services(set, node)?;
    for name in set.autoload(node)? {
        out += &format!("depends_on(\"{name}\")\n");
    }
    for name in texts(set.rules(node)?.get("conflict")) {
        let name = format::fill(&name, node, &set.nodes, "").map_err(Halt::failed)?;
        out += &format!("conflict(\"{name}\")\n");
    }
    for change in changes {
        out += &match change {
            Change::Prepend(name, value) => format!("prepend_path(\"{name}\", \"{value}\", \":\")\n"),
            Change::Append(name, value) => format!("append_path(\"{name}\", \"{value}\", \":\")\n"),
            Change::Set(name, value) => format!("setenv(\"{name}\", \"{value}\")\n"),
            Change::Unset(name) => format!("unsetenv(\"{name}\")\n"),
        };
    }
    if touches_man_path(changes) {
        out += "append_path(\"MANPATH\", \"\", \":\")\n";
    }
    Ok(out)
}

/// What a provider of the hierarchy says and opens.
fn services(set: &ModuleSet, node: &Node) -> Result<String, Halt> {
    let provided = set.provided(node);
    if provided.is_empty() {
        return Ok(String::new());
    }
    let mut out = "-- Services provided by the package\n".to_owned();
    for name in &provided {
        out += &format!("family(\"{name}\")\n");
    }
    out += "\n-- Loading this module unlocks the path below unconditionally\n";
    for path in set.unlocked(node)? {
        out += &format!("prepend_path(\"MODULEPATH\", \"{}\")\n", path.display());
    }
    if provided != ["compiler"] {
        out += "\n-- Set variables to notify the provider of the new services\n";
        for name in &provided {
            let upper = name.to_uppercase();
            out += &format!("setenv(\"LMOD_{upper}_NAME\", \"{}\")\n", node.name);
            out += &format!("setenv(\"LMOD_{upper}_VERSION\", \"{}-{}\")\n", node.version, node.short());
        }
    }
    Ok(out + "\n")
}
