//! Faults that can be asked for, so that scripts and moonstack's own tests can be tried where it hurts.
//!
//! They stand in `faults.toml` beside the site's `spack` folder, or in the variable `MOONSTACK_PRACTICE_FAULTS`
//! with the same text (TOML; the variable wins):
//!
//! ```toml
//! [package.hdf5]          # by name
//! fail = "build"          # or "fetch"; or "run": it is built, but its programs end with an error
//! when = "@1.14"          # only for these versions or variants
//! damage = true           # after the installation its libraries are cut, which Spack does not notice
//! seconds = 5             # each phase of the build lasts that long altogether
//! kill = true             # Spack is killed (signal 9) in the middle of this build
//! [verb.find]             # by verb
//! garbage = true          # prints bytes that are neither text nor JSON, exit code 0
//! hang = true             # prints nothing and never ends
//! flood = 1000000         # prints that many lines first
//! code = 3                # fails at once with this exit code …
//! message = "…"           # … and this message
//! ```

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::Deserialize;

use super::Variables;
use crate::practice::model::catalogue::Failure;
use crate::practice::model::halt::Halt;
use crate::practice::model::query;
use crate::practice::model::record::{Node, Nodes};

pub const VARIABLE: &str = "MOONSTACK_PRACTICE_FAULTS";

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    #[serde(default)]
    pub package: BTreeMap<String, PackageFault>,
    #[serde(default)]
    pub verb: BTreeMap<String, VerbFault>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageFault {
    pub fail: Option<Failure>,
    pub seconds: Option<f64>,
    #[serde(default)]
    pub kill: bool,
    #[serde(default)]
    pub damage: bool,
    #[serde(default)]
    pub when: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerbFault {
    #[serde(default)]
    pub garbage: bool,
    #[serde(default)]
    pub hang: bool,
    pub flood: Option<u64>,
    pub code: Option<u8>,
    pub message: Option<String>,
}

impl Faults {
    pub fn load(spack_root: &Path, variables: &Variables) -> Result<Faults, Halt> {
        let text = if let Some(text) = variables.get(VARIABLE) {
            text.clone()
        } else {
            let file = spack_root.parent().unwrap_or(spack_root).join("faults.toml");
            std::fs::read_to_string(file).unwrap_or_default()
        };
        toml::from_str(&text).map_err(|e| Halt::internal(format!("the practice site's faults: {e}")))
    }
}

impl Faults {
    /// What was asked for this package, if it is one that the fault is for.
    pub fn of(&self, node: &Node, nodes: &Nodes) -> Result<PackageFault, Halt> {
        let fault = self.package.get(&node.name).cloned().unwrap_or_default();
        if fault.when.is_empty() || query::matches(node, &query::parse_one(&fault.when)?, nodes) {
            return Ok(fault);
        }
        Ok(PackageFault::default())
    }
}

impl VerbFault {
    /// Does what was asked for; an early end is an error.
    pub fn strike(&self, out: &mut dyn Write) -> Result<(), Halt> {
        for n in 0..self.flood.unwrap_or(0) {
            writeln!(out, "==> flood {n}: the practice site was asked for a great deal of output")?;
        }
        if self.hang {
            out.flush()?;
            loop {
                std::thread::sleep(std::time::Duration::from_hours(1));
            }
        }
        if self.garbage {
            out.write_all(b"{\"\xff\xfe garbage [[[ \x00\x01 \xc3\x28\n]]}\n")?;
            return Err(Halt::silent(0));
        }
        match self.code {
            Some(code) => Err(Halt { code, text: self.message.clone().unwrap_or_default() }),
            None => Ok(()),
        }
    }
}
