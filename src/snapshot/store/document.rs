//! What a snapshot says. The document never changes once it is written, and its SHA-256 is the snapshot's id.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::object::ObjectId;
use crate::base::{Kind, Result, Trouble};

/// The format that this build writes; an older one is read, a newer one refused.
pub const FORMAT: u32 = 1;

/// The record of what an environment was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    pub format: u32,
    /// Counted within the environment; a number is never used again.
    pub number: u64,
    /// The environment.
    pub env: Subject,
    /// When it was taken (RFC 3339).
    pub created: String,
    pub user: String,
    pub host: String,
    /// The run of the journal that took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub spack: SpackRecord,
    /// Root of the store.
    pub store: PathBuf,
    /// Roots in the lock.
    pub roots: usize,
    /// Concrete specs in the lock.
    pub specs: usize,
    /// Of these, what was installed, externals included.
    pub installed: usize,
    /// The manifest, byte for byte.
    pub manifest: FileRecord,
    /// The lock, byte for byte.
    pub lock: FileRecord,
    /// The configuration files in effect, without secrets.
    pub configuration: ObjectId,
    /// The state of each hash.
    pub state: ObjectId,
    /// Package repositories, highest precedence first.
    pub repositories: Vec<RepositoryRecord>,
}

/// The environment of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    pub name: String,
    pub path: PathBuf,
}

/// The Spack that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpackRecord {
    pub version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    pub root: PathBuf,
}

/// A file that is kept byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileRecord {
    pub path: PathBuf,
    pub object: ObjectId,
    pub size: u64,
}

/// A package repository as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RepositoryRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub path: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

#[derive(Deserialize)]
struct Probe {
    format: u32,
}

impl Snapshot {
    /// Everything that it names.
    pub fn objects(&self) -> [&ObjectId; 4] {
        [&self.manifest.object, &self.lock.object, &self.configuration, &self.state]
    }

    /// `science@3`.
    pub fn title(&self) -> String {
        format!("{}@{}", self.env.name, self.number)
    }

    /// Reads a document; `place` names it in errors.
    pub fn parse(bytes: &[u8], place: &str) -> Result<Snapshot> {
        let wrong = |e: serde_json::Error| {
            Trouble::new(Kind::Corrupt, format!("{place} is not the document of a snapshot: {e}"))
                .fact("path", place)
        };
        let probe: Probe = serde_json::from_slice(bytes).map_err(wrong)?;
        if probe.format == 0 || probe.format > FORMAT {
            return Err(Trouble::new(
                Kind::UnknownFormat,
                format!("{place} has format {}; this build knows up to {FORMAT}", probe.format),
            )
            .hint("use the newer moonstack that wrote it")
            .fact("path", place));
        }
        serde_json::from_slice(bytes).map_err(wrong)
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Trouble::new(Kind::Internal, format!("snapshot: {e}")))
    }
}
