//! Damaged files, said in one way: which file, at which byte, and what is wrong there.

use std::path::Path;

use crate::base::{Kind, Result, Trouble};

/// The error for a file that cannot be read as what it should be.
pub fn corrupt(path: &Path, offset: usize, what: impl std::fmt::Display) -> Trouble {
    let path = path.display().to_string();
    Trouble::new(Kind::Corrupt, format!("{path} is damaged at byte {offset}: {what}"))
        .fact("path", path)
        .fact("offset", offset)
}

/// The error for JSON that does not parse; `base` is where `text` begins in the file.
pub fn corrupt_json(path: &Path, text: &str, base: usize, error: &serde_json::Error) -> Trouble {
    let line_start: usize =
        text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let offset = base + (line_start + error.column().saturating_sub(1)).min(text.len());
    let full = error.to_string();
    let what = full.rsplit_once(" at line ").map_or(full.as_str(), |(what, _)| what);
    if error.is_eof() && base == 0 {
        return corrupt(path, offset, "the file ends too early; it was cut off");
    }
    corrupt(path, offset, what)
}

/// The bytes as text, checked once.
pub fn utf8(path: &Path, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes)
        .map_err(|e| corrupt(path, e.utf8_error().valid_up_to(), "this is not UTF-8 text"))
}

/// Where `part`, a slice of `whole`, begins in it.
pub fn offset_in(whole: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}
