//! Concretizing and installing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::bed::{Bed, Outcome, ensure, error, said};
use crate::common::lab::done;

pub fn concretizing(bed: &Bed) -> Outcome {
    let spec = bed.ok(r#"return spack.spec("lab-app@1.0")"#)?;
    ensure(spec["to_install"].as_u64() > Some(4), &format!("{spec:#}"))?;
    ensure(spec["roots"].as_array().is_some_and(|r| r.len() == 1), &format!("{spec:#}"))?;
    ensure(bed.site.records().is_empty(), "concretizing installed something")?;
    bed.fails(r#"return spack.spec("lab-mpich ^lab-hwloc@2.9")"#, "concretization")?;
    Ok(())
}

fn hashes(rows: &Value) -> BTreeSet<String> {
    let rows = rows.as_array().into_iter().flatten();
    rows.filter_map(|row| row["hash"].as_str()).map(str::to_owned).collect()
}

pub fn installing(bed: &Bed) -> Outcome {
    let said = bed.eval(r#"return spack.install("lab-app@1.0 ^lab-openmpi")"#)?;
    ensure(said.code == Some(0) && said.json["ok"] == true, &format!("{said:#?}"))?;
    let claimed = hashes(&said.json["installed"]);
    let real: BTreeSet<String> = bed
        .site
        .records()
        .into_iter()
        .filter(|(_, r)| r["installed"] == true && r["spec"]["external"].is_null())
        .map(|(hash, _)| hash)
        .collect();
    ensure(claimed == real, &format!("claimed {claimed:?}, in the database {real:?}"))?;
    // Spack's own word, and the programs themselves.
    bed.site.spack(&["find", "lab-app@1.0"])?;
    let prefix = said.json["installed"]
        .as_array()
        .and_then(|rows| rows.iter().find(|r| r["name"] == "lab-app"))
        .and_then(|r| r["prefix"].as_str())
        .ok_or("lab-app has no prefix")?
        .to_owned();
    let ran = std::process::Command::new(format!("{prefix}/bin/lab-app")).output();
    done("lab-app", &ran.map_err(|e| e.to_string())?)?;
    ensure(said.stderr.contains("\"package_finished\",\"name\":\"lab-zlib\""), &said.stderr)?;
    let log = said.json["log"].as_str().ok_or("no log")?;
    let log = std::fs::read_to_string(log).map_err(|e| e.to_string())?;
    ensure(log.contains("lab-app") && log.contains("# scope "), &log)
}

pub fn again(bed: &Bed) -> Outcome {
    let before = bed.site.records();
    let result = bed.ok(r#"return spack.install("lab-app@1.0 ^lab-openmpi")"#)?;
    ensure(hashes(&result["installed"]).is_empty(), &format!("{result:#}"))?;
    ensure(hashes(&result["already"]).len() == 1 && result["log"].is_null(), &format!("{result:#}"))?;
    ensure(before == bed.site.records(), "the database changed")
}

pub fn variables(bed: &Bed) -> Outcome {
    // LAB_MARK is not on the list of what passes; SECRET_KNOBS only where the script names it.
    let script = r#"return spack.exec({ "python", "-c", "import os; print(os.environ.get('MARK_A'), os.environ.get('MARK_B'), os.environ.get('SPACK_ENV'), os.environ.get('PYTHONPATH'))" }, { variables = { "MARK_B" } }).stdout"#;
    let said = bed.eval_with(script, &[("MARK_A", "a"), ("MARK_B", "b"), ("SPACK_ENV", "/nonexistent")])?;
    ensure(said.json.as_str().map(str::trim) == Some("None b None None"), &format!("{said:#?}"))?;
    // What the configuration names passes as well; without it nothing is started, and nothing is named after it.
    let file = bed.site.folder.join("config/config.yaml");
    let before = std::fs::read_to_string(&file).map_err(|e| e.to_string())?;
    let write = |text: &str| std::fs::write(&file, text).map_err(|e| e.to_string());
    write(&format!("{before}  license_dir: {}/$MARK_C/licenses\n", bed.site.folder.display()))?;
    let show =
        r#"return spack.exec({ "python", "-c", "import os; print(os.environ.get('MARK_C'))" }).stdout"#;
    let set = bed.eval_with(show, &[("MARK_C", "c")])?;
    ensure(set.json.as_str().map(str::trim) == Some("c"), &format!("{set:#?}"))?;
    let refused = bed.fails(r#"return spack.install("lab-zlib")"#, "configuration")?;
    ensure(
        refused["message"].as_str().is_some_and(|m| m.contains("'MARK_C' is not set")),
        &format!("{refused}"),
    )?;
    ensure(!bed.site.folder.join("$MARK_C").exists(), "a folder is called $MARK_C")?;
    write(&before)
}

pub fn at_once(bed: &Bed) -> Outcome {
    let one = bed.start(r#"return spack.install("lab-solver@2.4 precision=single").ok"#)?;
    let two = bed.start(r#"return spack.install("lab-solver@2.4 precision=single").ok"#)?;
    let three = bed.start(r#"return spack.install("lab-slow seconds=2").ok"#)?;
    bed.site.spack(&["install", "lab-hdf5@1.12.3~mpi"])?;
    for child in [one, two, three] {
        let said = said(child.wait_with_output().map_err(|e| e.to_string())?)?;
        ensure(said.code == Some(0) && said.json == true, &format!("{said:#?}"))?;
    }
    for name in ["lab-slow", "lab-solver"] {
        ensure(!bed.site.installed(name).is_empty(), &format!("{name} is not installed"))?;
    }
    ensure(bed.site.installed("lab-hdf5").len() == 2, "lab-hdf5 is not there twice")?;
    // The database is whole, by Spack's own reading.
    bed.site.spack(&["find", "--json"]).map(drop)
}

/// Spack 1.1 and newer have a second one, which behaves differently.
pub fn new_installer(bed: &Bed) -> Outcome {
    if bed.release != "1.2" && bed.release != "1.1" {
        return Ok(());
    }
    let path = bed.site.folder.join("config/config.yaml");
    let text = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
    std::fs::write(&path, format!("{text}  installer: new\n")).map_err(|e| e.to_string())?;
    if bed.site.spack(&["install", "--fake", "lab-big"]).is_ok() {
        // This one has no new installer yet.
        return std::fs::write(&path, text).map_err(|e| e.to_string());
    }
    let said = bed.eval(r#"return spack.install("lab-solver@3.0 precision=single")"#)?;
    ensure(said.code == Some(0) && said.json["ok"] == true, &format!("{said:#?}"))?;
    let installed = bed.site.installed("lab-solver");
    let claimed = hashes(&said.json["installed"]);
    ensure(installed.iter().any(|h| claimed.contains(h)), &format!("{installed:?}, claimed {claimed:?}"))?;
    let found = error(&bed.eval(r#"return spack.install("lab-broken@2.0")"#)?, "build")?;
    ensure(found["facts"]["failed"][0]["name"] == "lab-broken", &format!("{found:#}"))?;
    bed.fails(r#"return spack.install("lab-big", { fake = true })"#, "unsupported")?;
    std::fs::write(&path, text).map_err(|e| e.to_string())
}
