//! The database as it would be after a command: the index file's text with records added, marked or gone. Spack's
//! own file is never written; this is what later looks of the same plan read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::base::{Kind, Result, Trouble};
use crate::spack::drive::session::Scope;
use crate::world::seam::scene::PlanContext;

#[derive(Deserialize, Serialize)]
struct Index {
    database: Database,
}

#[derive(Deserialize, Serialize)]
struct Database {
    version: Value,
    installs: BTreeMap<String, Box<RawValue>>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// A record that is pretended.
pub struct NewRecord {
    pub hash: String,
    /// The node as a lock or a spec file has it.
    pub node: Box<RawValue>,
    pub prefix: Option<String>,
    pub explicit: bool,
}

/// Changes the index of the scope's store.
pub fn edit(
    scene: &PlanContext<'_>,
    scope: &Scope,
    change: impl FnOnce(&mut BTreeMap<String, Box<RawValue>>) -> Result<()>,
) -> Result<()> {
    let path = scope.install_tree()?.root.join(".spack-db/index.json");
    let wrong = |e: serde_json::Error| {
        Trouble::new(Kind::Corrupt, format!("{} cannot be planned with: {e}", path.display()))
    };
    let mut index: Index = match scene.eyes.read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(wrong)?,
        Err(trouble) if trouble.is(Kind::NotFound) => {
            let version = scope.spack.installation.release.abilities().database_version.to_string();
            let database =
                Database { version: version.into(), installs: BTreeMap::new(), rest: BTreeMap::new() };
            Index { database }
        }
        Err(trouble) => return Err(trouble),
    };
    change(&mut index.database.installs)?;
    let text = serde_json::to_vec(&index).map_err(wrong)?;
    if let Some(folder) = path.parent() {
        scene.overlay.make_folder(folder);
    }
    scene.overlay.write(&path, text, None);
    scope.spack.forget();
    Ok(())
}

/// Puts in what was installed; what is there becomes explicit if it was asked for.
pub fn add(
    installs: &mut BTreeMap<String, Box<RawValue>>,
    new: Vec<NewRecord>,
    explicit: &[String],
    now: f64,
) -> Result<()> {
    for record in new {
        let row = json!({
            "spec": record.node, "path": record.prefix, "installed": true, "ref_count": 0,
            "explicit": record.explicit, "installation_time": now, "in_buildcache": false,
        });
        installs.insert(record.hash, raw(&row)?);
    }
    for hash in explicit {
        mark(installs, hash, true)?;
    }
    Ok(())
}

pub fn mark(installs: &mut BTreeMap<String, Box<RawValue>>, hash: &str, explicit: bool) -> Result<()> {
    let Some(record) = installs.get_mut(hash) else { return Ok(()) };
    let mut row: Value = serde_json::from_str(record.get()).map_err(internal)?;
    if let Some(row) = row.as_object_mut() {
        row.insert(String::from("explicit"), explicit.into());
    }
    *record = raw(&row)?;
    Ok(())
}

fn raw(value: &Value) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value).map_err(internal)
}

fn internal(error: serde_json::Error) -> Trouble {
    Trouble::new(Kind::Internal, format!("a pretended record: {error}"))
}
