//! Snapshots through the built executable: their life, their names, what damage and trouble do to them, and that
//! what must not get into them does not.

mod archives;
mod back;
mod bed;
mod hostile;
mod into;
mod verdicts;

use std::collections::BTreeSet;

use bed::{create, error, files, grow, kept, names, objects, refused, shelf, size};
use moonstack::world::fs::lock::{self, Mode, Range};
use serde_json::Value;

use crate::common::runs_bed::{Bed, identities};

#[test]
fn a_snapshot_lives_from_create_to_delete() {
    let bed = Bed::practice();
    let made = bed.json(&[
        "snapshot",
        "create",
        "science",
        "--description",
        "before spring",
        "--tags",
        "a",
        "--tags",
        "b",
    ]);
    assert_eq!((made["snapshot"].as_str(), made["number"].as_u64()), (Some("science@1"), Some(1)));
    assert_eq!(made["tags"], serde_json::json!(["a", "b"]));
    let shown = bed.json(&["snapshot", "show", "science@1"]);
    let manifest = std::fs::read_to_string(bed.root.join("site/environments/science/spack.yaml")).unwrap();
    assert_eq!(shown["manifest"].as_str(), Some(manifest.as_str()));
    assert_eq!(shown["hashes"].as_array().unwrap().len() as u64, shown["specs"].as_u64().unwrap());
    assert_eq!(shown["id"], made["id"]);
    let document = std::fs::read(shelf(&bed).join("1.json")).unwrap();
    assert_eq!(made["id"].as_str(), Some(moonstack::base::digest::bytes(&document).as_str()));

    create(&bed);
    let log = bed.json(&["snapshot", "log", "science"]);
    assert_eq!(names(&log), ["science@2", "science@1"]);
    assert_eq!(log[1]["description"], "before spring");
    bed.ok(&["snapshot", "tag", "science@2", "--add", "c", "--good"]);
    bed.ok(&["snapshot", "tag", "science@1", "--remove", "a"]);
    assert_eq!(names(&bed.json(&["snapshot", "list", "--tag", "c"])), ["science@2"]);
    assert!(names(&bed.json(&["snapshot", "list", "--tag", "a"])).is_empty());
    assert_eq!(names(&bed.json(&["snapshot", "list", "--within", "1h"])).len(), 2);
    refused(&bed, &["snapshot", "tag", "science@1", "--add", "a b"], "usage", 3, "no tag");

    refused(&bed, &["snapshot", "delete", "science@2"], "refused", 4, "known to be good");
    bed.ok(&["snapshot", "pin", "science@1"]);
    refused(&bed, &["snapshot", "delete", "science@1"], "refused", 4, "pinned");
    bed.ok(&["snapshot", "unpin", "science@1"]);
    let before = kept(&bed);
    bed.ok(&["snapshot", "delete", "science@1", "--dry-run"]);
    assert_eq!(kept(&bed), before);
    bed.ok(&["snapshot", "delete", "science@1"]);
    refused(&bed, &["snapshot", "show", "science@1"], "not_found", 2, "there are 2");
    // What another one needs stayed.
    assert_eq!(bed.json(&["snapshot", "verify"])[0]["ok"], true);
    bed.ok(&["snapshot", "tag", "science@2", "--good=false"]);
    bed.ok(&["snapshot", "delete", "science@2"]);
    assert!(objects(&bed).is_empty(), "objects that nothing needs stayed");
    assert_eq!(create(&bed)["number"], 3, "a number was given twice");
}

#[test]
fn a_snapshot_is_found_by_each_of_its_names() {
    let bed = Bed::practice();
    refused(&bed, &["snapshot", "show", "science"], "not_found", 2, "no snapshot");
    let ids: Vec<String> = (0..20).map(|_| create(&bed)["id"].as_str().unwrap().to_owned()).collect();
    bed.ok(&["snapshot", "tag", "science@3", "--good"]);
    let folder = bed.root.join("site/environments/science").display().to_string();
    let found = |name: &str| bed.json(&["snapshot", "show", name])["snapshot"].as_str().unwrap().to_owned();
    for (name, wanted) in [
        ("science", "science@20"),
        ("science@last", "science@20"),
        ("science@2", "science@2"),
        ("science@good", "science@3"),
        (&format!("{folder}@5"), "science@5"),
        (&ids[6][..12], "science@7"),
        (&ids[6].to_uppercase()[..12], "science@7"),
        (&ids[6], "science@7"),
    ] {
        assert_eq!(found(name), wanted, "{name}");
    }
    for (name, kind, code, words) in [
        ("scienze@1", "not_found", 2, "did you mean 'science'"),
        ("science@99", "not_found", 2, "has no snapshot 99"),
        ("science@x", "usage", 3, "science@3, science@last or science@good"),
        ("science@-1", "usage", 3, "no number"),
        ("0123456789abcdef", "not_found", 2, "no snapshot"),
        ("", "not_found", 2, "no snapshot"),
        ("@", "not_found", 2, "no snapshot"),
        ("../x@1", "not_found", 2, "no snapshot"),
    ] {
        refused(&bed, &["snapshot", "show", name], kind, code, words);
    }
}

#[test]
fn several_ids_with_one_beginning_are_all_named() {
    let bed = Bed::practice();
    // 1,200 documents have two ids with the same four digits with a probability of 0.99998.
    create(&bed);
    let document: Value =
        serde_json::from_slice(&std::fs::read(shelf(&bed).join("1.json")).unwrap()).unwrap();
    let path = shelf(&bed).join("shelf.json");
    let mut ledger: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let mut seen: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    let mut pair = None;
    for number in 2..=1200 {
        let mut other = document.clone();
        other["number"] = number.into();
        let bytes = serde_json::to_vec(&other).unwrap();
        let id = moonstack::base::digest::bytes(&bytes);
        if let Some(first) = seen.insert(id[..4].to_owned(), number) {
            pair = pair.or(Some((id[..4].to_owned(), first, number)));
        }
        std::fs::write(shelf(&bed).join(format!("{number}.json")), bytes).unwrap();
        ledger["ids"][number.to_string()] = id.into();
    }
    std::fs::write(&path, ledger.to_string()).unwrap();
    let (beginning, first, second) = pair.expect("two ids that begin alike");
    let (code, error) = error(&bed, &["snapshot", "show", &beginning]);
    assert_eq!((code, error["kind"].as_str()), (2, Some("ambiguous")), "{error}");
    for number in [first, second] {
        assert!(error.to_string().contains(&format!("science@{number})")), "{error}");
    }
}

#[test]
fn prune_follows_the_policy_and_its_guards() {
    let bed = Bed::practice();
    for _ in 0..6 {
        create(&bed);
    }
    bed.ok(&["snapshot", "pin", "science@2"]);
    bed.ok(&["snapshot", "tag", "science@3", "--good"]);
    let site = bed.root.join("keep.toml");
    let list = || names(&bed.json(&["snapshot", "list"]));
    let prune = |policy: &str, options: &[&str]| {
        std::fs::write(&site, format!("[policy]\nkeep = '{policy}'\n")).unwrap();
        let mut words = vec!["--site", "keep.toml", "snapshot", "prune"];
        words.extend(options);
        names_of(&bed.json(&words))
    };
    assert!(prune("true", &[]).is_empty());
    let before = kept(&bed);
    assert_eq!(prune("rank < 2", &["--dry-run"]), ["science@4", "science@1"]);
    assert_eq!(kept(&bed), before);
    std::fs::write(&site, "[policy]\nkeep = 'false'\n").unwrap();
    let limited = ["--site", "keep.toml", "snapshot", "prune", "--max-percent", "20"];
    refused(&bed, &limited, "refused", 4, "max_percent");
    assert!(names_of(&bed.json(&["--site", "keep.toml", "snapshot", "prune", "other"])).is_empty());
    assert_eq!(prune("rank < 2", &[]), ["science@4", "science@1"]);
    assert_eq!(list(), ["science@2", "science@3", "science@5", "science@6"]);
    // Whatever a policy says: not the newest, not the pinned one, not the last good one.
    assert_eq!(prune("false", &[]), ["science@5"]);
    assert_eq!(list(), ["science@2", "science@3", "science@6"]);
    assert!(bed.json(&["snapshot", "verify"]).as_array().unwrap().iter().all(|row| row["ok"] == true));
}

fn names_of(pruned: &Value) -> Vec<String> {
    pruned["snapshots"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// Every kind of damage: what is done, and what `verify` says of which snapshot.
#[test]
fn verify_finds_each_kind_of_damage() {
    let bed = Bed::practice();
    create(&bed);
    grow(&bed, "openblas");
    create(&bed);
    let root = bed.state().join("snapshots");
    let whole: Vec<(std::path::PathBuf, Vec<u8>)> =
        files(&root).into_iter().map(|f| (f.clone(), std::fs::read(&f).unwrap())).collect();
    let restore = || {
        for (file, bytes) in &whole {
            std::fs::write(file, bytes).unwrap();
        }
    };
    let bad = |case: &str| -> Vec<String> {
        let output = bed.run(&["--json", "snapshot", "verify"]);
        assert_eq!(output.status.code(), Some(1), "{case}: {output:?}");
        let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = rows.as_array().unwrap();
        let bad = rows.iter().filter(|row| row["ok"] == false);
        bad.map(|row| format!("{}: {}", row["snapshot"].as_str().unwrap(), row["problems"])).collect()
    };
    assert_eq!(bed.run(&["snapshot", "verify"]).status.code(), Some(0));
    for file in objects(&bed) {
        let bytes = std::fs::read(&file).unwrap();
        let mut flipped = bytes.clone();
        *flipped.last_mut().unwrap() ^= 1;
        for (case, bytes) in
            [("flipped", Some(flipped)), ("cut", Some(bytes[..bytes.len() / 2].to_vec())), ("gone", None)]
        {
            match bytes {
                Some(bytes) => std::fs::write(&file, bytes).unwrap(),
                None => std::fs::remove_file(&file).unwrap(),
            }
            let found = bad(case);
            let name = file.file_name().unwrap().to_str().unwrap();
            assert!(found.iter().any(|row| row.contains(name)), "{case} {name}: {found:?}");
            restore();
        }
    }
    let document = shelf(&bed).join("1.json");
    let text = std::fs::read_to_string(&document).unwrap();
    std::fs::write(&document, text.replace("\"installed\":", "\"installed\": ")).unwrap();
    assert!(bad("edited")[0].starts_with("science@1: "), "an edited document");
    assert_eq!(error(&bed, &["snapshot", "show", "science@1"]).1["kind"], "corrupt");
    assert_eq!(bed.json(&["snapshot", "show", "science@2"])["number"], 2);
    std::fs::write(&document, std::fs::read(shelf(&bed).join("2.json")).unwrap()).unwrap();
    assert!(bad("swapped")[0].starts_with("science@1: "));
    restore();
    std::fs::copy(&document, shelf(&bed).join("7.json")).unwrap();
    assert!(
        bad("copied")[0].contains("copied here by hand") || bad("copied")[0].contains("is the document of")
    );
    std::fs::remove_file(shelf(&bed).join("7.json")).unwrap();

    std::fs::write(shelf(&bed).join("shelf.json"), "{").unwrap();
    assert!(bad("shelf")[0].starts_with("science: "), "{:?}", bad("shelf"));
    // Nobody knows what is pinned, so nothing goes and nothing is written; all can be looked at.
    assert_eq!(names(&bed.json(&["snapshot", "list"])).len(), 2);
    for args in [
        ["snapshot", "prune", "science"],
        ["snapshot", "create", "science"],
        ["snapshot", "delete", "science@1"],
    ] {
        refused(&bed, &args, "corrupt", 3, "Remove it to go on");
    }
    std::fs::remove_file(shelf(&bed).join("shelf.json")).unwrap();
    assert_eq!(names(&bed.json(&["snapshot", "list"])), ["science@1", "science@2"]);
    assert_eq!(create(&bed)["number"], 3);
    assert_eq!(bed.run(&["snapshot", "verify"]).status.code(), Some(0));
}

#[test]
fn what_has_not_changed_is_stored_once() {
    let bed = Bed::practice();
    create(&bed);
    let first = (objects(&bed), size(&objects(&bed)));
    create(&bed);
    assert_eq!(objects(&bed), first.0, "the same again is nothing new");
    grow(&bed, "openblas");
    create(&bed);
    let more = size(&objects(&bed)) - first.1;
    // Of a site of a dozen specs; the figure for a real one is measured elsewhere.
    assert!(more * 100 < first.1 * 20, "{more} more than {}", first.1);
}

#[test]
fn a_snapshot_of_a_later_format_is_named_and_left() {
    let bed = Bed::practice();
    create(&bed);
    create(&bed);
    let document = shelf(&bed).join("1.json");
    let text = std::fs::read_to_string(&document).unwrap().replace("\"format\":1", "\"format\":99");
    std::fs::write(&document, text).unwrap();
    for verb in ["show", "check", "diff", "restore", "export", "pin", "delete"] {
        let mut args = vec!["snapshot", verb, "science@1"];
        args.extend((verb == "export").then_some("x.tar.zst"));
        refused(&bed, &args, "unknown_format", 3, "knows up to 1");
    }
    let list = bed.json(&["snapshot", "list"]);
    assert!(list[0]["damaged"].as_str().unwrap().contains("format 99"), "{list}");
    // What it needs is not known, so nothing is swept.
    let before = objects(&bed);
    bed.ok(&["snapshot", "delete", "science@2"]);
    assert_eq!(objects(&bed), before);
}

#[test]
fn an_environment_in_trouble_is_a_clear_error_and_nothing_is_half_written() {
    let bed = Bed::practice();
    create(&bed);
    let fine = kept(&bed);
    refused(&bed, &["snapshot", "create", "nowhere"], "not_found", 2, "nowhere");
    bed.ok(&["env", "create", "fresh", "openblas"]);
    refused(&bed, &["snapshot", "create", "fresh"], "refused", 4, "env concretize fresh");
    bed.ok(&["env", "concretize", "fresh"]);
    refused(&bed, &["snapshot", "create", "fresh"], "refused", 4, "env install fresh");
    // Spack is writing it.
    let folder = bed.root.join("site/environments/science");
    let file = folder.join(".spack-env/transaction_lock");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::File::options().create(true).append(true).open(&file).unwrap();
    std::fs::write(bed.root.join("quick.toml"), "[limits]\nlock = '200ms'\n").unwrap();
    let held = lock::try_lock(&file, Mode::Write, Range::WHOLE).unwrap();
    let create_it = ["--site", "quick.toml", "snapshot", "create", "science"];
    refused(&bed, &create_it, "lock", 2, "locked by another process");
    drop(held);
    // A lock that was cut off in the middle of being written.
    let path = folder.join("spack.lock");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    refused(&bed, &["snapshot", "create", "science"], "corrupt", 3, "spack.lock");
    std::fs::write(&path, whole).unwrap();
    // Half installed.
    let prefix = bed.json(&["find", "fftw"])[0]["prefix"].as_str().unwrap().to_owned();
    std::fs::rename(&prefix, bed.root.join("away")).unwrap();
    refused(&bed, &["snapshot", "create", "science"], "refused", 4, "fftw@");
    assert_eq!(kept(&bed), fine);
    let partial = bed.json(&["snapshot", "create", "science", "--partial"]);
    let shown = bed.json(&["snapshot", "show", partial["snapshot"].as_str().unwrap()]);
    assert!(shown["installed"].as_u64() < shown["specs"].as_u64(), "{shown}");
}

#[test]
fn what_is_planned_is_what_is_done_and_planning_touches_nothing() {
    let bed = Bed::practice();
    let out = bed.out().display().to_string();
    let script = bed.script(
        "w.lua",
        &format!(
            "snapshot.create('science', {{ pin = true }}) snapshot.create('science')\n\
             snapshot.export('science@2', '{out}/s.tar.zst') snapshot.export{{ snapshot = 'science@2', file = '{out}/s.yaml', yaml = true }}\n\
             snapshot.export{{ snapshot = 'science@1', git = '{out}/tree' }} snapshot.export{{ snapshot = 'science@1', git = '{out}/tree' }}\n\
             snapshot.delete('science@2') snapshot.import('{out}/s.tar.zst') snapshot.tag('science@3', {{ add = {{ 'x' }} }})\n"
        ),
    );
    let before = (bed.tree(), moonstack::base::digest::tree(&bed.root).unwrap());
    let plan = bed.json(&["plan", &script]);
    assert!(
        before == (bed.tree(), moonstack::base::digest::tree(&bed.root).unwrap()),
        "planning changed something"
    );
    bed.ok(&["run", &script]);
    let run = bed.last_run();
    assert_eq!(identities(&plan["actions"]), identities(&run["journal"]));
    assert_eq!(names(&bed.json(&["snapshot", "list"])), ["science@1", "science@3"]);
    assert_eq!(bed.run(&["snapshot", "verify"]).status.code(), Some(0));
}

#[test]
fn no_secret_gets_into_what_is_kept() {
    let bed = Bed::practice();
    let mirrors = "mirrors:\n  a:\n    url: https://me:GEHEIM1@host.example/x\n    access_token: GEHEIM2\n  \
        b:\n    url: s3://bucket\n    access_pair: [me, GEHEIM3]\n    profile: p\n  \
        c:\n    url: s3://other\n    access_pair:\n    - me\n    - GEHEIM4\n  \
        d:\n    url: s3://third\n    access_pair:\n      id: me\n      secret: GEHEIM5\n  \
        e:\n    fetch:\n      url: 'https://me:GEHEIM6@host.example/y'\n      access_pair: ['me', \"GEHEIM7\"]\n    \
        push: {url: s3://q, access_pair: [me,\n      GEHEIM8]}\n";
    let path = bed.root.join("site/config/mirrors.yaml");
    std::fs::write(&path, mirrors).unwrap();
    create(&bed);
    bed.ok(&["snapshot", "export", "science", "s.tar.zst"]);
    bed.ok(&["snapshot", "export", "science", "s.yaml", "--yaml"]);
    bed.ok(&["snapshot", "export", "science", "--git", "tree"]);
    let mut texts = vec![format!("{}", bed.json(&["snapshot", "show", "science@1"]))];
    let mut configurations = 0;
    for file in objects(&bed) {
        let bytes = std::fs::read(&file).unwrap();
        let packed = moonstack::snapshot::store::packing::parse(&bytes).expect("an object");
        assert!(packed.base.is_none(), "the first snapshot has nothing to differ from");
        let text =
            String::from_utf8(moonstack::snapshot::store::packing::unpack(&packed, None).unwrap()).unwrap();
        configurations += usize::from(text.contains("host.example"));
        texts.push(text);
    }
    assert_eq!(configurations, 1, "the mirrors are kept");
    let exported = zstd::decode_all(std::fs::File::open(bed.root.join("s.tar.zst")).unwrap()).unwrap();
    texts.push(String::from_utf8_lossy(&exported).into_owned());
    for file in files(&bed.state().join("snapshots")).into_iter().chain(files(&bed.root.join("tree/science")))
    {
        texts.push(String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned());
    }
    texts.push(std::fs::read_to_string(bed.root.join("s.yaml")).unwrap());
    for text in texts {
        if let Some(at) = text.find("GEHEIM") {
            panic!("{} in {}", &text[at..at + 7], &text[..text.len().min(4000)]);
        }
    }
}

#[test]
fn those_who_take_snapshots_at_once_get_numbers_of_their_own() {
    let bed = Bed::practice();
    let mut numbers = BTreeSet::new();
    for _ in 0..5 {
        let args = ["--json", "snapshot", "create", "science"];
        let running: Vec<_> = (0..2)
            .map(|_| bed.command(&args).stdout(std::process::Stdio::piped()).spawn().unwrap())
            .collect();
        for process in running {
            let output = process.wait_with_output().unwrap();
            assert!(output.status.success(), "{output:?}");
            let row: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert!(numbers.insert(row["number"].as_u64().unwrap()), "a number twice: {row}");
        }
    }
    assert_eq!(numbers, (1..=10).collect());
    let rows = bed.json(&["snapshot", "verify"]);
    assert!(
        rows.as_array().unwrap().len() == 10 && rows.as_array().unwrap().iter().all(|r| r["ok"] == true),
        "{rows}"
    );
}
