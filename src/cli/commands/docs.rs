//! `docs` and `types`: what the declarations say, for people and for editors.

use std::path::Path;

use crate::base::Result;
use crate::cli::session::Session;
use crate::reference::help::Library;
use crate::reference::{LuaText, catalog, page, stub};
use crate::script::loader::{SCRIPTS, documented};
use crate::world::Action;
use crate::world::scope::cancel::Cancel;

/// Everything that is documented.
pub fn library(session: &Session) -> Library<'_> {
    let text = |b: &'static crate::script::loader::Bundled| LuaText { name: b.name, text: b.text };
    Library {
        registry: &session.registry,
        modules: documented().map(text).collect(),
        workflows: SCRIPTS.iter().map(text).collect(),
    }
}

pub fn show(session: &Session, name: Option<&str>) -> Result<u8> {
    if session.printer.json {
        session.printer.json(&catalog::catalog(&session.registry))?;
        return Ok(0);
    }
    let library = library(session);
    let text = match name {
        Some(name) => library.about(name)?,
        None => library.index(),
    };
    session.printer.result(&text)?;
    Ok(0)
}

/// Writes stubs and page into a folder, which is made if need be.
pub async fn types(session: &Session, folder: &Path) -> Result<u8> {
    let mut files = stub::stubs(&session.registry);
    files.push((String::from("reference.md"), page::page(&library(session))));
    let world = &session.cx.world;
    let write = async {
        world.perform(Action::MakeFolder { path: folder.to_owned() }).await?;
        for (name, text) in files {
            world.perform(Action::write(folder.join(&name), text.into_bytes())).await?;
            session.printer.result(&folder.join(name).display().to_string())?;
        }
        Ok(0)
    };
    let scope: &Cancel = &session.scope;
    scope.enter(scope.guard(write)).await
}
