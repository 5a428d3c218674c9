//! Exports that come back, here and at other sites, and those that go into git.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::bed::{create, error, grow, kept, names, objects, refused, shelf};
use crate::common::program;
use crate::common::runs_bed::Bed;

#[test]
fn an_export_comes_back_with_its_id() {
    let bed = Bed::practice();
    let made = create(&bed);
    let file = bed.root.join("s.tar.zst");
    let row = bed.json(&["snapshot", "export", "science@1", "s.tar.zst"]);
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!(row["size"].as_u64(), Some(bytes.len() as u64));
    assert_eq!((row["id"] == made["id"], row["changed"].as_bool()), (true, Some(true)));
    refused(&bed, &["snapshot", "import", "s.tar.zst"], "exists", 2, "science@1");
    let shown = |name: &str| {
        let mut shown = bed.json(&["snapshot", "show", name]);
        for key in ["snapshot", "number", "tags", "size"] {
            shown.as_object_mut().unwrap().remove(key);
        }
        shown
    };
    let before = shown("science@1");
    bed.ok(&["snapshot", "delete", "science@1"]);
    let back = bed.json(&["snapshot", "import", "s.tar.zst"]);
    assert_eq!((back["snapshot"].as_str(), &back["id"]), (Some("science@2"), &made["id"]));
    assert_eq!(back["tags"], serde_json::json!(["imported"]));
    assert_eq!(shown("science@2"), before);
    assert_eq!(bed.json(&["snapshot", "verify"])[0]["ok"], true);
    assert!(bed.json(&["snapshot", "diff", "science@2"])["same"].as_bool().unwrap());
    refused(&bed, &["snapshot", "import", "s.tar.zst"], "exists", 2, "science@2");
    // Every place and time gives the same bytes.
    assert_eq!(bed.json(&["snapshot", "export", "science", "s.tar.zst"])["changed"], false);
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    // Without the file beside them, documents still have their places.
    std::fs::remove_file(shelf(&bed).join("shelf.json")).unwrap();
    assert_eq!(bed.json(&["snapshot", "show", "science@2"])["id"], made["id"]);
    assert_eq!(create(&bed)["number"], 3);
}

#[test]
fn an_import_mends_what_is_damaged() {
    let bed = Bed::practice();
    create(&bed);
    bed.ok(&["snapshot", "export", "science@1", "s.tar.zst"]);
    for object in objects(&bed) {
        std::fs::write(&object, "rubbish").unwrap();
    }
    let before = bed.run(&["snapshot", "verify"]);
    assert_eq!(before.status.code(), Some(1));
    refused(&bed, &["snapshot", "export", "science@1", "t.tar.zst"], "corrupt", 3, "damaged");
    assert_eq!(bed.json(&["snapshot", "import", "s.tar.zst"])["snapshot"], "science@1");
    assert_eq!(bed.run(&["snapshot", "verify"]).status.code(), Some(0));
    // A document that was changed is not that snapshot any more; the import is beside it.
    let document = shelf(&bed).join("1.json");
    let text = std::fs::read_to_string(&document).unwrap();
    std::fs::write(&document, text.replace("\"user\":\"", "\"user\":\"x")).unwrap();
    assert_eq!(bed.json(&["snapshot", "import", "s.tar.zst"])["snapshot"], "science@2");
}

#[test]
fn exports_of_two_sites_are_compared_and_taken_in() {
    let (one, two) = (Bed::practice(), Bed::practice());
    create(&one);
    grow(&two, "openblas");
    create(&two);
    one.ok(&["snapshot", "export", "science", "one.tar.zst"]);
    let file = two.root.join("two.tar.zst").display().to_string();
    two.ok(&["snapshot", "export", "science", &file]);
    let before = kept(&one);
    let diff = one.json(&["snapshot", "diff", "one.tar.zst", &file]);
    let rows = diff["packages"].as_array().unwrap();
    let added: Vec<&str> =
        rows.iter().filter(|row| row["change"] == "added").filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(added, ["openblas"], "{diff}");
    assert!(diff["manifest"].as_str().unwrap().contains("openblas"), "{diff}");
    // The sites lie in folders of other names: what is compared is the same file of the same scope.
    for file in diff["configuration"].as_array().unwrap() {
        let text = file["diff"].as_str().unwrap();
        let has = |sign: char| text.lines().skip(2).any(|line| line.starts_with(sign));
        assert!(has('+') && has('-') && text.contains(&two.root.display().to_string()), "{text}");
    }
    assert_eq!(one.json(&["snapshot", "diff", "science@1", "one.tar.zst"])["same"], true);
    assert_eq!(kept(&one), before, "a look took something in");
    // It is on a shelf of its own, and the name still means the environment of this site.
    let row = one.json(&["snapshot", "import", &file]);
    assert_eq!((row["snapshot"].as_str(), row["number"].as_u64()), (Some("science@1"), Some(1)));
    assert_ne!(row["id"], one.json(&["snapshot", "show", "science@1"])["id"]);
    assert_eq!(one.json(&["snapshot", "show", row["id"].as_str().unwrap()])["id"], row["id"]);
    let there = two.root.join("site/environments/science").display().to_string();
    assert_eq!(one.json(&["snapshot", "show", &format!("{there}@1")])["id"], row["id"]);
    assert_eq!(names(&one.json(&["snapshot", "list"])).len(), 2);
    assert_eq!(one.run(&["snapshot", "verify"]).status.code(), Some(0));
    refused(&one, &["snapshot", "import", &file], "exists", 2, "science@1");
}

#[test]
fn a_description_is_for_people_only() {
    let bed = Bed::practice();
    bed.ok(&["snapshot", "create", "science", "--description", "spring: \"a\" # b"]);
    bed.ok(&["snapshot", "export", "science", "s.yaml", "--yaml"]);
    let text = std::fs::read_to_string(bed.root.join("s.yaml")).unwrap();
    assert!(text.lines().next().unwrap().contains("cannot be imported"), "{text}");
    let read: Value = serde_saphyr::from_str(&text).unwrap();
    let shown = bed.json(&["snapshot", "show", "science"]);
    for key in ["id", "created", "user", "host", "spack", "store", "repositories", "description"] {
        assert_eq!(read[key], shown[key], "{key}");
    }
    assert_eq!(read["configuration"], shown["configuration"]);
    let hashes = |rows: &Value| -> Vec<String> {
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| format!("{}@{}/{}", row["name"], row["version"], row["hash"]))
            .collect()
    };
    assert_eq!(hashes(&read["specs"]), hashes(&shown["hashes"]));
    refused(&bed, &["snapshot", "import", "s.yaml"], "corrupt", 3, "not a whole export");
    // What is no export is not written over, and one way has to be chosen.
    refused(
        &bed,
        &["snapshot", "export", "science", "site/environments/science/spack.lock"],
        "exists",
        2,
        "no export",
    );
    refused(&bed, &["snapshot", "export", "science"], "usage", 3, "`file`");
    refused(&bed, &["snapshot", "export", "science", "x", "--git", "y"], "usage", 3, "`file`");
    refused(&bed, &["snapshot", "export", "science", "no/such/x.tar.zst"], "not_found", 2, "no/such");
    refused(&bed, &["snapshot", "import", "no.tar.zst"], "not_found", 2, "no.tar.zst");
}

fn git(folder: &Path, words: &[&str]) -> Vec<u8> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "user.name=t", "-c", "user.email=t@t"]).args(words);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
    output.stdout
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap().trim().to_owned()
}

#[test]
fn a_work_tree_gets_one_commit_a_snapshot() {
    let bed = Bed::practice();
    let tree = bed.root.join("tree");
    let export = |name: &str| bed.json(&["snapshot", "export", name, "--git", "tree"]);
    bed.ok(&["snapshot", "create", "science", "--description", "first; rm -rf 'x' $(y)"]);
    let first = export("science@1");
    assert_eq!(first["commit"].as_str().unwrap(), text(git(&tree, &["rev-parse", "HEAD"])));
    assert_eq!(text(git(&tree, &["log", "-1", "--format=%B"])), "science@1: first; rm -rf 'x' $(y)");
    let environment = bed.root.join("site/environments/science");
    for name in ["spack.yaml", "spack.lock"] {
        let held = git(&tree, &["show", &format!("HEAD:science/{name}")]);
        assert_eq!(held, std::fs::read(environment.join(name)).unwrap(), "{name}");
    }
    let document = git(&tree, &["show", "HEAD:science/snapshot.json"]);
    assert_eq!(first["id"].as_str(), Some(moonstack::base::digest::bytes(&document).as_str()));
    assert!(text(git(&tree, &["ls-files"])).contains("science/configuration/"));
    let again = export("science@1");
    assert_eq!((again["changed"].as_bool(), &again["commit"]), (Some(false), &first["commit"]));

    // The repository's own ways must not matter: hooks, signing, what it ignores, what else is staged.
    std::fs::write(tree.join(".gitignore"), "*.lock\n*.yaml\n").unwrap();
    std::fs::write(tree.join("other"), "staged").unwrap();
    git(&tree, &["add", "other"]);
    std::fs::create_dir_all(tree.join(".git/hooks")).unwrap();
    for hook in ["pre-commit", "commit-msg", "post-commit", "post-index-change"] {
        let text = format!("touch '{}'\nexit 1", bed.root.join("hooked").display());
        program(&tree.join(".git/hooks").join(hook), &text);
    }
    git(&tree, &["config", "commit.gpgsign", "true"]);
    git(&tree, &["config", "core.autocrlf", "true"]);
    grow(&bed, "openblas");
    std::fs::remove_file(bed.root.join("site/config/mirrors.yaml")).unwrap();
    create(&bed);
    let second = export("science");
    assert!(!bed.root.join("hooked").exists(), "a hook ran");
    assert_ne!(second["commit"], first["commit"]);
    assert_eq!(text(git(&tree, &["log", "-1", "--format=%B"])), "science@2");
    assert_eq!(
        git(&tree, &["show", "HEAD:science/spack.lock"]),
        std::fs::read(environment.join("spack.lock")).unwrap()
    );
    assert_eq!(text(git(&tree, &["rev-list", "--count", "HEAD"])), "2");
    assert!(!text(git(&tree, &["ls-tree", "-r", "--name-only", "HEAD"])).contains("mirrors.yaml"));
    assert_eq!(text(git(&tree, &["diff", "--cached", "--name-only"])), "other");
}

#[test]
fn a_work_tree_with_work_in_it_is_left_alone() {
    let bed = Bed::practice();
    create(&bed);
    let tree = bed.root.join("tree");
    bed.ok(&["snapshot", "export", "science", "--git", "tree"]);
    grow(&bed, "openblas");
    create(&bed);
    let digest = || moonstack::base::digest::tree(&tree.join("science")).unwrap();
    let export = ["snapshot", "export", "science@2", "--git", "tree"];
    let manifest = tree.join("science/spack.yaml");
    let before = std::fs::read(&manifest).unwrap();
    std::fs::write(&manifest, "mine").unwrap();
    let changed = digest();
    refused(&bed, &export, "refused", 4, "not committed");
    assert_eq!(digest(), changed);
    std::fs::write(&manifest, before).unwrap();
    std::fs::write(tree.join("science/new"), "mine").unwrap();
    refused(&bed, &export, "refused", 4, "science/new");
    std::fs::remove_file(tree.join("science/new")).unwrap();
    std::os::unix::fs::symlink("/etc", tree.join("science/configuration/link")).unwrap();
    refused(&bed, &export, "refused", 4, "neither a folder nor a file");
    std::fs::remove_file(tree.join("science/configuration/link")).unwrap();
    // What an interrupted export of the same has left is gone on with.
    std::fs::copy(bed.root.join("site/environments/science/spack.lock"), tree.join("science/spack.lock"))
        .unwrap();
    bed.ok(&export);
    assert_eq!(text(git(&tree, &["rev-list", "--count", "HEAD"])), "2");
    assert_eq!(text(git(&tree, &["status", "--porcelain"])), "");
    // A repository that would change what it is given gets no commit.
    let filtered = bed.root.join("filtered");
    std::fs::create_dir(&filtered).unwrap();
    git(&filtered, &["init", "--quiet"]);
    git(&filtered, &["config", "filter.odd.clean", "tr a b"]);
    std::fs::write(filtered.join(".gitattributes"), "spack.lock filter=odd\n").unwrap();
    git(&filtered, &["add", ".gitattributes"]);
    git(&filtered, &["commit", "--quiet", "-m", "before"]);
    let (code, found) = error(&bed, &["snapshot", "export", "science", "--git", "filtered"]);
    assert_eq!((code, found["kind"].as_str()), (4, Some("refused")), "{found}");
    assert_eq!(text(git(&filtered, &["log", "--format=%s"])), "before");
    // Somebody else's folder.
    std::fs::create_dir(bed.root.join("full")).unwrap();
    std::fs::write(bed.root.join("full/mine"), "").unwrap();
    refused(&bed, &["snapshot", "export", "science", "--git", "full"], "refused", 4, "not empty");
    let other = Bed::practice();
    create(&other);
    let at = tree.display().to_string();
    refused(&other, &["snapshot", "export", "science", "--git", &at], "refused", 4, "the environment in");
}

#[test]
fn what_was_taken_in_changes_no_name() {
    let bed = Bed::practice();
    create(&bed);
    grow(&bed, "openblas");
    create(&bed);
    let file = bed.root.join("first.tar.zst").display().to_string();
    bed.ok(&["-q", "snapshot", "export", "science@1", &file]);
    bed.ok(&["-q", "snapshot", "delete", "science@1"]);
    assert_eq!(bed.json(&["snapshot", "import", &file])["snapshot"], "science@3");
    for name in ["science", "science@last"] {
        assert_eq!(bed.json(&["snapshot", "show", name])["snapshot"], "science@2");
    }
    // It takes the place of none of the newest, either.
    bed.ok(&["-q", "snapshot", "prune", "science", "--keep", "1"]);
    assert_eq!(bed.json(&["snapshot", "show", "science@2"])["snapshot"], "science@2");
    // Where there is nothing else, it is the last one.
    bed.ok(&["-q", "snapshot", "delete", "science@2"]);
    assert_eq!(bed.json(&["snapshot", "show", "science"])["snapshot"], "science@3");
}
