//! Which specs mirrors hold as binaries, as far as somebody has looked. Who looks lives above; see `drive::handed`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::spack::config::mirrors::Mirror;

/// A mirror that holds a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorBinary {
    pub mirror: String,
    pub bytes: Option<u64>,
    pub signature: Signature,
}

/// Whether somebody has signed a binary. Spack checks the signature itself when it installs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    Signed,
    Unsigned,
    /// Unsigned in a mirror whose signatures are checked: Spack does not take it.
    Lacking,
    /// Nobody looked.
    Unknown,
}

impl Signature {
    pub fn of(is_signed: bool, mirror: &Mirror) -> Signature {
        match (is_signed, mirror.signed) {
            (true, _) => Signature::Signed,
            (false, true) => Signature::Lacking,
            (false, false) => Signature::Unsigned,
        }
    }
}

#[derive(Debug, Default)]
pub struct MirrorBinaries {
    /// By hash.
    pub found: BTreeMap<String, MirrorBinary>,
    pub not_looked: Vec<String>,
}
