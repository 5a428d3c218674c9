//! The file that carries a snapshot to another site: a tar within Zstandard, first a manifest with the size and the
//! SHA-256 of each member, then the document and its objects. What is read was written by strangers: everything is
//! bounded, named by the manifest and compared with it, and nothing is ever unpacked to a path.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::document::Snapshot;
use super::object::{self, ObjectId};
use super::packing;
use crate::base::{Kind, Result, Trouble, digest};
use crate::site::Cx;

/// The format that this build writes; an older one is read, a newer one refused.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const DOCUMENT: &str = "document.json";
const OBJECTS: &str = "objects/";
const LEVEL: i32 = 9;
/// The manifest lists a handful of members.
const LARGEST_MANIFEST: u64 = 64 * 1024;
const MOST_MEMBERS: usize = 16;
/// All members together; one lock of 10,000 specs has about 40 MB.
const LARGEST: u64 = packing::LARGEST;
/// Padding after the last member, as other writers of tar leave it.
const LARGEST_REST: u64 = 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    /// SHA-256 of the document.
    id: String,
    /// For people: `NAME@NUMBER` where it was taken.
    snapshot: String,
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Probe {
    format: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Member {
    name: String,
    size: u64,
    sha256: String,
}

/// A snapshot with everything that it names.
#[derive(Debug, Clone, PartialEq)]
pub struct Archive {
    pub id: String,
    pub snapshot: Snapshot,
    /// The document as it was written.
    pub document: Vec<u8>,
    pub objects: BTreeMap<ObjectId, Vec<u8>>,
}

impl Archive {
    /// The file. The same snapshot gives the same bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut members = vec![(DOCUMENT.to_owned(), self.document.as_slice())];
        members.extend(self.objects.iter().map(|(id, bytes)| (format!("{OBJECTS}{id}"), bytes.as_slice())));
        let manifest = Manifest {
            format: FORMAT,
            id: self.id.clone(),
            snapshot: self.snapshot.title(),
            members: members
                .iter()
                .map(|(name, bytes)| Member {
                    name: name.clone(),
                    size: bytes.len() as u64,
                    sha256: digest::bytes(bytes),
                })
                .collect(),
        };
        let mut text = serde_json::to_vec_pretty(&manifest).map_err(|e| internal(&e))?;
        text.push(b'\n');
        members.insert(0, (MANIFEST.to_owned(), &text));
        packed(&members).map_err(|e| internal(&e))
    }

    /// Reads one; `place` names it in errors.
    pub fn read(from: impl Read, place: &str) -> Result<Archive> {
        let reader = ArchiveReader { place };
        let mut from = std::io::BufReader::new(from);
        let decoder =
            zstd::stream::read::Decoder::with_buffer(&mut from).map_err(|e| reader.unreadable(&e))?;
        let mut tar = tar::Archive::new(decoder.single_frame());
        // Raw: what other writers put before a member to extend its name is a member of its own here, and refused.
        let mut entries = tar.entries().map_err(|e| reader.unreadable(&e))?.raw(true);
        let manifest = reader.manifest(entries.next())?;
        let mut wanted: BTreeMap<&str, &Member> =
            manifest.members.iter().map(|member| (member.name.as_str(), member)).collect();
        let mut seen = BTreeSet::from([MANIFEST.to_owned()]);
        let mut contents = BTreeMap::new();
        for entry in entries {
            let mut entry = entry.map_err(|e| reader.unreadable(&e))?;
            let name = reader.name(&entry)?;
            if !seen.insert(name.clone()) {
                return Err(reader.refused(&name, "it is there twice"));
            }
            let Some(member) = wanted.remove(name.as_str()) else {
                return Err(reader.refused(&name, "the manifest does not name it"));
            };
            contents.insert(name, reader.content(&mut entry, member)?);
        }
        if let Some(missing) = wanted.keys().next() {
            return Err(reader.corrupt(&format!("its member '{missing}' is missing")));
        }
        reader.rest(tar.into_inner())?;
        reader.end(from)?;
        reader.archive(&manifest.id, contents)
    }
}

fn internal(error: &impl std::fmt::Display) -> Trouble {
    Trouble::new(Kind::Internal, format!("export: {error}"))
}

fn packed(members: &[(String, &[u8])]) -> std::io::Result<Vec<u8>> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?;
    encoder.include_checksum(true)?;
    let mut tar = tar::Builder::new(encoder);
    for (name, bytes) in members {
        // Times and owners would make every export another file.
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        tar.append_data(&mut header, name, *bytes)?;
    }
    let mut encoder = tar.into_inner()?;
    encoder.flush()?;
    encoder.finish()
}

struct ArchiveReader<'a> {
    place: &'a str,
}

impl ArchiveReader<'_> {
    fn corrupt(&self, why: &str) -> Trouble {
        Trouble::new(Kind::Corrupt, format!("{} is not a whole export of a snapshot: {why}", self.place))
            .hint("nothing of it was taken in; export the snapshot again where it was taken")
            .fact("path", self.place)
    }

    fn unreadable(&self, error: &std::io::Error) -> Trouble {
        self.corrupt(&error.to_string())
    }

    fn refused(&self, name: &str, why: &str) -> Trouble {
        let name = name.escape_debug().to_string();
        Trouble::new(Kind::Refused, format!("{} was refused: its entry '{name}': {why}", self.place))
            .hint("no export of a snapshot has such an entry; nothing of it was taken in")
            .fact("path", self.place)
            .fact("entry", name)
    }

    /// The name of a plain file; anything else is refused.
    fn name<R: Read>(&self, entry: &tar::Entry<'_, R>) -> Result<String> {
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let plain = entry.header().entry_type() == tar::EntryType::Regular;
        if plain { Ok(name) } else { Err(self.refused(&name, "it is no plain file")) }
    }

    fn manifest<R: Read>(&self, first: Option<std::io::Result<tar::Entry<'_, R>>>) -> Result<Manifest> {
        let mut entry =
            first.ok_or_else(|| self.corrupt("it is empty"))?.map_err(|error| self.unreadable(&error))?;
        let name = self.name(&entry)?;
        if name != MANIFEST {
            return Err(self.refused(&name, &format!("{MANIFEST} comes first")));
        }
        if entry.size() > LARGEST_MANIFEST {
            return Err(self.refused(&name, "it is too large"));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| self.unreadable(&error))?;
        let wrong = |e: serde_json::Error| self.corrupt(&format!("{MANIFEST}: {e}"));
        let probe: Probe = serde_json::from_slice(&bytes).map_err(wrong)?;
        if probe.format == 0 || probe.format > FORMAT {
            let message =
                format!("{} has format {}; this build knows up to {FORMAT}", self.place, probe.format);
            return Err(Trouble::new(Kind::UnknownFormat, message)
                .hint("use the newer moonstack that wrote it")
                .fact("path", self.place));
        }
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(wrong)?;
        self.bounds(&manifest)?;
        Ok(manifest)
    }

    fn bounds(&self, manifest: &Manifest) -> Result<()> {
        let mut names = BTreeSet::new();
        let mut total = 0_u64;
        for member in &manifest.members {
            let fits =
                member.name == DOCUMENT || member.name.strip_prefix(OBJECTS).is_some_and(object::is_id);
            if !fits {
                return Err(self.refused(&member.name, "no member is called so"));
            }
            if !names.insert(&member.name) {
                return Err(self.refused(&member.name, "the manifest names it twice"));
            }
            total = total.saturating_add(member.size);
            if total > LARGEST || names.len() > MOST_MEMBERS {
                return Err(self.refused(&member.name, "with it the export is larger than any may be"));
            }
        }
        Ok(())
    }

    fn content<R: Read>(&self, entry: &mut tar::Entry<'_, R>, member: &Member) -> Result<Vec<u8>> {
        if entry.size() != member.size {
            let why = format!("it has {} bytes, and the manifest says {}", entry.size(), member.size);
            return Err(self.refused(&member.name, &why));
        }
        let mut bytes = Vec::new();
        entry.take(member.size).read_to_end(&mut bytes).map_err(|error| self.unreadable(&error))?;
        if digest::bytes(&bytes) == member.sha256 {
            Ok(bytes)
        } else {
            Err(self.corrupt(&format!("'{}' is not what the manifest says", member.name)))
        }
    }

    /// After the last member there is padding and nothing else.
    fn rest(&self, from: impl Read) -> Result<()> {
        let mut rest = Vec::new();
        from.take(LARGEST_REST + 1).read_to_end(&mut rest).map_err(|error| self.unreadable(&error))?;
        if rest.len() as u64 > LARGEST_REST || rest.iter().any(|byte| *byte != 0) {
            return Err(self.corrupt("there is more after its end"));
        }
        Ok(())
    }

    fn end(&self, from: impl Read) -> Result<()> {
        let mut more = Vec::new();
        from.take(1).read_to_end(&mut more).map_err(|error| self.unreadable(&error))?;
        if more.is_empty() { Ok(()) } else { Err(self.corrupt("there is more after its end")) }
    }

    /// Compares document and objects with their names and with each other.
    fn archive(&self, id: &str, mut contents: BTreeMap<String, Vec<u8>>) -> Result<Archive> {
        let document =
            contents.remove(DOCUMENT).ok_or_else(|| self.corrupt(&format!("it has no {DOCUMENT}")))?;
        if digest::bytes(&document) != id {
            return Err(self.corrupt(&format!("{DOCUMENT} is not that of the snapshot it says to be")));
        }
        let snapshot = Snapshot::parse(&document, &format!("{DOCUMENT} in {}", self.place))?;
        let mut objects = BTreeMap::new();
        for (name, bytes) in contents {
            let named = name.strip_prefix(OBJECTS).unwrap_or(&name);
            if digest::bytes(&bytes) != named {
                return Err(self.corrupt(&format!("'{name}' is not what its name says")));
            }
            objects.insert(named.to_owned(), bytes);
        }
        let needed: BTreeSet<&String> = snapshot.objects().into_iter().collect();
        if let Some(missing) = needed.iter().find(|id| !objects.contains_key(**id)) {
            return Err(self.corrupt(&format!("the object {missing} is missing")));
        }
        if let Some(extra) = objects.keys().find(|id| !needed.contains(id)) {
            return Err(self.refused(&format!("{OBJECTS}{extra}"), "the snapshot does not need it"));
        }
        Ok(Archive { id: id.to_owned(), snapshot, document, objects })
    }
}

/// Reads an exported file.
pub fn read(cx: &Cx, file: &Path) -> Result<Archive> {
    Archive::read(cx.world.eyes.open(file)?, &file.display().to_string())
}
