//! `spack.lock` of every version: the roots an environment asked for, the concrete specs that answer them, and
//! what was copied from the environments that it includes.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::scan::{Parts, parts};
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::config::release::Release;
use crate::spack::environment::EnvironmentInfo;
use crate::spack::store::node::{Node, Text};
use crate::spack::text::corrupt::{corrupt, corrupt_json, offset_in, utf8};
use crate::spack::text::hash::{self, Verdict};
use crate::world::Eyes;

/// The lock file versions that this build reads.
pub const KNOWN_VERSIONS: std::ops::RangeInclusive<u64> = 1..=6;
/// Of these, those whose keys are build hashes, while everything else knows a spec by its DAG hash.
const BUILD_HASHES: std::ops::RangeInclusive<u64> = 2..=3;

/// The bytes of one lock file; a [`Lockfile`] borrows from it.
#[derive(Debug, Clone)]
pub struct LockfileText {
    path: PathBuf,
    text: String,
    /// The Spack that is to read it; none where a lock of any release is looked at.
    reader: Option<Release>,
}

impl LockfileText {
    pub fn read(eyes: &dyn Eyes, path: &Path) -> Result<Self> {
        LockfileText::from_bytes(path, eyes.read(path)?)
    }

    /// The lock of an environment; none before it is concretized.
    pub fn of(cx: &Cx, environment: &EnvironmentInfo) -> Result<Option<Self>> {
        LockfileText::of_environment(&*cx.world.eyes, environment)
    }

    /// The same without a run around it.
    pub fn of_environment(eyes: &dyn Eyes, environment: &EnvironmentInfo) -> Result<Option<Self>> {
        let path = environment.lock_file();
        if !eyes.exists(&path)? {
            return Ok(None);
        }
        let text = LockfileText::read(eyes, &path)?;
        Ok(Some(LockfileText { reader: Some(environment.release), ..text }))
    }

    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self> {
        Ok(LockfileText { path: path.to_owned(), text: utf8(path, bytes)?, reader: None })
    }

    /// The file as it is.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reads the whole lock: each spec, and that what it depends on is there.
    pub fn parse(&self) -> Result<Lockfile<'_>> {
        let lock = self.parse_outside()?;
        lock.check_edges()?;
        Ok(lock)
    }

    /// Leaves specs unread until somebody looks at them.
    pub fn parse_outside(&self) -> Result<Lockfile<'_>> {
        self.parse_seen(|_| None)
    }

    /// The same, sooner where much of it stands in another lock as well.
    pub fn parse_beside(&self, other: &Lockfile<'_>) -> Result<Lockfile<'_>> {
        let seen: HashMap<&str, &str> =
            other.group.specs.iter().map(|locked| (&*locked.hash, locked.raw)).collect();
        self.parse_seen(|hash| seen.get(hash).copied())
    }

    fn parse_seen<'s>(&self, seen: impl Fn(&str) -> Option<&'s str>) -> Result<Lockfile<'_>> {
        let path = &self.path;
        let whole = match parts(&self.text, seen).and_then(Whole::of_parts) {
            Some(whole) => whole,
            None => self.whole()?,
        };
        self.known_version(whole.meta.lockfile_version)?;
        if let Some(kind) = whole.meta.file_type.filter(|kind| &**kind != "spack-lockfile") {
            return Err(corrupt(path, 0, format!("this is a '{kind}', not a lock file")));
        }
        let group = Group::new(whole.roots, whole.concrete_specs, whole.include_concrete);
        group.check(path, &self.text)?;
        let lock = Lockfile {
            path,
            text: &self.text,
            version: whole.meta.lockfile_version,
            specfile_version: whole.meta.specfile_version,
            spack: whole.spack.map(|s| s.version),
            group,
        };
        if BUILD_HASHES.contains(&lock.version) { lock.by_dag_hash() } else { Ok(lock) }
    }

    fn known_version(&self, version: u64) -> Result<()> {
        let path = self.path.display().to_string();
        let refused = |who: &str, hint: String| {
            Trouble::new(
                Kind::UnknownFormat,
                format!("{path} is of lock file version {version}, which {who} does not read"),
            )
            .hint(hint)
            .fact("path", path.as_str())
            .fact("version", version)
        };
        if !KNOWN_VERSIONS.contains(&version) {
            return Err(refused("this build", "known versions: 1 to 6".to_owned()));
        }
        match self.reader {
            Some(release) if version > u64::from(release.abilities().lockfile_version) => {
                let newest = release.abilities().lockfile_version;
                let hint = format!("it reads versions up to {newest}; a newer Spack wrote this one");
                Err(refused(&format!("Spack {release}"), hint))
            }
            _ => Ok(()),
        }
    }

    /// Reads what is written in another way, or says what is wrong.
    fn whole(&self) -> Result<Whole<'_>> {
        serde_json::from_str(&self.text).or_else(|error| {
            if let Ok(probe) = serde_json::from_str::<Probe>(&self.text) {
                self.known_version(probe.meta.lockfile_version)?;
            }
            Err(corrupt_json(&self.path, &self.text, 0, &error))
        })
    }
}

/// What an environment asked for, and the hash of what it got.
#[derive(Debug, Clone, Deserialize)]
pub struct Root<'a> {
    #[serde(borrow)]
    pub hash: Text<'a>,
    #[serde(borrow)]
    pub spec: Text<'a>,
}

/// One concrete spec, parsed when looked at.
#[derive(Debug)]
pub struct Locked<'a> {
    /// The DAG hash.
    pub hash: Text<'a>,
    pub raw: &'a str,
    pub(super) node: OnceLock<Box<Node<'a>>>,
}

impl Locked<'_> {
    /// Does the node still have the hash that Spack gave it?
    pub fn verify(&self) -> Verdict {
        hash::verify(self.raw)
    }
}

/// The roots and specs of one environment.
#[derive(Debug, Default)]
pub struct Group<'a> {
    pub roots: Vec<Root<'a>>,
    pub(super) specs: Vec<Locked<'a>>,
    /// By the folder of the included environment.
    pub included: Vec<(Text<'a>, Group<'a>)>,
}

impl<'a> Group<'a> {
    fn new(roots: Vec<Root<'a>>, specs: Specs<'a>, included: Included<'a>) -> Self {
        let locked = |(hash, raw): (Text<'a>, &'a str)| Locked { hash, raw, node: OnceLock::new() };
        let group = |(path, part): (Text<'a>, Part<'a>)| {
            (path, Group::new(part.roots, part.concrete_specs, part.include_concrete))
        };
        Group {
            roots,
            specs: specs.0.into_iter().map(locked).collect(),
            included: included.0.into_iter().map(group).collect(),
        }
    }

    fn check(&self, path: &Path, text: &str) -> Result<()> {
        let mut hashes: Vec<&str> = self.specs.iter().map(|s| &*s.hash).collect();
        hashes.sort_unstable();
        if let Some(pair) = hashes.windows(2).find(|pair| pair.first() == pair.last()) {
            let hash = pair.first().copied().unwrap_or_default();
            return Err(corrupt(
                path,
                text.rfind(hash).unwrap_or(0),
                format!("the hash '{hash}' stands twice"),
            ));
        }
        if let Some(root) = self.roots.iter().find(|root| hashes.binary_search(&&*root.hash).is_err()) {
            let at = text.find(&*root.hash).unwrap_or(0);
            return Err(corrupt(path, at, format!("the root '{}' has no concrete spec", root.spec)));
        }
        self.included.iter().try_for_each(|(_, group)| group.check(path, text))
    }

    /// Its roots with those of what it includes, each once.
    pub fn all_roots<'s>(&'s self) -> Vec<&'s Root<'a>> {
        let mut out: Vec<&Root<'a>> = self.roots.iter().collect();
        self.included.iter().for_each(|(_, inner)| out.extend(inner.all_roots()));
        let mut seen = HashSet::new();
        out.retain(|root| seen.insert((&*root.hash, &*root.spec)));
        out
    }

    /// In the order of the file.
    pub fn specs(&self) -> &[Locked<'a>] {
        &self.specs
    }

    pub fn get(&self, hash: &str) -> Option<&Locked<'a>> {
        self.specs.iter().find(|spec| &*spec.hash == hash)
    }
}

#[derive(Debug)]
pub struct Lockfile<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
    pub version: u64,
    pub specfile_version: Option<u64>,
    /// The Spack that wrote it, from version 4 on.
    pub spack: Option<Text<'a>>,
    pub group: Group<'a>,
}

impl<'a> Lockfile<'a> {
    pub fn roots(&self) -> &[Root<'a>] {
        &self.group.roots
    }

    /// The roots with those of included environments, each once.
    pub fn all_roots<'s>(&'s self) -> Vec<&'s Root<'a>> {
        self.group.all_roots()
    }

    /// The node of a spec, parsed at the first call.
    pub fn node<'s>(&'s self, locked: &'s Locked<'a>) -> Result<&'s Node<'a>> {
        if let Some(node) = locked.node.get() {
            return Ok(node);
        }
        let base = offset_in(self.text, locked.raw);
        let node = Node::from_json(locked.raw).map_err(|e| corrupt_json(self.path, locked.raw, base, &e))?;
        if let Some(hash) = node.hash.as_deref().filter(|hash| self.version >= 4 && *hash != &*locked.hash) {
            return Err(corrupt(self.path, base, format!("the spec of {} holds {hash}", locked.hash)));
        }
        if let Some(key) = node.unknown_keys.first().filter(|_| locked.verify() != Verdict::Match) {
            return Err(corrupt(
                self.path,
                base,
                format!("the spec {} has an unknown key '{key}'", locked.hash),
            ));
        }
        Ok(locked.node.get_or_init(|| Box::new(node)))
    }

    /// Every concrete spec by its hash.
    pub fn by_hash<'s>(&'s self) -> HashMap<&'s str, &'s Locked<'a>> {
        self.all_specs().into_iter().map(|locked| (&*locked.hash, locked)).collect()
    }

    /// Every concrete spec, with those of included environments, each hash once.
    pub fn all_specs<'s>(&'s self) -> Vec<&'s Locked<'a>> {
        fn collect<'s, 'a>(group: &'s Group<'a>, out: &mut Vec<&'s Locked<'a>>) {
            out.extend(group.specs());
            group.included.iter().for_each(|(_, inner)| collect(inner, out));
        }
        let mut out = Vec::new();
        collect(&self.group, &mut out);
        let mut seen = HashSet::new();
        out.retain(|locked| seen.insert(&*locked.hash));
        out
    }
}

#[derive(Deserialize)]
struct Probe {
    #[serde(rename = "_meta")]
    meta: ProbeMeta,
}

#[derive(Deserialize)]
struct ProbeMeta {
    #[serde(rename = "lockfile-version")]
    lockfile_version: u64,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(rename = "lockfile-version")]
    lockfile_version: u64,
    #[serde(rename = "specfile-version", default)]
    specfile_version: Option<u64>,
    #[serde(rename = "file-type", borrow, default)]
    file_type: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Writer<'a> {
    #[serde(borrow)]
    version: Text<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole<'a> {
    #[serde(rename = "_meta", borrow)]
    meta: Meta<'a>,
    #[serde(borrow, default)]
    spack: Option<Writer<'a>>,
    #[serde(borrow)]
    roots: Vec<Root<'a>>,
    #[serde(borrow)]
    concrete_specs: Specs<'a>,
    #[serde(borrow, default)]
    include_concrete: Included<'a>,
}

impl<'a> Whole<'a> {
    fn of_parts(parts: Parts<'a>) -> Option<Whole<'a>> {
        let specs = parts.specs?.into_iter();
        Some(Whole {
            meta: serde_json::from_str(parts.meta?).ok()?,
            spack: parts.spack.map(serde_json::from_str).transpose().ok()?.flatten(),
            roots: serde_json::from_str(parts.roots?).ok()?,
            concrete_specs: Specs(specs.map(|(hash, raw)| (Text(Cow::Borrowed(hash)), raw)).collect()),
            include_concrete: match parts.included {
                Some(text) => serde_json::from_str(text).ok()?,
                None => Included::default(),
            },
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part<'a> {
    #[serde(borrow)]
    roots: Vec<Root<'a>>,
    #[serde(borrow)]
    concrete_specs: Specs<'a>,
    #[serde(borrow, default)]
    include_concrete: Included<'a>,
}

/// A JSON object in the order of the file.
#[derive(Default)]
struct Specs<'a>(Vec<(Text<'a>, &'a str)>);

#[derive(Default)]
struct Included<'a>(Vec<(Text<'a>, Part<'a>)>);

struct Pairs<V>(std::marker::PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for Pairs<V> {
    type Value = Vec<(Text<'de>, V)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut out: Vec<(Text<'de>, V)> = Vec::new();
        while let Some((key, value)) = map.next_entry::<Text<'de>, V>()? {
            if key.is_empty() {
                return Err(A::Error::custom("a name is empty"));
            }
            out.push((key, value));
        }
        Ok(out)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Specs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = deserializer.deserialize_map(Pairs::<&'de RawValue>(std::marker::PhantomData))?;
        Ok(Specs(pairs.into_iter().map(|(hash, raw)| (hash, raw.get())).collect()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Included<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Pairs::<Part<'de>>(std::marker::PhantomData)).map(Included)
    }
}
