//! How the text of specs is read: in which dialect and, where they are known, with the words of the site.

use std::fmt;

use super::Dialect;
use crate::base::Result;

/// One entry of a toolchain: dependencies, and when they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolchainPart {
    pub spec: String,
    pub when: Option<String>,
}

/// What words of a spec stand for on this machine and in this configuration. Asked only where one occurs.
pub trait SiteWords {
    /// The platform of this machine.
    fn platform(&self) -> &str;

    /// The operating system of this machine, as Spack names it; none where it cannot be told.
    fn os(&self) -> Option<String>;

    /// The processor of this machine, as Spack names it; none where it cannot be told.
    fn target(&self) -> Option<String>;

    /// The toolchain of that name, if one is configured.
    fn toolchain(&self, name: &str) -> Result<Option<Vec<ToolchainPart>>>;
}

#[derive(Clone, Copy)]
pub struct Reading<'g> {
    pub dialect: Dialect,
    /// None where text is read that is of no site, such as a recipe.
    pub site: Option<&'g dyn SiteWords>,
}

impl From<Dialect> for Reading<'_> {
    fn from(dialect: Dialect) -> Self {
        Reading { dialect, site: None }
    }
}

impl fmt::Debug for Reading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}
