//! What the stand-in knows and speaks: packages, specs, records, its way to end, and the only place that writes to
//! disk. No command is answered here.
//!
//! ```text
//! format → query → { catalogue, disk, halt, record, release }
//! ```

pub(crate) mod catalogue;
pub(crate) mod disk;
pub(crate) mod format;
pub(crate) mod halt;
pub(crate) mod query;
pub(crate) mod record;
pub(crate) mod release;
