//! The primitives over one Spack installation.

use super::Registry;
use crate::spack::{look, site_look};
use crate::world::Effect::Reads;

pub fn declare(reg: &mut Registry) {
    reg.add("spack.info", Reads, &[], "spack.info()", site_look::info);
    reg.add("spack.find", Reads, &["query"], r#"spack.find("hdf5+mpi", { explicit = true })"#, look::find);
    reg.add("spack.get", Reads, &["query"], r#"spack.get("hdf5")"#, look::get);
    reg.add(
        "spack.dependents",
        Reads,
        &["query"],
        r#"spack.dependents("openmpi", { transitive = true })"#,
        look::dependents,
    );
    reg.add(
        "spack.dependencies",
        Reads,
        &["query"],
        r#"spack.dependencies("hdf5", { types = { "link" } })"#,
        look::dependencies,
    );
    reg.add("spack.users", Reads, &["query"], r#"spack.users("hdf5")"#, look::users);
    reg.add("spack.compilers", Reads, &[], "spack.compilers()", site_look::compilers);
    reg.add("spack.repos", Reads, &[], "spack.repos()", site_look::repos);
    reg.add("spack.mirrors", Reads, &[], "spack.mirrors()", site_look::mirrors);
    reg.add(
        "spack.config",
        Reads,
        &["path"],
        r#"spack.config("config:install_tree:root")"#,
        site_look::config,
    );
}
