//! The primitives over one Spack installation.

use super::Registry;
use crate::spack::change::{exec, gc, install, mark, uninstall};
use crate::spack::read::{concretize, config_value, find, site, verify};
use crate::world::Effect::{Changes, Reads};

pub fn declare(reg: &mut Registry) {
    reg.add("spack.info", Reads, &[], "spack.info()", site::info);
    reg.add("spack.find", Reads, &["query"], r#"spack.find("hdf5+mpi", { explicit = true })"#, find::find);
    reg.add("spack.get", Reads, &["query"], r#"spack.get("hdf5")"#, find::get);
    reg.add(
        "spack.dependents",
        Reads,
        &["query"],
        r#"spack.dependents("openmpi", { transitive = true })"#,
        find::dependents,
    );
    reg.add(
        "spack.dependencies",
        Reads,
        &["query"],
        r#"spack.dependencies("hdf5", { types = { "link" } })"#,
        find::dependencies,
    );
    reg.add("spack.users", Reads, &["query"], r#"spack.users("hdf5")"#, find::users);
    reg.add("spack.compilers", Reads, &[], "spack.compilers()", site::compilers);
    reg.add("spack.repos", Reads, &[], "spack.repos()", site::repos);
    reg.add("spack.mirrors", Reads, &[], "spack.mirrors()", site::mirrors);
    reg.add(
        "spack.config",
        Reads,
        &["path"],
        r#"spack.config("config:install_tree:root")"#,
        config_value::config,
    );
    reg.keeping_nulls();
    reg.add("spack.spec", Reads, &["spec"], r#"spack.spec("hdf5+mpi", { fresh = true })"#, concretize::spec);
    reg.add("spack.verify", Reads, &["query"], r#"spack.verify("zlib")"#, verify::verify);
    reg.add("spack.install", Changes, &["spec"], r#"spack.install("zlib", { jobs = 8 })"#, install::install);
    reg.add(
        "spack.uninstall",
        Changes,
        &["query"],
        r#"spack.uninstall("hdf5", { dependents = true, dry_run = true, force = true })"#,
        uninstall::uninstall,
    );
    reg.add("spack.mark", Changes, &["query", "as"], r#"spack.mark("zlib", "implicit")"#, mark::mark);
    reg.add("spack.gc", Changes, &["query"], "spack.gc(nil, { dry_run = true })", gc::gc);
    reg.add("spack.exec", Changes, &["words"], r#"spack.exec({ "find", "--json", "zlib" })"#, exec::exec);
}
