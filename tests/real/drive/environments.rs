//! The life of an environment.

use super::bed::{Bed, Outcome, ensure};

pub fn life(bed: &Bed) -> Outcome {
    let made = bed.ok(r#"return env.create("e1", { "lab-netcdf@4.9.0" })"#)?;
    ensure(made["kind"] == "managed", &format!("{made:#}"))?;
    let status = bed.ok(r#"return env.status("e1")"#)?;
    ensure(status["roots"][0]["state"] == "not_concretized", &format!("{status:#}"))?;

    let lock = bed.ok(r#"return env.concretize("e1")"#)?;
    ensure(lock["changed"] == true && lock["roots"][0]["spec"] == "lab-netcdf@4.9.0", &format!("{lock:#}"))?;
    let again = bed.ok(r#"return env.concretize("e1")"#)?;
    ensure(again["changed"] == false, &format!("{again:#}"))?;

    let result = bed.ok(r#"return env.install("e1")"#)?;
    ensure(result["ok"] == true, &format!("{result:#}"))?;
    let status = bed.ok(r#"return env.status("e1")"#)?;
    ensure(status["ok"] == true && status["roots"][0]["state"] == "installed", &format!("{status:#}"))?;
    ensure(bed.site.spack(&["-e", "e1", "find"])?.contains("lab-netcdf"), "Spack does not see it")?;

    // One more root, and one that goes.
    let added = bed.ok(r#"return env.add("e1", { "lab-solver@2.4", "lab-netcdf@4.9.0" })"#)?;
    ensure(
        added["changed"][0] == "lab-solver@2.4" && added["unchanged"][0] == "lab-netcdf@4.9.0",
        &format!("{added:#}"),
    )?;
    let status = bed.ok(r#"return env.status("e1")"#)?;
    ensure(status["stale"] == true, &format!("{status:#}"))?;
    let result = bed.ok(r#"return env.install("e1", "lab-solver@2.4")"#)?;
    ensure(result["ok"] == true, &format!("{result:#}"))?;
    let diff = bed.ok(r#"return env.diff("e1")"#)?;
    ensure(diff.as_array().is_some_and(Vec::is_empty), &format!("{diff:#}"))?;
    bed.ok(r#"return env.remove("e1", "lab-solver@2.4")"#)?;
    let lock = bed.ok(r#"return env.concretize("e1")"#)?;
    let gone = lock["changes"]
        .as_array()
        .is_some_and(|c| c.iter().any(|c| c["name"] == "lab-solver" && c["change"] == "removed"));
    ensure(gone, &format!("{lock:#}"))?;

    // A package that fails leaves the others, and is named.
    bed.ok(r#"return env.create("e2", { "lab-broken@2.0", "lab-hwloc@2.9" })"#)?;
    let error = bed.fails(r#"env.concretize("e2"); return env.install("e2")"#, "build")?;
    ensure(error["facts"]["failed"][0]["name"] == "lab-broken", &format!("{error:#}"))?;
    let status = bed.ok(r#"return env.status("e2")"#)?;
    let state = |spec: &str| {
        let roots = status["roots"].as_array().into_iter().flatten();
        roots.filter(|r| r["spec"] == spec).map(|r| r["state"].to_string()).collect::<String>()
    };
    ensure(
        state("lab-broken@2.0") == "\"missing\"" && state("lab-hwloc@2.9") == "\"installed\"",
        &format!("{status:#}"),
    )?;

    let gone = bed.ok(r#"return env.delete("e2")"#)?;
    let path = gone["path"].as_str().ok_or("no path")?;
    ensure(!std::path::Path::new(path).exists(), "the folder is still there")?;
    ensure(!bed.site.spack(&["env", "list"])?.contains("e2"), "Spack still lists it")
}

pub fn refusals(bed: &Bed) -> Outcome {
    bed.fails(r#"return env.create("e1")"#, "refused")?;
    bed.fails(r#"return env.create("not a name")"#, "usage")?;
    let error = bed.fails(r#"return env.concretize("e11")"#, "not_found")?;
    ensure(error["hints"][0].to_string().contains("e1"), &format!("{error:#}"))?;
    let before = bed.site.spack(&["env", "list"])?;
    let said = bed.eval(r#"return env.create("e3", { "no-such-package" })"#)?;
    ensure(said.code != Some(0), &format!("{said:#?}"))?;
    ensure(bed.site.spack(&["env", "list"])? == before, "a half-made environment is left")?;
    let folder = bed.site.folder.join("own");
    let made = bed.ok(&format!(
        r#"return env.create("{}", {{ independent = true, view = false }})"#,
        folder.display()
    ))?;
    ensure(made["kind"] == "independent" && folder.join("spack.yaml").is_file(), &format!("{made:#}"))?;
    bed.fails(&format!(r#"return env.delete("{}")"#, folder.display()), "refused").map(drop)
}
