//! What a build leaves behind: programs that run, Spack's metadata in `.spack`, and for a failure the log in the
//! stage. Nothing is compiled.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::catalogue::Package;
use super::disk;
use super::record::{Node, Nodes, spec_file};
use crate::base::{Kind, Result, Trouble};
use crate::spack::prefix_manifest::content_hash;
use crate::world::eyes::LiveEyes;

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
        "spack_version": super::VERSION,
        "kernel_version": "practice",
    });
    disk::write(&metadata.join("install_environment.json"), environment.to_string())
}

/// Fills and finishes the prefix.
pub fn finish(prefix: &Path, node: &Node, package: &Package, log: &str, cached: bool) -> Result<()> {
    for program in &package.programs {
        let text = format!(
            "#!/bin/sh\n# A stand-in that the practice site installed.\necho \"{program} ({}) {}\"\n",
            node.name, node.version
        );
        disk::program(&prefix.join("bin").join(program), &text)?;
    }
    let readme = format!("{} {} on moonstack's practice site\n", node.name, node.version);
    disk::write(&prefix.join("share").join(&node.name).join("README"), readme)?;
    let metadata = prefix.join(METADATA);
    disk::write(&metadata.join("spack-build-out.txt.gz"), gzip(log.as_bytes())?)?;
    let phases: Vec<Value> =
        package.phases.iter().map(|p| json!({"name": p, "path": p, "seconds": 0.001, "count": 1})).collect();
    let times =
        json!({"total": 0.01, "phases": phases, "name": node.name, "cache": cached, "hash": node.hash});
    disk::write(&metadata.join("install_times.json"), times.to_string())?;
    if cached {
        disk::write(&metadata.join("binary_distribution"), json!({"relocate_textfiles": []}).to_string())?;
    }
    let manifest = manifest(prefix)?;
    disk::write(&metadata.join("install_manifest.json"), Value::Object(manifest).to_string())
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
