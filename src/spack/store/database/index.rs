//! The outer shape of `index.json`. Every byte is passed over, so cut-off and ill-formed files are found here, and
//! of every record all is read that a search needs; the nodes are kept as text.

use std::borrow::Cow;
use std::path::Path;

use serde::Deserialize;

use super::Record;
use super::reader::Reader;
use crate::base::Result;
use crate::spack::store::node::{Node, Text};
use crate::spack::text::corrupt::{corrupt, corrupt_json, offset_in};
use crate::spack::text::hash::LENGTH;
use crate::spack::text::json_scan::{Flaw, Skim};

pub struct Index<'a> {
    pub version: &'a str,
    pub records: Vec<Record<'a>>,
}

pub fn read<'a>(path: &Path, text: &'a str, reader: &Reader) -> Result<Index<'a>> {
    let mut index = match outer(text) {
        Ok(index) => index,
        Err(flaw) => {
            // Another version may look different: its version says more than where it differs.
            if let Ok(probe) = serde_json::from_str::<Probe>(text)
                && let Some(trouble) = reader.refuse(path, &probe.database.version)
            {
                return Err(trouble);
            }
            return Err(corrupt(path, flaw.at, flaw.what));
        }
    };
    if let Some(trouble) = reader.refuse(path, index.version) {
        return Err(trouble);
    }
    for record in index.records.iter_mut().filter(|record| !record.is_plain()) {
        complete(path, text, record)?;
    }
    Ok(index)
}

/// Looks at a whole node, because it is of an older format.
fn complete<'a>(path: &Path, text: &'a str, record: &mut Record<'a>) -> Result<()> {
    let base = offset_in(text, record.raw);
    let node = Node::from_json(record.raw).map_err(|e| corrupt_json(path, record.raw, base, &e))?;
    if let Some(hash) = node.hash.as_deref().filter(|hash| *hash != record.hash) {
        return Err(corrupt(path, base, wrong_hash(record.hash, hash)));
    }
    (record.name, record.version, record.namespace) = (node.name, node.version, node.namespace);
    Ok(())
}

#[derive(Deserialize)]
struct Probe {
    database: ProbeInner,
}

#[derive(Deserialize)]
struct ProbeInner {
    version: String,
}

fn outer(text: &str) -> Result<Index<'_>, Flaw> {
    let mut skim = Skim::new(text);
    let (mut version, mut records) = (None, None);
    let mut whole = Once::of(&["database"]);
    // A `commit` was written by Spack before 0.10 and is still carried along by some databases.
    let mut once = Once::of(&["version", "installs", "commit"]);
    skim.object(|skim, key| {
        whole.only(skim, key)?;
        skim.object(|skim, key| {
            once.only(skim, key)?;
            match key {
                "version" => match skim.string()? {
                    Cow::Borrowed(text) => version = Some(text),
                    Cow::Owned(_) => return Err(skim.flaw("the version is not plain text")),
                },
                "installs" => records = Some(installs(skim)?),
                _ => drop(skim.value()?),
            }
            Ok(())
        })
    })?;
    skim.end()?;
    let missing = |what: &str| skim.flaw(format!("'{what}' is missing"));
    Ok(Index {
        version: version.ok_or_else(|| missing("version"))?,
        records: records.ok_or_else(|| missing("installs"))?,
    })
}

fn installs<'a>(skim: &mut Skim<'a>) -> Result<Vec<Record<'a>>, Flaw> {
    let mut records: Vec<Record<'a>> = Vec::new();
    // Nearly all nodes are for the same few processors, whose description is a fifth of the file.
    let mut arch = "";
    skim.object(|skim, hash| {
        if hash.len() != LENGTH || !hash.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')) {
            return Err(skim.flaw(format!("'{hash}' is not a hash")));
        }
        let mut record = Record { hash, at: records.len(), ..Record::default() };
        fields(skim, &mut record, &mut arch)?;
        records.push(record);
        Ok(())
    })?;
    Ok(records)
}

fn fields<'a>(skim: &mut Skim<'a>, record: &mut Record<'a>, arch: &mut &'a str) -> Result<(), Flaw> {
    let mut once = Once::of(&[
        "spec",
        "path",
        "installed",
        "explicit",
        "ref_count",
        "installation_time",
        "deprecated_for",
        "origin",
        "in_buildcache",
    ]);
    let mut installed = None;
    skim.object(|skim, key| {
        once.only(skim, key)?;
        match key {
            "spec" => node(skim, record, arch)?,
            "path" => record.path = text(skim)?.filter(|path| &**path != "None"),
            "installed" => installed = Some(flag(skim)?),
            "explicit" => record.explicit = flag(skim)?,
            "ref_count" => {
                record.ref_count = number(skim)?.ok_or_else(|| skim.flaw("a count is expected"))?;
            }
            "installation_time" => record.installed_at = number(skim)?,
            "deprecated_for" => record.deprecated_for = text(skim)?,
            "origin" => record.origin = text(skim)?,
            _ => record.in_buildcache = flag(skim)?,
        }
        Ok(())
    })?;
    if record.raw.is_empty() {
        return Err(skim.flaw("the record has no 'spec'"));
    }
    if installed.is_none() && !record.in_buildcache {
        return Err(skim.flaw("the record does not say whether it is 'installed'"));
    }
    record.installed = installed.unwrap_or(false);
    Ok(())
}

/// Passes over a node; what a search asks first is kept, and its hash has to be the record's.
fn node<'a>(skim: &mut Skim<'a>, record: &mut Record<'a>, arch: &mut &'a str) -> Result<(), Flaw> {
    let begin = skim.at();
    let mut once = Once::of(&["name", "version", "namespace", "hash"]);
    skim.object(|skim, key| {
        once.see(skim, key)?;
        match key {
            "name" => record.name = Text(skim.string()?),
            "version" => record.version = Text(skim.string()?),
            "namespace" => record.namespace = text(skim)?,
            "hash" => {
                let hash = skim.string()?;
                if hash != record.hash {
                    return Err(Flaw { at: begin, what: wrong_hash(record.hash, &hash).into() });
                }
            }
            "arch" => {
                if !skim.same(arch) {
                    *arch = skim.value()?;
                }
            }
            _ => drop(skim.value()?),
        }
        Ok(())
    })?;
    record.raw = skim.since(begin);
    Ok(())
}

fn wrong_hash(record: &str, node: &str) -> String {
    format!("the record of {record} holds {node}")
}

fn text<'a>(skim: &mut Skim<'a>) -> Result<Option<Text<'a>>, Flaw> {
    if skim.same("null") { Ok(None) } else { skim.string().map(|text| Some(Text(text))) }
}

fn flag(skim: &mut Skim<'_>) -> Result<bool, Flaw> {
    if skim.same("true") {
        return Ok(true);
    }
    if skim.same("false") { Ok(false) } else { Err(skim.flaw("true or false is expected")) }
}

fn number<T: std::str::FromStr>(skim: &mut Skim<'_>) -> Result<Option<T>, Flaw> {
    let text = skim.value()?;
    if text == "null" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| skim.flaw(format!("a number is expected, not {text}")))
}

/// The keys that an object may have, each once.
struct Once {
    known: &'static [&'static str],
    /// A bit for each.
    seen: u16,
}

impl Once {
    fn of(known: &'static [&'static str]) -> Self {
        Once { known, seen: 0 }
    }

    /// Refuses a key that stands twice; tells whether it is a known one.
    fn see(&mut self, skim: &Skim<'_>, key: &str) -> Result<bool, Flaw> {
        let Some(bit) = self.known.iter().position(|known| *known == key).map(|at| 1 << at) else {
            return Ok(false);
        };
        if self.seen & bit != 0 {
            return Err(skim.flaw(format!("'{key}' stands twice")));
        }
        self.seen |= bit;
        Ok(true)
    }

    /// Refuses every other key as well.
    fn only(&mut self, skim: &Skim<'_>, key: &str) -> Result<(), Flaw> {
        if self.see(skim, key)? { Ok(()) } else { Err(skim.flaw(format!("'{key}' is not expected here"))) }
    }
}
