//! A stack whose packages are partly those of an upstream, with modules laid out as a site likes them: users who enter a
//! generation can load what its modules load by themselves, and a proof says so only where it is so.

use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use crate::common::lab::{self, LabSite};

pub fn trials() -> Vec<Trial> {
    lab::for_each_release("chained", &None, chained)
}

fn modules(root: Option<&Path>) -> String {
    let roots = root.map_or(String::new(), |root| format!("    roots: {{tcl: {}}}\n", root.display()));
    format!(
        "modules:\n  default:\n    enable: [tcl]\n    arch_folder: false\n{roots}    tcl:\n      all: {{autoload: direct}}\n      projections: \
         {{all: 'site/{{name}}/{{version}}-{{hash:7}}'}}\n"
    )
}

/// Whether it is proven, and what is wrong.
fn proof(site: &LabSite) -> Result<(bool, String), Failed> {
    let output = site.moonstack(&["--json", "generation", "prove", "stack", "--number", "1"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found: serde_json::Value = serde_json::from_str(&text).map_err(|e| format!("{e}: {output:?}"))?;
    Ok((found["ok"] == true, found["problems"].to_string()))
}

fn chained(release: &'static str, root: &Path) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let upstream = LabSite::make(root, &folder.path().join("up"), false)?;
    let shared = folder.path().join("shared-modules");
    fs::write(upstream.folder.join("config/modules.yaml"), modules(Some(&shared)))?;
    upstream.spack(&["install", "lab-zlib"])?;
    upstream.spack(&["module", "tcl", "refresh", "-y"])?;

    let site = LabSite::make(root, &folder.path().join("site"), false)?;
    fs::write(
        site.folder.join("config/upstreams.yaml"),
        format!(
            "upstreams:\n  up:\n    install_tree: {}/store\n    modules: {{tcl: {}}}\n",
            upstream.folder.display(),
            shared.display()
        ),
    )?;
    fs::write(site.folder.join("config/modules.yaml"), modules(None))?;
    let manifest = folder.path().join("spack.yaml");
    fs::write(&manifest, "spack:\n  specs: [lab-hdf5~mpi]\n  view: true\n")?;
    site.spack(&["env", "create", "stack", &manifest.display().to_string()])?;
    site.spack(&["-e", "stack", "install"])?;
    let adopted = site.moonstack(&["-q", "generation", "adopt", "stack"]).output()?;
    lab::done("adopt", &adopted)?;
    let (ok, problems) = proof(&site)?;
    if !ok {
        return Err(format!("Spack {release}: {problems}").into());
    }

    // What a user's shell looks into, is the folder itself and no package in it.
    let generation = site.state().join("generations/stack/1");
    let script = ". \"$1\"; printf %s \"$MODULEPATH\"";
    let entered = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(generation.join("activate.sh"))
        .env_remove("MODULEPATH")
        .env_remove("LMOD_CMD")
        .output()?;
    let looks = String::from_utf8_lossy(&entered.stdout).into_owned();
    let wanted = format!("{}:{}", generation.join("modules/tcl").display(), shared.display());
    if looks != wanted {
        return Err(format!("Spack {release}: users look into {looks}, not {wanted}").into());
    }

    // A view that shows something else than the lock says.
    let link = walkdir::WalkDir::new(generation.join("view/").join("."))
        .into_iter()
        .flatten()
        .find(walkdir::DirEntry::path_is_symlink)
        .ok_or("the view has no link")?
        .into_path();
    let target = fs::read_link(&link)?;
    fs::remove_file(&link)?;
    std::os::unix::fs::symlink("/etc/passwd", &link)?;
    let (ok, problems) = proof(&site)?;
    if ok || !problems.contains("which is of no package of its lock") {
        return Err(format!("Spack {release}: a link to /etc/passwd: {problems}").into());
    }
    fs::remove_file(&link)?;
    std::os::unix::fs::symlink(target, &link)?;

    // What the upstream's modules do not have cannot be loaded.
    fs::remove_dir_all(shared.join("site/lab-zlib"))?;
    let (ok, problems) = proof(&site)?;
    if ok || !problems.contains("loads site/lab-zlib/") {
        return Err(format!("Spack {release}: the upstream's module is gone: {problems}").into());
    }
    Ok(())
}
