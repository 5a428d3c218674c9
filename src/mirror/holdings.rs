//! Which mirror holds a spec, asked by the name that its manifest has there. Folders are looked into, web servers
//! are asked; what else there is may hold it, and that is said.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use serde::Deserialize;

use crate::base::Result;
use crate::site::Cx;
use crate::spack::config::mirrors::Mirror;
use crate::spack::config::paths::file_url_path;
use crate::spack::drive::session::Scope;
use crate::spack::store::binaries::{MirrorBinaries, MirrorBinary, Signature};
use crate::spack::store::row::SpecRow;
use crate::world::Eyes;
use crate::world::net::ask;

/// How many questions a web server gets at once, and how long it may take to answer one.
const AT_ONCE: usize = 16;
const LIMIT: Duration = Duration::from_secs(5);

/// How a file begins that was signed as a whole.
const SIGNED: &str = "-----BEGIN PGP SIGNED MESSAGE-----";

/// What a manifest of the current layout says of the archive.
#[derive(Deserialize)]
struct Manifest {
    data: Vec<Blob>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Blob {
    #[serde(default)]
    content_length: u64,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    checksum_algorithm: String,
    #[serde(default)]
    checksum: String,
}

pub async fn look(cx: &Cx, scope: &Scope, specs: &[&SpecRow]) -> Result<MirrorBinaries> {
    let mut looked = MirrorBinaries::default();
    for mirror in scope.config.mirrors()?.into_iter().filter(|m| m.binary) {
        into(cx, &mirror, specs, &mut looked).await;
    }
    Ok(looked)
}

/// Looks into one mirror.
pub async fn one(cx: &Cx, mirror: &Mirror, specs: &[&SpecRow]) -> MirrorBinaries {
    let mut looked = MirrorBinaries::default();
    into(cx, mirror, specs, &mut looked).await;
    looked
}

async fn into(cx: &Cx, mirror: &Mirror, specs: &[&SpecRow], looked: &mut MirrorBinaries) {
    let missing: Vec<&SpecRow> =
        specs.iter().copied().filter(|row| !looked.found.contains_key(&row.hash)).collect();
    let url = mirror.fetch.url.clone();
    if url.starts_with("file://") {
        into_folder(cx, &PathBuf::from(file_url_path(&url)), &missing, mirror, looked);
    } else if (url.starts_with("http://") || url.starts_with("https://")) && !mirror.fetch.url_had_credentials
    {
        on_the_web(mirror, missing, looked).await;
    } else {
        looked.not_looked.push(format!("whether mirror {} holds them was not looked at", mirror.name));
    }
}

/// Looks into the mirrors that are folders, and asks nobody.
pub fn nearby(cx: &Cx, scope: &Scope, specs: &[&SpecRow]) -> Result<MirrorBinaries> {
    let mut looked = MirrorBinaries::default();
    for mirror in scope.config.mirrors()?.into_iter().filter(|m| m.binary) {
        let Some(root) = mirror.fetch.url.starts_with("file://").then(|| file_url_path(&mirror.fetch.url))
        else {
            looked.not_looked.push(format!("mirror {} was not asked", mirror.name));
            continue;
        };
        into_folder(cx, Path::new(&root), specs, &mirror, &mut looked);
    }
    Ok(looked)
}

/// What nobody has of the specs, looked for in a folder.
fn into_folder(cx: &Cx, root: &Path, specs: &[&SpecRow], mirror: &Mirror, looked: &mut MirrorBinaries) {
    for row in specs {
        if looked.found.contains_key(&row.hash) {
            continue;
        }
        match in_folder(&*cx.world.eyes, root, row, mirror) {
            Ok(None) => {}
            Ok(Some(found)) => {
                looked.found.insert(row.hash.clone(), found);
            }
            Err(trouble) => {
                let message = trouble.message();
                looked
                    .not_looked
                    .push(format!("what mirror {} holds cannot be told: {message}", mirror.name));
                return;
            }
        }
    }
}

/// A spec in a folder, with the size of its archive.
fn in_folder(eyes: &dyn Eyes, root: &Path, row: &SpecRow, mirror: &Mirror) -> Result<Option<MirrorBinary>> {
    let found = |bytes, is_signed| MirrorBinary {
        mirror: mirror.name.clone(),
        bytes,
        signature: Signature::of(is_signed, mirror),
    };
    let manifest = root.join(current_name(row));
    if eyes.exists(&manifest)? {
        let text = eyes.read_text(&manifest)?;
        let archive = archive(&text);
        // A manifest without its archive is of no use.
        let name = archive.as_ref().and_then(Blob::name).map(|name| root.join(name));
        let whole = name.map_or(Ok(true), |blob| eyes.is_file(&blob))?;
        return Ok(whole.then(|| found(archive.map(|blob| blob.content_length), text.starts_with(SIGNED))));
    }
    let Some((spec, archive)) = old_names(row) else { return Ok(None) };
    let is_signed = eyes.is_file(&root.join(format!("{spec}.sig")))?;
    let there = is_signed || eyes.is_file(&root.join(spec))?;
    Ok(there.then(|| found(eyes.stat(&root.join(archive)).ok().map(|stat| stat.size), is_signed)))
}

async fn on_the_web(mirror: &Mirror, specs: Vec<&SpecRow>, looked: &mut MirrorBinaries) {
    let base = mirror.fetch.url.trim_end_matches('/');
    let questions: Vec<(String, String)> =
        specs.into_iter().map(|row| (row.hash.clone(), format!("{base}/{}", current_name(row)))).collect();
    let mut silent = None;
    let ask = |(hash, url): (String, String)| async move { (hash, ask::status(&url, LIMIT).await) };
    let mut answers = stream::iter(questions).map(ask).buffer_unordered(AT_ONCE);
    while let Some((hash, answer)) = answers.next().await {
        match answer {
            Ok(status) if (200..300).contains(&status) => {
                looked.found.insert(
                    hash,
                    MirrorBinary { mirror: mirror.name.clone(), bytes: None, signature: Signature::Unknown },
                );
            }
            Ok(_) => {}
            Err(trouble) => silent = Some(trouble.message().to_owned()),
        }
        // One that does not answer would be asked hundreds of times.
        if silent.is_some() {
            break;
        }
    }
    if let Some(why) = silent {
        looked.not_looked.push(format!("mirror {} did not answer: {why}", mirror.name));
    }
}

/// The name of the file that says that a mirror of this layout has it.
pub fn name_in(layout: u32, row: &SpecRow) -> Option<String> {
    if layout >= 3 { Some(current_name(row)) } else { old_names(row).map(|(spec, _)| spec) }
}

/// In the layout of Spack 1.x.
fn current_name(row: &SpecRow) -> String {
    let (name, version, hash) = (&row.name, &row.version, &row.hash);
    format!("v3/manifests/spec/{name}/{name}-{version}-{hash}.spec.manifest.json")
}

/// In the layout before it: the spec's file and the archive.
fn old_names(row: &SpecRow) -> Option<(String, String)> {
    let part = |text: &Option<String>| text.clone();
    let arch = format!("{}-{}-{}", part(&row.arch.platform)?, part(&row.arch.os)?, part(&row.arch.target)?);
    let compiler = row.compiler.as_deref()?.replace('@', "-");
    let (name, version, hash) = (&row.name, &row.version, &row.hash);
    let stem = format!("{arch}-{compiler}-{name}-{version}-{hash}");
    Some((
        format!("build_cache/{stem}.spec.json"),
        format!("build_cache/{arch}/{compiler}/{name}-{version}/{stem}.spack"),
    ))
}

/// What a manifest says of the archive. It may be signed: then the JSON stands between lines that are none.
fn archive(text: &str) -> Option<Blob> {
    let begin = text.find('{')?;
    let mut stream = serde_json::Deserializer::from_str(text.get(begin..)?).into_iter::<Manifest>();
    let mut data = stream.next()?.ok()?.data;
    let at = data.iter().position(|blob| blob.media_type.contains("install")).unwrap_or(0);
    (at < data.len()).then(|| data.swap_remove(at))
}

impl Blob {
    /// Where it is in a mirror.
    fn name(&self) -> Option<String> {
        let head = self.checksum.get(..2)?;
        Some(format!("blobs/{}/{head}/{}", self.checksum_algorithm, self.checksum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_the_blob_that_is_installed() {
        let text = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{\"version\":3,\"data\":[\
            {\"contentLength\":10,\"mediaType\":\"application/vnd.spack.spec.v5+json\"},\
            {\"contentLength\":999,\"mediaType\":\"application/vnd.spack.install.v2.tar+gzip\"}]}\n-----BEGIN";
        assert_eq!(archive(text).map(|blob| blob.content_length), Some(999));
        assert!(archive("no").is_none());
        assert!(archive(r#"{"version":3,"data":[]}"#).is_none());
    }
}
