//! What people see: results, tables, errors, progress. Decides wording and colour; knows no command and no domain.
//!
//! ```text
//! plan → printer ↔ progress → value → { diff, trouble, table } → plain
//! ```

pub mod diff;
pub mod plain;
pub mod plan;
pub mod printer;
pub mod progress;
pub mod table;
pub mod trouble;
pub mod value;

pub use printer::{Colour, Detail, Printer};
