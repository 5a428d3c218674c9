//! What a build leaves behind: programs that run, Spack's metadata in `.spack`, and for a failure the log in the
//! stage. Nothing is compiled.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::Store;
use crate::base::{Kind, Result, Trouble};
use crate::practice::model::catalogue::{Catalogue, Package};
use crate::practice::model::disk;
use crate::practice::model::record::{Node, Nodes, closure, spec_file};
use crate::spack::store::prefix_manifest::content_hash;
use crate::world::fs::eyes::LiveEyes;

/// The folder for Spack's own files in a prefix.
pub const METADATA: &str = ".spack";

/// The log of a build that goes well, phase by phase.
pub fn log(node: &Node, phases: &[String]) -> String {
    let mut text = String::new();
    for phase in phases {
        text.push_str(&format!("==> {}: Executing phase: '{phase}'\n", node.name));
        text.push_str(&format!("{phase}: nothing to do on the practice site\n"));
    }
    text
}

/// The log of a build that does not, and the number of the line with the error.
pub fn failing_log(node: &Node, phases: &[String]) -> (String, usize) {
    let mut text = String::new();
    for phase in phases {
        text.push_str(&format!("==> {}: Executing phase: '{phase}'\n", node.name));
        if phase == "build" || phases.len() == 1 {
            break;
        }
        text.push_str("checking for a working make... yes\n");
    }
    text.push_str("==> 'make' '-j1'\n");
    text.push_str("cc -O2 -c -o engine.o engine.c\n");
    text.push_str("engine.c:41:9: warning: unused variable 'spare'\n");
    let line = text.lines().count() + 1;
    text.push_str("engine.c:57:13: error: 'ENGINE_MAX' undeclared (first use in this function)\n");
    text.push_str("make: *** [Makefile:12: engine.o] Error 1\n");
    (text, line)
}

/// Starts the prefix as Spack does: the metadata comes before the build.
pub fn begin(prefix: &Path, node: &Node, nodes: &Nodes) -> Result<()> {
    disk::folder(prefix)?;
    let metadata = prefix.join(METADATA);
    disk::write(&metadata.join("spec.json"), spec_file(nodes, &node.hash).to_string())?;
    let environment = json!({
        "host_os": node.arch.platform_os,
        "platform": node.arch.platform,
        "host_target": node.target(),
        "hostname": "practice",
        "spack_version": crate::practice::model::release::VERSION,
        "kernel_version": "practice",
    });
    disk::write(&metadata.join("install_environment.json"), environment.to_string())
}

/// What a finished prefix holds beside Spack's own files.
pub struct Content<'a> {
    pub log: &'a str,
    pub cached: bool,
    /// The libraries that its programs load.
    pub libraries: Vec<PathBuf>,
    /// Its programs end with an error.
    pub broken: bool,
}

/// The library files of a package.
fn own_libraries(prefix: &Path, package: &Package) -> Vec<PathBuf> {
    package.libraries.iter().map(|name| prefix.join("lib").join(format!("lib{name}.so"))).collect()
}

/// The libraries of a spec and of all that it links.
pub fn libraries(store: &Store, catalogue: &Catalogue, nodes: &Nodes, node: &Node) -> Vec<PathBuf> {
    let linked = closure(nodes, [node.hash.clone()], &["link"]);
    let linked = linked.iter().filter_map(|h| nodes.get(h)).filter(|n| n.external.is_none());
    linked
        .filter_map(|n| Some((n, catalogue.package(&n.name)?)))
        .flat_map(|(n, package)| own_libraries(&store.prefix(n), package))
        .collect()
}

/// Cuts the libraries, as a bad disk or a careless hand would.
pub fn damage(prefix: &Path, package: &Package) -> Result<()> {
    own_libraries(prefix, package).iter().try_for_each(|library| disk::write(library, ""))
}

/// A program that loads its libraries and says who it is.
fn program(name: &str, node: &Node, content: &Content<'_>) -> String {
    let mut text = "#!/bin/sh\n# A stand-in that the practice site installed.\n".to_owned();
    if !content.libraries.is_empty() {
        text += "for library in";
        for library in &content.libraries {
            text += &format!(" \\\n  '{}'", library.to_string_lossy().replace('\'', "'\\''"));
        }
        text += &format!(
            "; do\n  word=\n  [ -r \"$library\" ] && read -r word rest < \"$library\"\n  if [ \"$word\" != {LIBRARY} ]; then\n    echo \"{name}: error while loading shared libraries: $library: invalid or missing\" >&2\n    exit 127\n  fi\ndone\n"
        );
    }
    if content.broken {
        text += &format!(
            "echo \"{name}: internal error: this version of {} does not work\" >&2\nexit 3\n",
            node.name
        );
        return text;
    }
    text += &format!("echo \"{name} ({}) {}\"\n", node.name, node.version);
    text
}

/// The first word of a library, by which programs know a whole one.
const LIBRARY: &str = "practice-library";

/// Fills the prefix.
pub fn fill(prefix: &Path, node: &Node, package: &Package, content: &Content<'_>) -> Result<()> {
    for name in &package.programs {
        disk::program(&prefix.join("bin").join(name), &program(name, node, content))?;
    }
    for library in own_libraries(prefix, package) {
        disk::write(&library, format!("{LIBRARY} {} {}\n", node.name, node.version))?;
    }
    let readme = format!("{} {} on moonstack's practice site\n", node.name, node.version);
    disk::write(&prefix.join("share").join(&node.name).join("README"), readme)?;
    let metadata = prefix.join(METADATA);
    disk::write(&metadata.join("spack-build-out.txt.gz"), gzip(content.log.as_bytes())?)?;
    let phases: Vec<Value> =
        package.phases.iter().map(|p| json!({"name": p, "path": p, "seconds": 0.001, "count": 1})).collect();
    let times = json!({"total": 0.01, "phases": phases, "name": node.name, "cache": content.cached, "hash": node.hash});
    disk::write(&metadata.join("install_times.json"), times.to_string())?;
    if content.cached {
        disk::write(&metadata.join("binary_distribution"), json!({"relocate_textfiles": []}).to_string())?;
    }
    Ok(())
}

/// Writes down what is in the prefix.
pub fn finish(prefix: &Path) -> Result<()> {
    let manifest = Value::Object(manifest(prefix)?);
    disk::write(&prefix.join(METADATA).join("install_manifest.json"), manifest.to_string())
}

pub fn gzip(data: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder
        .write_all(data)
        .and_then(|()| encoder.finish())
        .map_err(|e| Trouble::new(Kind::Internal, "cannot compress").caused_by(e))
}

/// Every path of a prefix with what Spack records of it.
pub fn manifest(prefix: &Path) -> Result<Map<String, Value>> {
    let mut out = Map::new();
    for entry in walkdir::WalkDir::new(prefix).sort_by_file_name() {
        let Ok(entry) = entry else { continue };
        let path = entry.path();
        // Spack leaves out what it writes after the manifest.
        if path.ends_with(".spack/install_manifest.json") || path.ends_with(".spack/install_times.json") {
            continue;
        }
        let meta = std::fs::symlink_metadata(path).map_err(|e| Trouble::io("look at", path, e))?;
        let mut row = json!({"mode": meta.mode(), "owner": meta.uid(), "group": meta.gid()});
        if meta.is_symlink() {
            let target = std::fs::read_link(path).map_err(|e| Trouble::io("read the link", path, e))?;
            row["dest"] = target.to_string_lossy().into();
        } else if meta.is_file() {
            row["hash"] = content_hash(&LiveEyes, path)?.into();
            row["time"] = seconds(&meta).into();
            row["size"] = meta.size().into();
        }
        out.insert(path.to_string_lossy().into_owned(), row);
    }
    Ok(out)
}

/// The time of modification, rounded as Python rounds it, since Spack compares for equality.
pub fn seconds(meta: &std::fs::Metadata) -> f64 {
    meta.mtime() as f64 + 1e-9 * meta.mtime_nsec() as f64
}

/// The stage of a build below the stage root.
pub fn stage(root: &Path, node: &Node) -> PathBuf {
    root.join(format!("spack-stage-{}", node.long_name()))
}
