//! What a rehearsal tells of specs and environments: the words of a plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    Removed,
    /// Another version than before.
    Upgraded,
    /// The same version with another hash.
    Rebuilt,
    Added,
    /// Is installed already.
    Reused,
}

/// Where a spec comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    Store,
    Mirror {
        name: String,
    },
    Source,
    /// The system has it.
    External,
}

/// One spec in a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpecEffect {
    pub effect: Effect,
    pub name: String,
    pub version: String,
    pub hash: String,
    /// The versions that it replaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<String>,
    /// The environment that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// Whether the plan installs it, or only puts it into a lock.
    pub installs: bool,
    #[serde(flatten)]
    pub origin: Origin,
    /// Bytes to fetch from a mirror.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download: Option<u64>,
    /// Bytes of disk, from installed specs of the same package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<u64>,
    /// Seconds that the same package took before: least, median, most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<[f64; 3]>,
}

impl SpecEffect {
    /// Whether it has to be built or unpacked.
    pub fn is_new(&self) -> bool {
        self.installs
            && matches!(self.effect, Effect::Added | Effect::Upgraded | Effect::Rebuilt)
            && self.origin != Origin::External
    }
}

/// What of an environment is touched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvironmentTouched {
    pub name: String,
    /// `manifest`, `lock`, `created`, `deleted`.
    pub changed: Vec<String>,
    /// Folders of views that are made anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<String>,
    /// Roots of module files that are written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<String>,
}

impl EnvironmentTouched {
    pub fn add(&mut self, other: &EnvironmentTouched) {
        for (into, from) in [
            (&mut self.changed, &other.changed),
            (&mut self.views, &other.views),
            (&mut self.modules, &other.modules),
        ] {
            for word in from {
                if !into.contains(word) {
                    into.push(word.clone());
                }
            }
        }
    }
}
