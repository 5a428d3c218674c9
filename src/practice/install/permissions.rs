//! Whom Spack gives what it installs to, as `packages` of its configuration says.

use std::path::Path;

use serde_json::Value;

use crate::practice::model::halt::Halt;
use crate::practice::session::Session;
use crate::world::fs::access::SharedPermissions;
use crate::world::fs::share::{Sharing, share};

/// Gives a prefix to whom its package is for. Without a word of it nothing is done.
pub fn set(session: &Session<'_, '_>, package: &str, prefix: &Path) -> Result<(), Halt> {
    let packages = session.config.section("packages")?;
    // Each key may stand with the package or with all.
    let told = |key: &str| {
        let of = |name: &str| packages.get(name)?.get("permissions")?.get(key).and_then(Value::as_str);
        of(package).or_else(|| of("all")).map(str::to_owned)
    };
    let (read, write, group) = (told("read"), told("write"), told("group"));
    if read.is_none() && write.is_none() && group.is_none() {
        return Ok(());
    }
    let world_reads = read.is_none_or(|read| read == "world");
    let wish =
        SharedPermissions { group, world_reads, group_writes: write.is_some_and(|write| write != "user") };
    let access = wish.resolve()?;
    share(&Sharing { paths: vec![prefix.to_owned()], deep: true, access, spare: Vec::new() })?;
    Ok(())
}
