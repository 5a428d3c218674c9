//! What a restore meets and has to bring back.

use serde_json::Value;

use super::bed::create;
use super::verdicts::recipe;
use crate::common::runs_bed::Bed;

fn restore(bed: &Bed, option: &[&str]) -> (Vec<String>, Vec<String>) {
    let done = bed.json(&[&["snapshot", "restore", "science@1"], option].concat());
    let texts = |of: &str, field: fn(&Value) -> &Value| -> Vec<String> {
        let rows = done[of].as_array().into_iter().flatten();
        rows.map(|row| field(row).as_str().unwrap().to_owned()).collect()
    };
    (texts("installed", |row| &row["name"]), texts("left_out", |row| row))
}

fn uninstall(bed: &Bed) {
    bed.ok(&["eval", "spack.exec({ 'uninstall', '-y', '-f', 'cmake', 'pkgconf' })"]);
}

/// Nobody misses it, and it comes back where it would be the same.
#[test]
fn what_was_only_needed_to_build_comes_back_as_well() {
    let bed = Bed::practice();
    create(&bed);
    let find = bed.json(&["find"]);
    uninstall(&bed);
    assert_eq!(bed.json(&["snapshot", "check", "science@1"])["verdict"], "installed");

    let (installed, left) = restore(&bed, &["--no-build-deps"]);
    assert!(
        installed.is_empty() && left.len() == 2 && left[0].starts_with("cmake@"),
        "{installed:?} {left:?}"
    );

    // Neither is in the mirror, and of one the recipe is another one now: the stack comes back all the same.
    let (file, text) = recipe(&bed, "pkgconf");
    std::fs::write(&file, format!("{text}# another patch\n")).unwrap();
    assert_eq!(restore(&bed, &["--cache-only"]).1.len(), 2);
    let (installed, left) = restore(&bed, &[]);
    assert_eq!(installed, ["cmake"]);
    assert!(
        left.len() == 1 && left[0].starts_with("pkgconf@") && left[0].contains("recipe has changed"),
        "{left:?}"
    );
    std::fs::write(&file, text).unwrap();

    let faults = bed.root.join("site/faults.toml");
    std::fs::write(&faults, "[package.pkgconf]\nfail = 'build'\n").unwrap();
    let (installed, left) = restore(&bed, &[]);
    assert!(
        installed.is_empty() && left.len() == 1 && left[0].contains("pkgconf failed"),
        "{installed:?} {left:?}"
    );
    std::fs::remove_file(&faults).unwrap();
    assert_eq!(restore(&bed, &[]), (vec!["pkgconf".to_owned()], Vec::new()));
    assert_eq!(without_times(bed.json(&["find"])), without_times(find));

    uninstall(&bed);
    let script = bed.script("back.lua", r#"snapshot.restore("science@1")"#);
    let plan = bed.ok(&["plan", &script]);
    assert!(plan.contains("cmake") && plan.contains("pkgconf"), "{plan}");
}

fn without_times(mut rows: Value) -> Value {
    for row in rows.as_array_mut().unwrap() {
        row.as_object_mut().unwrap().remove("installed_at");
    }
    rows
}

#[test]
fn a_view_whose_link_is_lost_does_not_stop_an_installation() {
    let bed = Bed::practice();
    create(&bed);
    let view = bed.root.join("site/environments/science/.spack-env/view");
    let tree = std::fs::canonicalize(&view).unwrap();
    std::fs::remove_file(&view).unwrap();
    bed.ok(&["eval", "spack.exec({ 'uninstall', '-y', '-f', 'zlib-ng' })"]);
    assert!(tree.is_dir() && !view.exists());
    assert_eq!(restore(&bed, &[]).0, ["zlib-ng"]);
    assert!(view.join("bin/minigzip").exists());
}
