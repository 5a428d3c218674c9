//! Binary mirrors of layout 3 on the local disk: what the configured ones offer, and how the site's own is written
//! (contract 4.3).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::build::gzip;
use crate::base::{Result, Trouble, digest};
use crate::practice::config::Config;
use crate::practice::model::disk;
use crate::practice::model::halt::Halt;
use crate::practice::model::record::{ALL_TYPES, Node, Nodes, closure, spec_file};

pub struct Mirror {
    pub name: String,
    pub url: String,
    pub source: bool,
    pub binary: bool,
    pub signed: bool,
}

impl Mirror {
    pub fn folder(&self) -> Option<PathBuf> {
        let path = self.url.strip_prefix("file://").unwrap_or(&self.url);
        path.starts_with('/').then(|| PathBuf::from(path))
    }
}

pub fn configured(config: &Config) -> Result<Vec<Mirror>, Halt> {
    let section = config.section("mirrors")?;
    let rows = section.as_object().cloned().unwrap_or_default();
    let one = |(name, value): (String, Value)| {
        let flag = |key: &str| value.get(key).and_then(Value::as_bool).unwrap_or(true);
        let url = value.as_str().or_else(|| value.get("url")?.as_str()).unwrap_or_default();
        Mirror {
            name,
            url: config.substitute(url),
            source: flag("source"),
            binary: flag("binary"),
            signed: flag("signed"),
        }
    };
    Ok(rows.into_iter().map(one).collect())
}

fn folders(config: &Config) -> Result<Vec<PathBuf>, Halt> {
    Ok(configured(config)?.iter().filter(|m| m.binary).filter_map(Mirror::folder).collect())
}

fn blob(root: &Path, checksum: &str) -> PathBuf {
    root.join("blobs/sha256").join(checksum.get(..2).unwrap_or_default()).join(checksum)
}

fn read_json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn entry<'m>(manifest: &'m Value, media: &str) -> Option<&'m Value> {
    manifest
        .get("data")?
        .as_array()?
        .iter()
        .find(|d| d.get("mediaType").and_then(Value::as_str).is_some_and(|m| m.starts_with(media)))
}

fn index(root: &Path) -> Option<Value> {
    let manifest = read_json(&root.join("v3/manifests/index/index.manifest.json"))?;
    let checksum = entry(&manifest, "application/vnd.spack.db")?.get("checksum")?.as_str()?;
    read_json(&blob(root, checksum))
}

/// Every node that the mirrors' indices mention.
pub fn index_nodes(config: &Config) -> Result<Nodes, Halt> {
    let mut nodes = Nodes::new();
    for root in folders(config)? {
        let Some(index) = index(&root) else { continue };
        for (hash, record) in
            index.pointer("/database/installs").and_then(Value::as_object).into_iter().flatten()
        {
            let spec = record.get("spec").cloned().unwrap_or_default();
            if let Ok(node) = serde_json::from_value(spec) {
                nodes.insert(hash.clone(), node);
            }
        }
    }
    Ok(nodes)
}

/// The hashes that can be had from a mirror.
pub fn available(config: &Config) -> Result<BTreeSet<String>, Halt> {
    let mut hashes = BTreeSet::new();
    for root in folders(config)? {
        let Some(index) = index(&root) else { continue };
        for (hash, record) in
            index.pointer("/database/installs").and_then(Value::as_object).into_iter().flatten()
        {
            if record.get("in_buildcache") == Some(&Value::Bool(true)) {
                hashes.insert(hash.clone());
            }
        }
    }
    Ok(hashes)
}

/// Whether some mirror has the package with the bytes that its manifest promises. Spack takes a damaged one for a
/// missing one, and so does the stand-in.
pub fn intact(config: &Config, node: &Node) -> Result<bool, Halt> {
    let whole = |root: &PathBuf| {
        let manifest = read_json(&manifest_path(root, node))?;
        let checksum =
            entry(&manifest, "application/vnd.spack.install")?.get("checksum")?.as_str()?.to_owned();
        Some(digest::file(&blob(root, &checksum)).ok()? == checksum)
    };
    Ok(folders(config)?.iter().any(|root| whole(root) == Some(true)))
}

fn manifest_path(root: &Path, node: &Node) -> PathBuf {
    let name = format!("{}.spec.manifest.json", node.long_name());
    root.join("v3/manifests/spec").join(&node.name).join(name)
}

/// Stores the bytes under their checksum and gives the manifest's line for them.
fn put(root: &Path, bytes: &[u8], media: &str, compression: &str) -> Result<Value> {
    let checksum = digest::bytes(bytes);
    disk::write(&blob(root, &checksum), bytes)?;
    Ok(json!({
        "contentLength": bytes.len(),
        "mediaType": media,
        "compression": compression,
        "checksumAlgorithm": "sha256",
        "checksum": checksum,
    }))
}

/// Writes a mirror that holds the given packages, taken from their prefixes.
pub fn write(root: &Path, nodes: &Nodes, offered: &[(String, PathBuf)]) -> Result<()> {
    for (hash, prefix) in offered {
        push(root, nodes, hash, prefix)?;
    }
    write_index(root)
}

/// Whether the mirror has a manifest for it.
pub fn holds(root: &Path, node: &Node) -> bool {
    manifest_path(root, node).is_file()
}

/// Those of the nodes that a mirror has, mentioned in its index or not.
pub fn direct(config: &Config, nodes: &Nodes) -> Result<BTreeSet<String>, Halt> {
    let roots = folders(config)?;
    let held = |node: &&Node| roots.iter().any(|root| holds(root, node));
    Ok(nodes.values().filter(held).map(|n| n.hash.clone()).collect())
}

/// Adds one package; the index stays as it is.
pub fn push(root: &Path, nodes: &Nodes, hash: &str, prefix: &Path) -> Result<()> {
    disk::write(&root.join("v3/layout.json"), r#"{"signing": "gpg"}"#)?;
    let Some(node) = nodes.get(hash) else { return Ok(()) };
    let tarball = put(root, &gzip(&archive(prefix)?)?, "application/vnd.spack.install.v2.tar+gzip", "gzip")?;
    let mut spec = spec_file(nodes, hash);
    spec["buildcache_layout_version"] = 2.into();
    let spec = gzip(spec.to_string().as_bytes())?;
    let spec = put(root, &spec, SPEC_MEDIA, "gzip")?;
    let manifest = json!({"version": 3, "data": [tarball, spec]});
    disk::write(&manifest_path(root, node), manifest.to_string())
}

const SPEC_MEDIA: &str = "application/vnd.spack.spec.v5+json";

/// Makes the index anew from the manifests that are there.
pub fn write_index(root: &Path) -> Result<()> {
    let mut nodes = Nodes::new();
    let mut offered = BTreeSet::new();
    for entry in
        walkdir::WalkDir::new(root.join("v3/manifests/spec")).into_iter().filter_map(std::result::Result::ok)
    {
        let found = read_json(entry.path()).and_then(|manifest| {
            let checksum = entry_checksum(&manifest)?;
            spec_nodes(&blob(root, &checksum))
        });
        let Some(list) = found else { continue };
        offered.extend(list.first().map(|n| n.hash.clone()));
        nodes.extend(list.into_iter().map(|n| (n.hash.clone(), n)));
    }
    let all = closure(&nodes, offered.iter().cloned(), ALL_TYPES);
    let mut references: BTreeMap<&str, u64> = BTreeMap::new();
    for edge in all.iter().filter_map(|h| nodes.get(h)).flat_map(|n| &n.dependencies) {
        *references.entry(edge.hash.as_str()).or_default() += 1;
    }
    let installs: serde_json::Map<String, Value> = all
        .iter()
        .filter_map(|hash| {
            let count = references.get(hash.as_str()).copied().unwrap_or(0);
            let record =
                json!({"spec": nodes.get(hash)?, "ref_count": count, "in_buildcache": offered.contains(hash)});
            Some((hash.clone(), record))
        })
        .collect();
    let index = json!({"database": {"version": "8", "installs": installs}}).to_string();
    let index = put(root, index.as_bytes(), "application/vnd.spack.db.v8+json", "none")?;
    let manifest = json!({"version": 3, "data": [index]});
    disk::write(&root.join("v3/manifests/index/index.manifest.json"), manifest.to_string())
}

fn entry_checksum(manifest: &Value) -> Option<String> {
    entry(manifest, SPEC_MEDIA)?.get("checksum")?.as_str().map(str::to_owned)
}

/// The nodes of a packed spec file, the root first.
fn spec_nodes(path: &Path) -> Option<Vec<Node>> {
    let packed = std::fs::File::open(path).ok()?;
    let spec: Value = serde_json::from_reader(flate2::read::GzDecoder::new(packed)).ok()?;
    serde_json::from_value(spec.pointer("/spec/nodes")?.clone()).ok()
}

/// A tar of the tree, paths from the root of the file system, times and owners zero.
fn archive(prefix: &Path) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for entry in walkdir::WalkDir::new(prefix).sort_by_file_name() {
        let Ok(entry) = entry else { continue };
        let name = entry.path().to_string_lossy().trim_start_matches('/').to_owned();
        let is_folder = entry.file_type().is_dir();
        let data = if is_folder {
            Vec::new()
        } else {
            std::fs::read(entry.path()).map_err(|e| Trouble::io("read", entry.path(), e))?
        };
        if name.len() > 99 {
            member(&mut out, "././@LongLink", format!("{name}\0").as_bytes(), b'L', 0o644);
        }
        let kind = if is_folder { b'5' } else { b'0' };
        let runnable = entry.path().parent().is_some_and(|p| p.ends_with("bin"));
        let mode = if is_folder || runnable { 0o755 } else { 0o644 };
        member(&mut out, &name, &data, kind, mode);
    }
    out.resize(out.len() + 1024, 0);
    Ok(out)
}

/// One tar header with its data, padded to blocks.
fn member(out: &mut Vec<u8>, name: &str, data: &[u8], kind: u8, mode: u32) {
    let mut header = [0_u8; 512];
    let mut set = |at: usize, bytes: &[u8]| {
        for (to, from) in header.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    };
    set(0, name.as_bytes().get(..name.len().min(99)).unwrap_or_default());
    set(
        100,
        format!("{mode:07o}\0{:07o}\0{:07o}\0{:011o}\0{:011o}\0        ", 0, 0, data.len(), 0).as_bytes(),
    );
    set(156, &[kind]);
    set(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
    for (to, from) in header.iter_mut().skip(148).zip(format!("{sum:06o}\0 ").bytes()) {
        *to = from;
    }
    out.extend_from_slice(&header);
    out.extend_from_slice(data);
    out.resize(out.len().div_ceil(512) * 512, 0);
}
