//! Which mirror holds a spec, asked by the name that its manifest has there. Folders are looked into, web servers
//! are asked; what else there is may hold it, and that is said.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use serde::Deserialize;

use super::answer::{self, Answer};
use crate::base::Result;
use crate::site::Cx;
use crate::spack::config::mirrors::Mirror;
use crate::spack::config::paths::file_url_path;
use crate::spack::drive::session::Scope;
use crate::spack::store::binaries::{MirrorBinaries, MirrorBinary, Signature};
use crate::spack::store::row::SpecRow;
use crate::world::Eyes;
use crate::world::net::ask::Web;

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
    content_length: Option<u64>,
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

/// A spec in a folder, with the size of its archive. A manifest that is none, or whose archive is not there as it says, is
/// of no use to anybody.
fn in_folder(eyes: &dyn Eyes, root: &Path, row: &SpecRow, mirror: &Mirror) -> Result<Option<MirrorBinary>> {
    let size = |path: &Path| -> Result<Option<u64>> {
        Ok(if eyes.is_file(path)? { Some(eyes.stat(path)?.size) } else { None })
    };
    let manifest = root.join(current_name(row));
    if eyes.is_file(&manifest)? {
        let text = eyes.read_text(&manifest)?;
        let Some(archive) = archive(&text) else { return Ok(None) };
        let is_whole = size(&root.join(archive.name))? == Some(archive.bytes);
        return Ok(is_whole.then(|| binary(mirror, Some(archive.bytes), text.starts_with(SIGNED))));
    }
    let Some((spec, archive)) = old_names(row) else { return Ok(None) };
    let is_signed = eyes.is_file(&root.join(format!("{spec}.sig")))?;
    if !is_signed && !eyes.is_file(&root.join(spec))? {
        return Ok(None);
    }
    // This layout does not say how long the archive is; an empty one is none.
    let bytes = size(&root.join(archive))?.filter(|bytes| *bytes > 0);
    Ok(bytes.map(|bytes| binary(mirror, Some(bytes), is_signed)))
}

fn binary(mirror: &Mirror, bytes: Option<u64>, is_signed: bool) -> MirrorBinary {
    MirrorBinary { mirror: mirror.name.clone(), bytes, signature: Signature::of(is_signed, mirror) }
}

async fn on_the_web(mirror: &Mirror, specs: Vec<&SpecRow>, looked: &mut MirrorBinaries) {
    let web = match Web::new(LIMIT) {
        Ok(web) => web,
        Err(trouble) => {
            looked.not_looked.push(format!("mirror {} was not asked: {}", mirror.name, trouble.message()));
            return;
        }
    };
    let base = mirror.fetch.url.trim_end_matches('/').to_owned();
    let (web, base) = (&web, &base);
    let questions: Vec<_> = specs
        .into_iter()
        .map(|row| async move { (row.hash.clone(), at_server(web, base, row, mirror).await) })
        .collect();
    let mut answers = stream::iter(questions).buffer_unordered(AT_ONCE);
    while let Some((hash, answer)) = answers.next().await {
        match answer {
            Ok(Some(found)) => {
                looked.found.insert(hash, found);
            }
            Ok(None) => {}
            // One that does not answer would be asked hundreds of times.
            Err(why) => {
                looked.not_looked.push(format!("what mirror {} holds cannot be told: {why}", mirror.name));
                break;
            }
        }
    }
}

/// A spec at a web server, in either layout; the error is why that cannot be told.
async fn at_server(
    web: &Web,
    base: &str,
    row: &SpecRow,
    mirror: &Mirror,
) -> Result<Option<MirrorBinary>, String> {
    let length = async |name: &str| match answer::head(web, &format!("{base}/{name}")).await {
        Answer::Here(head) => Ok(Some(head.length)),
        other => other.unknown().map_or(Ok(None), Err),
    };
    match answer::text(web, &format!("{base}/{}", current_name(row))).await {
        Answer::Here(text) => {
            let Some(archive) = archive(&text) else { return Ok(None) };
            // A server need not say how long something is.
            let there = length(&archive.name).await?;
            let is_whole = there.is_some_and(|length| length.is_none_or(|length| length == archive.bytes));
            return Ok(is_whole.then(|| binary(mirror, Some(archive.bytes), text.starts_with(SIGNED))));
        }
        Answer::NotHere => {}
        other => return other.unknown().map_or(Ok(None), Err),
    }
    let Some((spec, archive)) = old_names(row) else { return Ok(None) };
    let is_signed = length(&format!("{spec}.sig")).await?.is_some();
    if !is_signed && length(&spec).await?.is_none() {
        return Ok(None);
    }
    let there = length(&archive).await?.filter(|length| *length != Some(0));
    Ok(there.map(|bytes| binary(mirror, bytes, is_signed)))
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

/// The archive that a manifest names.
#[derive(Debug, PartialEq, Eq)]
struct Archive {
    /// Where it is in a mirror.
    name: String,
    bytes: u64,
}

/// What a manifest says of the archive. It may be signed: then the JSON stands between lines that are none.
fn archive(text: &str) -> Option<Archive> {
    let begin = text.find('{')?;
    let mut stream = serde_json::Deserializer::from_str(text.get(begin..)?).into_iter::<Manifest>();
    let data = stream.next()?.ok()?.data;
    let blob = data.iter().find(|blob| blob.media_type.contains("install")).or(data.first())?;
    let head = blob.checksum.get(..2)?;
    let name = format!("blobs/{}/{head}/{}", blob.checksum_algorithm, blob.checksum);
    Some(Archive { name, bytes: blob.content_length? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_the_blob_that_is_installed() {
        let text = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{\"version\":3,\"data\":[\
            {\"contentLength\":10,\"mediaType\":\"application/vnd.spack.spec.v5+json\"},\
            {\"contentLength\":999,\"mediaType\":\"application/vnd.spack.install.v2.tar+gzip\",\
            \"checksumAlgorithm\":\"sha256\",\"checksum\":\"abcd\"}]}\n-----BEGIN";
        let expected = Archive { name: "blobs/sha256/ab/abcd".to_owned(), bytes: 999 };
        assert_eq!(archive(text), Some(expected));
        assert!(archive("no").is_none());
        assert!(archive(r#"{"version":3,"data":[]}"#).is_none());
    }
}
