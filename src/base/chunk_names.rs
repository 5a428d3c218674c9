//! What our own Lua texts are called where Lua names a text: as no file of a site is.

const FOLDER: &str = "<moonstack>/";

/// The name that errors show.
pub fn file(name: &str) -> String {
    format!("{FOLDER}{name}.lua")
}

/// The name that Lua is given.
pub fn chunk(name: &str) -> String {
    format!("@{}", file(name))
}

pub fn is_ours(file: &str) -> bool {
    file.starts_with(FOLDER)
}
