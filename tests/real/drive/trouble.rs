//! What goes wrong: builds that fail, limits, signals.

use std::time::Duration;

use super::bed::{Bed, Outcome, ensure, error, said, wait};

pub fn build_failure(bed: &Bed) -> Outcome {
    let error = bed.fails(r#"return spack.install("lab-broken@2.0")"#, "build")?;
    let failed = &error["facts"]["failed"][0];
    ensure(failed["name"] == "lab-broken", &format!("{error:#}"))?;
    let lines = failed["errors"].to_string();
    ensure(lines.contains("is built to fail"), &format!("{error:#}"))?;
    let log = failed["log"].as_str().ok_or("no build log")?;
    ensure(std::path::Path::new(log).is_file(), &format!("there is no {log}"))?;
    ensure(bed.site.installed("lab-broken").is_empty(), "it is installed")?;
    ensure(error["facts"]["missing"][0]["name"] == "lab-broken", &format!("{error:#}"))
}

pub fn unknown_package(bed: &Bed) -> Outcome {
    let error = bed.fails(r#"return spack.install("no-such-package")"#, "concretization")?;
    ensure(error["message"].to_string().contains("no-such-package"), &format!("{error:#}"))
}

/// What Spack refuses of its configuration is found, each at its line.
pub fn refused_configuration(bed: &Bed) -> Outcome {
    let file = bed.site.folder.join("config/packages.yaml");
    let before = std::fs::read_to_string(&file).ok();
    let check = r#"return check.run{ only = { "configuration" } }"#;
    let pass = bed.ok(check)?;
    ensure(pass[0]["status"] == "pass" && pass.as_array().map(Vec::len) == Some(1), &format!("{pass:#}"))?;
    for (body, line, telling) in [
        ("    paths:\n      lab-zlib@1.2.13: /usr\n", 3, "paths"),
        ("    buildable: maybe\n", 3, "maybe"),
        ("    versions: [1.2.13]\n", 3, "versions"),
        ("    externals:\n    - prefix: /usr\n", 4, "spec"),
    ] {
        let text = format!("packages:\n  lab-zlib:\n{body}");
        std::fs::write(&file, text).map_err(|e| e.to_string())?;
        let found = bed.ok(check)?;
        let place = format!("{}:{line}", file.display());
        let told = found.as_array().into_iter().flatten().find(|f| f["subject"] == place.as_str());
        let Some(told) = told else { return Err(format!("{body}: {found:#}")) };
        ensure(
            told["status"] == "fail" && told["message"].to_string().contains(telling),
            &format!("{told:#}"),
        )?;
    }
    match before {
        Some(before) => std::fs::write(&file, before),
        None => std::fs::remove_file(&file),
    }
    .map_err(|e| e.to_string())
}

pub fn time_limit(bed: &Bed) -> Outcome {
    let error = bed.fails(r#"return spack.install("lab-slow seconds=61", { timeout = "6s" })"#, "timeout")?;
    ensure(error["facts"]["missing"][0]["name"] == "lab-slow", &format!("{error:#}"))?;
    bed.quiet()?;
    ensure(bed.site.installed("lab-slow").is_empty(), "it is installed")
}

pub fn silence(bed: &Bed) -> Outcome {
    let error = bed.fails(r#"return spack.install("lab-slow seconds=62", { silence = "8s" })"#, "timeout")?;
    ensure(error["message"].to_string().contains("printed nothing"), &format!("{error:#}"))?;
    bed.quiet()
}

/// Starts an installation and waits until its build runs.
fn building(bed: &Bed, seconds: u32) -> Result<std::process::Child, String> {
    let logs = bed.logs();
    let child = bed.start(&format!(r#"return spack.install("lab-slow seconds={seconds}")"#))?;
    wait("the build to begin", Duration::from_secs(90), || {
        bed.logs().into_iter().any(|(path, text)| {
            !logs.iter().any(|(known, _)| *known == path) && text.contains("==> Installing lab-slow")
        })
    })?;
    std::thread::sleep(Duration::from_millis(1500));
    Ok(child)
}

pub fn interrupt(bed: &Bed) -> Outcome {
    let child = building(bed, 63)?;
    signal(child.id(), "INT")?;
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    ensure(output.status.code() == Some(130), &format!("{output:?}"))?;
    bed.quiet()?;
    ensure(bed.site.installed("lab-slow").is_empty(), "it is installed")
}

pub fn killed(bed: &Bed) -> Outcome {
    let child = building(bed, 64)?;
    // Spack itself, not its builder: the leader of the group.
    let listed = std::process::Command::new("ps").args(["-eo", "pid,ppid,args"]).output();
    let listed = String::from_utf8_lossy(&listed.map_err(|e| e.to_string())?.stdout).into_owned();
    let parent = child.id().to_string();
    let spack = listed
        .lines()
        .find_map(|line| {
            let mut words = line.split_whitespace();
            let (pid, ppid) = (words.next()?, words.next()?);
            (ppid == parent).then(|| pid.parse().ok()).flatten()
        })
        .ok_or("no child process")?;
    signal(spack, "KILL")?;
    let said = said(child.wait_with_output().map_err(|e| e.to_string())?)?;
    let error = error(&said, "signal")?;
    ensure(error["facts"]["missing"][0]["name"] == "lab-slow", &format!("{error:#}"))?;
    ensure(error["message"] == "spack install was ended by signal 9", &format!("{error:#}"))?;
    bed.quiet()?;
    // What it left does not stand in the way of the next.
    let result = bed.ok(r#"return spack.install("lab-slow seconds=1")"#)?;
    ensure(result["ok"] == true, &format!("{result:#}"))
}

fn signal(pid: u32, name: &str) -> Outcome {
    let status = std::process::Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    ensure(status.is_ok_and(|s| s.success()), "kill failed")
}
