//! The outer shape of `index.json`. Every byte is scanned, so cut-off and ill-formed files are found here;
//! the nodes are kept as text.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::base::Result;

use super::damage::{corrupt, corrupt_json, offset_in};
use super::database::{KNOWN_VERSIONS, Record, unknown_version};
use super::hash::LENGTH;
use super::node::{Node, Text};

pub struct Index<'a> {
    pub version: &'a str,
    pub records: Vec<Record<'a>>,
}

pub fn read<'a>(path: &Path, text: &'a str) -> Result<Index<'a>> {
    let whole: Whole<'a> = match serde_json::from_str(text) {
        Ok(whole) => whole,
        Err(error) => {
            // A future version may look different: its version says more than where it differs.
            if let Ok(probe) = serde_json::from_str::<Probe>(text)
                && !KNOWN_VERSIONS.contains(&probe.database.version.as_str())
            {
                return Err(unknown_version(path, &probe.database.version));
            }
            return Err(corrupt_json(path, text, 0, &error));
        }
    };
    let Inner { version, mut records } = whole.database;
    if !KNOWN_VERSIONS.contains(&version) {
        return Err(unknown_version(path, version));
    }
    for record in &mut records {
        complete(path, text, record)?;
    }
    Ok(Index { version, records })
}

/// Fills in the name, and sees that node and key speak of one spec.
fn complete<'a>(path: &Path, text: &'a str, record: &mut Record<'a>) -> Result<()> {
    let raw = record.raw;
    let named = raw.strip_prefix("{\"name\":\"").and_then(|rest| rest.split_once('"'));
    let hash = raw.strip_suffix("\"}").and_then(|body| body.get(body.len().checked_sub(LENGTH)?..));
    if let (Some((name, _)), Some(hash)) = (named, hash)
        && hash == record.hash
        && !name.is_empty()
        && !name.contains('\\')
    {
        record.name = Text(Cow::Borrowed(name));
        return Ok(());
    }
    // Another order or an older format: the whole node has to be looked at.
    let base = offset_in(text, raw);
    let node = Node::from_json(raw).map_err(|e| corrupt_json(path, raw, base, &e))?;
    if let Some(hash) = node.hash.as_deref().filter(|hash| *hash != record.hash) {
        return Err(corrupt(path, base, format!("the record of {} holds {hash}", record.hash)));
    }
    record.name = node.name.clone();
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole<'a> {
    #[serde(borrow)]
    database: Inner<'a>,
}

struct Inner<'a> {
    version: &'a str,
    records: Vec<Record<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Inner<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InnerVisitor;
        impl<'de> Visitor<'de> for InnerVisitor {
            type Value = Inner<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a Spack database")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Inner<'de>, A::Error> {
                let (mut version, mut records) = (None, None);
                while let Some(key) = map.next_key::<&str>()? {
                    match key {
                        "version" if version.is_none() => version = Some(map.next_value()?),
                        "installs" if records.is_none() => records = Some(map.next_value::<Installs>()?.0),
                        // Written by Spack before 0.10 and still carried along by some databases.
                        "commit" => drop(map.next_value::<IgnoredAny>()?),
                        other => return Err(A::Error::custom(format!("'{other}' is not expected here"))),
                    }
                }
                Ok(Inner {
                    version: version.ok_or_else(|| A::Error::missing_field("version"))?,
                    records: records.ok_or_else(|| A::Error::missing_field("installs"))?,
                })
            }
        }
        deserializer.deserialize_map(InnerVisitor)
    }
}

struct Installs<'a>(Vec<Record<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Installs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InstallsVisitor;
        impl<'de> Visitor<'de> for InstallsVisitor {
            type Value = Installs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("records by hash")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Installs<'de>, A::Error> {
                let mut records = Vec::new();
                while let Some(hash) = map.next_key::<&'de str>()? {
                    if hash.len() != LENGTH || !hash.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')) {
                        return Err(A::Error::custom(format!("'{hash}' is not a hash")));
                    }
                    let mut record = map.next_value::<Fields<'de>>()?.0;
                    record.hash = hash;
                    record.at = records.len();
                    records.push(record);
                }
                Ok(Installs(records))
            }
        }
        deserializer.deserialize_map(InstallsVisitor)
    }
}

struct Fields<'a>(Record<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Known<'a> {
            #[serde(borrow)]
            spec: &'a RawValue,
            #[serde(borrow, default)]
            path: Option<Text<'a>>,
            #[serde(default)]
            installed: Option<bool>,
            #[serde(default)]
            explicit: bool,
            #[serde(default)]
            ref_count: u64,
            #[serde(default)]
            installation_time: Option<f64>,
            #[serde(borrow, default)]
            deprecated_for: Option<Text<'a>>,
            #[serde(borrow, default)]
            origin: Option<Text<'a>>,
            #[serde(default)]
            in_buildcache: bool,
        }
        let known = Known::deserialize(deserializer)?;
        if known.installed.is_none() && !known.in_buildcache {
            return Err(D::Error::missing_field("installed"));
        }
        Ok(Fields(Record {
            hash: "",
            name: Text::default(),
            path: known.path.filter(|path| &**path != "None"),
            installed: known.installed.unwrap_or(false),
            explicit: known.explicit,
            ref_count: known.ref_count,
            installed_at: known.installation_time,
            deprecated_for: known.deprecated_for,
            origin: known.origin,
            in_buildcache: known.in_buildcache,
            raw: known.spec.get(),
            at: 0,
        }))
    }
}
