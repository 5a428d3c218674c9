//! The primitives over environments.

use super::Registry;
use crate::spack::env_look;
use crate::world::Effect::Reads;

pub fn declare(reg: &mut Registry) {
    reg.add("env.list", Reads, &[], "env.list()", env_look::list);
    reg.add("env.show", Reads, &["name"], r#"env.show("science")"#, env_look::show);
    reg.add("env.specs", Reads, &["name"], r#"env.specs("science", { roots = true })"#, env_look::specs);
    reg.add("env.status", Reads, &["name"], r#"env.status("science")"#, env_look::status);
    reg.add("env.diff", Reads, &["from", "to"], r#"env.diff("science", "next")"#, env_look::diff);
}
