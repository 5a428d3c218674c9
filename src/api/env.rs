//! The primitives over environments.

use super::Registry;
use crate::spack::change::around::view;
use crate::spack::change::env::{asked, change, concretize, hold, upgrade};
use crate::spack::read::{env_diff, env_status};
use crate::world::Effect::{Changes, Reads};

pub fn declare(reg: &mut Registry) {
    reg.add("env.list", Reads, &[], "env.list()", env_status::list);
    reg.add("env.show", Reads, &["name"], r#"env.show("science")"#, env_status::show);
    reg.add("env.specs", Reads, &["name"], r#"env.specs("science", { roots = true })"#, env_status::specs);
    reg.add("env.status", Reads, &["name"], r#"env.status("science")"#, env_status::status);
    reg.add("env.diff", Reads, &["from", "to"], r#"env.diff("science", "next")"#, env_diff::diff);
    reg.add("env.hold", Reads, &["name"], r#"env.hold("science")"#, hold::hold);
    reg.add("env.create", Changes, &["name", "specs"], r#"env.create("new", { "zlib" })"#, change::create);
    reg.add("env.add", Changes, &["name", "specs"], r#"env.add("science", "zlib")"#, asked::add);
    reg.add("env.remove", Changes, &["name", "specs"], r#"env.remove("next", "gromacs")"#, asked::remove);
    reg.add(
        "env.concretize",
        Changes,
        &["name"],
        r#"env.concretize("next", { force = true })"#,
        concretize::concretize,
    );
    reg.add(
        "env.upgrade",
        Changes,
        &["name", "specs"],
        r#"env.upgrade("next", { "zlib" }, { dependents = true })"#,
        upgrade::upgrade,
    );
    reg.add(
        "env.install",
        Changes,
        &["name", "specs"],
        r#"env.install("science", { fail_fast = true })"#,
        crate::spack::change::env::install::install_env,
    );
    reg.add("env.refresh", Changes, &["name"], r#"env.refresh("science")"#, view::refresh);
    reg.add("env.delete", Changes, &["name"], r#"env.delete("next")"#, change::delete);
}
