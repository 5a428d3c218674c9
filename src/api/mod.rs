//! Declares the primitives: one struct and one line make the Lua function, its argument checks, help, completion,
//! `moonstack call`, the stub and the reference page. What joins several domains is joined here. What a primitive
//! does is in its domain, and nothing here knows Lua or a terminal.
//!
//! ```text
//! { check, env, general, generation, notify, snapshot, spack } → { handmade ↔ registry, perform } →
//! { primitive, gather, handed }
//! ```

pub mod check;
pub mod env;
pub mod gather;
pub mod general;
pub mod generation;
mod handed;
pub mod handmade;
pub mod notify;
pub mod perform;
pub mod primitive;
pub mod registry;
pub mod snapshot;
pub mod spack;

pub use handed::hand_in;
pub use primitive::Primitive;
pub use registry::Registry;

/// Every primitive of this build, in the order of the documentation.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    spack::declare(&mut registry);
    env::declare(&mut registry);
    snapshot::declare(&mut registry);
    generation::declare(&mut registry);
    general::declare(&mut registry);
    check::declare(&mut registry);
    notify::declare(&mut registry);
    handmade::declare(&mut registry);
    registry
}
