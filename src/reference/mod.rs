//! Documentation made from the declarations: help in the session, stubs for editors, the reference page and the
//! catalogue. Gives text; whoever asked prints or writes it. Nothing is documented here that a declaration does not
//! say.
//!
//! ```text
//! page → help ↔ policy → { catalog, lua_docs, stub } → { parts ↔ types, mod, signature }
//! ```

pub mod catalog;
pub mod help;
pub mod lua_docs;
pub mod page;
pub mod parts;
pub mod policy;
pub mod signature;
pub mod stub;
pub mod types;

/// A Lua text whose `---` comments are part of the documentation.
#[derive(Debug, Clone, Copy)]
pub struct LuaText<'a> {
    pub name: &'a str,
    pub text: &'a str,
}
