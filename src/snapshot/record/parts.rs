//! The parts of a snapshot, as they were recorded.

use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::snapshot::record::configuration::ConfigurationFile;
use crate::snapshot::record::state::HashState;
use crate::snapshot::store::index::StoredSnapshot;
use crate::snapshot::store::object::Objects;

/// The state of each hash, as recorded.
pub fn states(cx: &Cx, kept: &StoredSnapshot) -> Result<Vec<HashState>> {
    part(cx, kept, &kept.snapshot.state)
}

/// The configuration files, as recorded.
pub fn configuration(cx: &Cx, kept: &StoredSnapshot) -> Result<Vec<ConfigurationFile>> {
    part(cx, kept, &kept.snapshot.configuration)
}

fn part<T: serde::de::DeserializeOwned>(cx: &Cx, kept: &StoredSnapshot, object: &str) -> Result<T> {
    serde_json::from_slice(&Objects(cx).get(object)?).map_err(|e| {
        Trouble::new(
            Kind::Corrupt,
            format!("a part of snapshot {} cannot be read: {e}", kept.snapshot.title()),
        )
    })
}
