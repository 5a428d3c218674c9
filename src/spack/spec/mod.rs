//! An abstract spec: what an admin types, as data. Parsing is in `parser`, printing in `print`; when two are the same to
//! Spack is in `canonical`. What this build does not know is refused by the parser, so every field here means something
//! to the matcher. Concrete nodes are in `store`.
//!
//! ```text
//! replace → canonical ↔ lexer ↔ merge ↔ mod ↔ parser ↔ print ↔ reading → { version, targets, words } → dialect
//! ```

pub(crate) mod canonical;
mod dialect;
pub(crate) mod lexer;
pub(crate) mod merge;
pub(crate) mod parser;
pub mod print;
pub mod reading;
pub mod replace;
pub mod targets;
pub mod version;
pub mod words;

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::base::{Result, Trouble};

use reading::Reading;
use version::list::VersionList;

pub use dialect::Dialect;

/// The names of compiler flags; every other `name=value` is a variant.
pub const FLAG_NAMES: [&str; 6] = ["cflags", "cppflags", "cxxflags", "fflags", "ldflags", "ldlibs"];

/// The types of dependencies, in Spack's order.
pub const DEPTYPES: [&str; 4] = ["build", "link", "run", "test"];

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum VariantValue {
    /// `+name`, `~name`, `name=true`.
    Bool(bool),
    /// `name=*`: set, to whatever.
    Any,
    /// `name=a,b`, sorted, without duplicates.
    Text(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    pub value: VariantValue,
    /// `:=`, exactly these values.
    pub exact: bool,
    /// `++`, `==`: dependencies must not contradict.
    pub propagate: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    pub text: String,
    pub propagate: bool,
}

/// `%gcc@12` as Spack up to 0.23 reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiler {
    pub name: String,
    pub versions: VersionList,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edge {
    pub spec: Spec,
    /// `%`, and not `^`.
    pub direct: bool,
    /// Sorted.
    pub virtuals: Vec<String>,
    /// In Spack's order: build, link, run, test.
    pub deptypes: Vec<String>,
    /// The dependency is there only where this holds.
    pub when: Option<Box<Spec>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spec {
    pub name: Option<String>,
    pub namespace: Option<String>,
    pub versions: VersionList,
    pub compiler: Option<Compiler>,
    pub variants: BTreeMap<String, Variant>,
    pub flags: BTreeMap<String, Vec<Flag>>,
    /// Something was said of the architecture, were it only `target=''`.
    pub architecture: bool,
    pub platform: Option<String>,
    pub os: Option<String>,
    /// A name, ranges (`x86_64_v3:`), or a list of them.
    pub target: Option<String>,
    /// A beginning of the DAG hash.
    pub hash: Option<String>,
    pub dependencies: Vec<Edge>,
}

impl Spec {
    /// Exactly one spec.
    pub fn parse<'g>(text: &str, reading: impl Into<Reading<'g>>) -> Result<Spec> {
        let mut specs = Spec::parse_all(text, reading)?;
        match (specs.pop(), specs.len()) {
            (Some(spec), 0) => Ok(spec),
            (None, _) => Err(Trouble::usage("a spec is expected, but there is none")),
            (Some(_), n) => {
                Err(Trouble::usage(format!("one spec is expected, but '{text}' holds {}", n + 1))
                    .hint("dependencies are written with '^', as in 'hdf5 ^openmpi'"))
            }
        }
    }

    /// One spec after the other, as on Spack's command line.
    pub fn parse_all<'g>(text: &str, reading: impl Into<Reading<'g>>) -> Result<Vec<Spec>> {
        parser::parse(text, reading.into())
    }

    /// Says nothing at all, so everything satisfies it.
    pub fn is_empty(&self) -> bool {
        *self == Spec::default()
    }

    /// `self` and every dependency that it names.
    pub fn nodes(&self) -> Vec<&Spec> {
        let mut out = vec![self];
        for edge in &self.dependencies {
            out.extend(edge.spec.nodes());
        }
        out
    }
}

impl FromStr for Spec {
    type Err = Trouble;

    /// In the dialect of Spack 1.0 and later.
    fn from_str(text: &str) -> Result<Spec> {
        Spec::parse(text, Dialect::Direct)
    }
}
