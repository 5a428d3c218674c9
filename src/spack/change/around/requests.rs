//! Files that Spack is given for one call and that nobody needs afterwards. A plan makes them as well, since Spack
//! reads them there, too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::base::Result;
use crate::site::Cx;
use crate::world::Action;

static NUMBER: AtomicU32 = AtomicU32::new(1);

/// A folder for the files of one request.
pub fn folder(cx: &Cx) -> PathBuf {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    cx.site.state.join("requests").join(format!("{}-{number}", std::process::id()))
}

/// Writes files, and the folders that they are in.
pub async fn write(cx: &Cx, files: Vec<(PathBuf, String)>) -> Result<()> {
    let folders: BTreeSet<&Path> = files.iter().filter_map(|(path, _)| path.parent()).collect();
    for path in folders {
        cx.world.keep(Action::MakeFolder { path: path.to_owned() }).await?;
    }
    for (path, text) in files {
        cx.world.keep(Action::write(path, text.into_bytes())).await?;
    }
    Ok(())
}

/// Removes the folder of a request.
pub async fn remove(cx: &Cx, folder: PathBuf) -> Result<()> {
    cx.world.keep(Action::RemovePath { path: folder }).await.map(drop)
}
