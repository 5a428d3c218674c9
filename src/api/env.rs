//! The primitives over environments.

use super::Registry;
use crate::spack::{env_change, env_concretize, env_diff, env_hold, env_look, env_view};
use crate::world::Effect::{Changes, Reads};

pub fn declare(reg: &mut Registry) {
    reg.add("env.list", Reads, &[], "env.list()", env_look::list);
    reg.add("env.show", Reads, &["name"], r#"env.show("science")"#, env_look::show);
    reg.add("env.specs", Reads, &["name"], r#"env.specs("science", { roots = true })"#, env_look::specs);
    reg.add("env.status", Reads, &["name"], r#"env.status("science")"#, env_look::status);
    reg.add("env.diff", Reads, &["from", "to"], r#"env.diff("science", "next")"#, env_diff::diff);
    reg.add("env.hold", Reads, &["name"], r#"env.hold("science")"#, env_hold::hold);
    reg.add(
        "env.create",
        Changes,
        &["name", "specs"],
        r#"env.create("new", { "zlib" })"#,
        env_change::create,
    );
    reg.add("env.add", Changes, &["name", "specs"], r#"env.add("science", "zlib")"#, env_change::add);
    reg.add(
        "env.remove",
        Changes,
        &["name", "specs"],
        r#"env.remove("next", "gromacs")"#,
        env_change::remove,
    );
    reg.add(
        "env.concretize",
        Changes,
        &["name"],
        r#"env.concretize("next", { force = true })"#,
        env_concretize::concretize,
    );
    reg.add(
        "env.install",
        Changes,
        &["name", "specs"],
        r#"env.install("science", { fail_fast = true })"#,
        env_concretize::install_env,
    );
    reg.add("env.refresh", Changes, &["name"], r#"env.refresh("science")"#, env_view::refresh);
    reg.add("env.delete", Changes, &["name"], r#"env.delete("next")"#, env_change::delete);
}
