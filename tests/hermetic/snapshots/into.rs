//! A snapshot as a new environment beside its own, and differences as a page.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::bed::{create, error, grow, refused};
use crate::common::runs_bed::{Bed, identities};

fn env(bed: &Bed, name: &str) -> PathBuf {
    bed.root.join("site/environments").join(name)
}

/// The program of a view runs.
fn runs(view: &Path) -> bool {
    Command::new(view.join("bin/h5dump"))
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

fn same_files(one: &Path, other: &Path) {
    for file in ["spack.yaml", "spack.lock"] {
        let read = |folder: &Path| std::fs::read_to_string(folder.join(file)).unwrap();
        assert_eq!(read(one), read(other), "{file}");
    }
}

fn digest(folder: &Path) -> String {
    moonstack::base::digest::tree(folder).unwrap()
}

fn faults(bed: &Bed, text: &str) {
    std::fs::write(bed.root.join("site/faults.toml"), text).unwrap();
}

#[test]
fn a_snapshot_becomes_a_new_environment() {
    let bed = Bed::practice();
    let science = env(&bed, "science");
    let manifest = science.join("spack.yaml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, format!("{text}  include:\n  - own/site.yaml\n")).unwrap();
    std::fs::create_dir(science.join("own")).unwrap();
    std::fs::write(science.join("own/site.yaml"), "config:\n  build_jobs: 3\n").unwrap();
    bed.ok(&["eval", "env.refresh('science')"]);
    create(&bed);
    let before = digest(&science);
    let script = bed.script("into.lua", r#"snapshot.restore("science", { into = "copy" })"#);
    let plan = bed.json(&["plan", &script]);
    assert!(!env(&bed, "copy").exists());
    bed.ok(&["run", &script]);
    assert_eq!(identities(&plan["actions"]), identities(&bed.last_run()["journal"]));
    let listed = bed.json(&["env", "list"]).to_string();
    assert!(listed.contains("\"copy\""), "{listed}");
    same_files(&science, &env(&bed, "copy"));
    assert!(env(&bed, "copy").join("own/site.yaml").is_file());
    assert!(runs(&env(&bed, "copy").join(".spack-env/view")));
    assert_eq!(digest(&science), before, "the environment of the snapshot is another");

    let again = ["snapshot", "restore", "science", "--into", "copy"];
    refused(&bed, &again, "exists", 2, "is there already");
    let folder = bed.out().join("beside").display().to_string();
    let made = bed.json(&["snapshot", "restore", "science", "--into", &folder]);
    assert_eq!(made["path"].as_str(), Some(folder.as_str()));
    assert!(runs(&Path::new(&folder).join(".spack-env/view")));
    bed.ok(&["snapshot", "restore", "science", "--into", "bare", "--only", "lock"]);
    same_files(&science, &env(&bed, "bare"));
    assert!(!env(&bed, "bare").join(".spack-env/view").exists());
    let part = ["snapshot", "restore", "science", "--into", "x", "--only", "configuration"];
    refused(&bed, &part, "usage", 3, "for a restore in place");
    refused(&bed, &["snapshot", "restore", "science", "--into", "no name"], "usage", 3, "no name");

    // Its own environment is gone: then it can be made again.
    bed.ok(&["eval", "env.delete('science')"]);
    refused(&bed, &["snapshot", "restore", "science"], "not_found", 2, "makes a new environment");
    bed.ok(&["snapshot", "restore", "science", "--into", "science"]);
    assert!(runs(&science.join(".spack-env/view")));
}

#[test]
fn what_cannot_become_an_environment_leaves_nothing() {
    let bed = Bed::practice();
    let science = env(&bed, "science");
    create(&bed);
    let before = digest(&science);
    bed.ok(&["eval", "spack.exec({ 'uninstall', '-y', '-f', 'fftw' })"]);
    faults(&bed, "[package.fftw]\nfail = 'build'\n");
    let (code, told) = error(&bed, &["snapshot", "restore", "science", "--into", "copy"]);
    assert!(code == 2 && told.to_string().contains("was taken away again"), "{told}");
    assert!(!env(&bed, "copy").exists());
    assert_eq!(digest(&science), before);
    faults(&bed, "");

    // A relative path out of the folder means something else elsewhere.
    let manifest = science.join("spack.yaml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, format!("{text}  include:\n  - ../../common.yaml\n")).unwrap();
    std::fs::write(bed.root.join("site/common.yaml"), "config:\n  build_jobs: 3\n").unwrap();
    bed.ok(&["snapshot", "create", "science", "--partial"]);
    let folder = bed.out().join("elsewhere");
    let (_, told) = error(&bed, &["snapshot", "restore", "science", "--into", &folder.display().to_string()]);
    assert!(told.to_string().contains("common.yaml"), "{told}");
    assert!(!folder.exists());
    bed.ok(&["snapshot", "restore", "science", "--into", "copy"]);
    assert!(runs(&env(&bed, "copy").join(".spack-env/view")));

    std::fs::write(&manifest, format!("{text}  include:\n  - own.yaml\n")).unwrap();
    std::fs::write(science.join("own.yaml"), "config:\n  build_jobs: 3 # token: geheim\n").unwrap();
    bed.ok(&["snapshot", "create", "science", "--partial"]);
    refused(&bed, &["snapshot", "restore", "science", "--into", "more"], "refused", 4, "without its secrets");
}

#[test]
fn a_generation_becomes_an_environment_with_views_of_its_own() {
    let bed = Bed::practice();
    bed.ok(&["-q", "generation", "adopt", "science"]);
    let generation = bed.state().join("generations/science/1");
    bed.ok(&["snapshot", "create", "science-g1"]);
    let before = digest(&generation);
    let made = bed.json(&["snapshot", "restore", "science-g1", "--into", "copy"]);
    assert_eq!(made["env"], "copy");
    assert!(runs(&env(&bed, "copy").join("view")), "{made}");
    assert_eq!(digest(&generation), before, "views or modules of the generation are others");
    let manifest = std::fs::read_to_string(env(&bed, "copy").join("spack.yaml")).unwrap();
    assert!(!manifest.contains("generations/science"), "{manifest}");
}

#[test]
fn a_difference_is_a_page_that_needs_nothing_else() {
    let bed = Bed::practice();
    create(&bed);
    grow(&bed, "openblas");
    let manifest = env(&bed, "science").join("spack.yaml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, format!("{text}  # <script>alert(1)</script>\n")).unwrap();
    let shown = bed.ok(&["snapshot", "diff", "science@1", "--html", "diff.html"]);
    assert!(shown.contains("openblas"), "{shown}");
    let page = std::fs::read_to_string(bed.root.join("diff.html")).unwrap();
    for part in
        ["<!doctype html>", "science@1 → science now", "openblas", "+  - openblas", "&lt;script&gt;alert"]
    {
        assert!(page.to_lowercase().contains(part), "{part}: {page}");
    }
    for part in ["<script>alert", "http://", "https://", "src="] {
        assert!(!page.contains(part), "{part}");
    }
    bed.ok(&["eval", "fs.write('lua.html', require('report').diff_html(snapshot.diff('science@1')))"]);
    assert_eq!(
        std::fs::read_to_string(bed.root.join("lua.html")).unwrap(),
        page,
        "a script makes another page"
    );
    std::fs::write(&manifest, text).unwrap();

    bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]);
    bed.ok(&["generation", "diff", "science", "1", "2", "--html", "generations.html"]);
    let page = std::fs::read_to_string(bed.root.join("generations.html")).unwrap();
    assert!(page.contains("generation diff science 1 2") && page.contains("1.12"), "{page}");
    let (code, told) =
        error(&bed, &["generation", "diff", "science", "1", "2", "--html", "no/such/page.html"]);
    assert!(code > 0 && told.to_string().contains("page.html"), "{told}");
}
