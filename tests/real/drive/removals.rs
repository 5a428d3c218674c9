//! What goes: uninstalling, garbage, and what was changed behind Spack's back.

use std::collections::BTreeSet;

use super::bed::{Bed, Outcome, ensure};

pub fn refused(bed: &Bed) -> Outcome {
    let before = bed.site.records();
    let error = bed.fails(r#"return spack.uninstall("lab-hdf5+mpi")"#, "refused")?;
    ensure(error["facts"]["dependents"].to_string().contains("lab-app"), &format!("{error:#}"))?;
    ensure(error["facts"]["environments"][0] == "e1", &format!("{error:#}"))?;
    ensure(bed.site.records() == before, "something changed")?;
    let dry = bed.ok(r#"return spack.uninstall("lab-app", { dry_run = true })"#)?;
    ensure(dry["specs"][0]["name"] == "lab-app" && bed.site.records() == before, &format!("{dry:#}"))?;
    let gone = bed.ok(r#"return spack.uninstall("lab-app")"#)?;
    let prefix = gone["specs"][0]["prefix"].as_str().ok_or("no prefix")?;
    ensure(!std::path::Path::new(prefix).exists(), "the prefix is still there")?;
    ensure(bed.site.installed("lab-app").is_empty(), "it is still in the database")
}

pub fn garbage(bed: &Bed) -> Outcome {
    bed.ok(r#"return spack.mark("lab-solver@2.4 precision=single", "implicit")"#)?;
    let installed = || -> BTreeSet<String> {
        bed.site.records().into_iter().filter(|(_, r)| r["installed"] == true).map(|(h, _)| h).collect()
    };
    let before = installed();
    let said = bed.ok("return spack.gc({ dry_run = true })")?;
    ensure(installed() == before, "a dry run removed something")?;
    let planned: BTreeSet<String> = said["specs"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|s| s["hash"].as_str().map(str::to_owned))
        .collect();
    ensure(!planned.is_empty(), "there is no garbage")?;
    let done = bed.ok("return spack.gc()")?;
    let gone: BTreeSet<String> = before.difference(&installed()).cloned().collect();
    ensure(gone == planned, &format!("planned {planned:?}, gone {gone:?}\n{done:#}"))?;
    // What no environment needs, whoever asked for it.
    let keep = bed.ok("return spack.gc({ unused = true, dry_run = true })")?;
    let names = keep["specs"].to_string();
    ensure(names.contains("lab-slow") && !names.contains("lab-netcdf"), &names)
}

pub fn verify(bed: &Bed) -> Outcome {
    let rows = bed.ok(r#"return spack.verify("lab-netcdf")"#)?;
    ensure(rows[0]["verdict"] == "same", &format!("{rows:#}"))?;
    let prefix = rows[0]["prefix"].as_str().ok_or("no prefix")?;
    let path = format!("{prefix}/lib/liblab-netcdf.txt");
    std::fs::write(&path, "tampered\n").map_err(|e| e.to_string())?;
    let rows = bed.ok(r#"return spack.verify("lab-netcdf")"#)?;
    ensure(rows[0]["verdict"] == "changed", &format!("{rows:#}"))?;
    ensure(rows[0]["differences"][&path].to_string().contains("hash"), &format!("{rows:#}"))?;
    // Rebuilt in place.
    let result =
        bed.ok(r#"return spack.install("/" .. spack.get("lab-netcdf").hash, { overwrite = true })"#)?;
    ensure(result["ok"] == true, &format!("{result:#}"))?;
    let rows = bed.ok(r#"return spack.verify("lab-netcdf")"#)?;
    ensure(rows[0]["verdict"] == "same", &format!("{rows:#}"))
}

pub fn exec(bed: &Bed) -> Outcome {
    let listed = bed.ok(r#"return spack.exec({ "list", "lab-" }).stdout"#)?;
    ensure(listed.as_str().is_some_and(|t| t.contains("lab-hdf5")), &format!("{listed}"))?;
    let inside = bed.ok(r#"return spack.exec({ "env", "status" }, { env = "e1" }).stdout"#)?;
    ensure(inside.as_str().is_some_and(|t| t.contains("e1")), &format!("{inside}"))?;
    bed.fails(r#"return spack.exec({ "frobnicate" })"#, "program")?;
    let code = bed.ok(r#"return spack.exec({ "find", "no-such-package" }, { check = false }).code"#)?;
    ensure(code.as_i64().is_some(), &format!("{code}"))
}
