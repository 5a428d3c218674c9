//! Between Lua values and the rest: JSON both ways, errors, and the names that results have. No primitive is called
//! here.
//!
//! ```text
//! fields → convert ↔ error → extent
//! ```

mod convert;
pub mod error;
pub mod extent;
pub mod fields;

pub use convert::{arguments, is_lasting, options, to_json, to_lua, to_lua_as, to_whole_json};
