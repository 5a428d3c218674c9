//! Faults are put into a site made by hand; each must give its own finding with its own advice, and nothing else.

use moonstack::check::Status::{self, Fail, Pass, Skipped, Warn};
use moonstack::world::fs::lock::{self, Mode, Range};
use serde_json::json;

use crate::common::checks_bed::{self as bed, APP, BASE, Bed, LIB};

#[test]
fn a_sound_site_passes() {
    let bed = Bed::new();
    let found = bed.sweep(&["spack", "configuration", "database", "locks", "failures"]);
    let told: Vec<(&str, Status)> = found.iter().map(|f| (f.check.as_str(), f.status)).collect();
    let wanted =
        [("spack", Pass), ("configuration", Pass), ("database", Pass), ("locks", Pass), ("failures", Pass)];
    assert_eq!(told, wanted, "{found:#?}");
    assert!(found[2].message.starts_with("version 8: 5 installed (1 explicit), 0 more known"), "{found:#?}");
    assert!(found.iter().all(|f| f.fix.is_none()));
}

#[test]
fn a_missing_prefix_is_a_failure_with_the_way_back() {
    let bed = Bed::new();
    std::fs::remove_dir_all(bed.prefix("ctlib")).unwrap();
    let f = bed.only("database");
    assert_eq!((f.status, f.subject.as_deref()), (Fail, Some("prefixes")));
    assert!(f.message.contains("ctlib/la5xflz at ") && !f.message.contains("ctapp"), "{}", f.message);
    assert!(f.fix.unwrap().contains(&format!("spack install --overwrite -y /{LIB}")));
    assert!((f.measure.unwrap().value - 1.0).abs() < f64::EPSILON);
}

#[test]
fn an_unknown_prefix_is_a_warning_unless_it_is_being_built() {
    let bed = Bed::new();
    let hash = "b".repeat(32);
    let stray = bed.prefix("ctlib").with_file_name(format!("stray-1.0-{hash}"));
    std::fs::create_dir_all(stray.join(".spack")).unwrap();
    let f = bed.only("database");
    assert_eq!((f.status, f.subject.as_deref()), (Warn, Some("unknown prefixes")));
    assert!(f.message.contains(stray.to_str().unwrap()), "{}", f.message);
    assert!(
        f.fix.unwrap().starts_with("leftovers of interrupted builds: remove them before any spack reindex")
    );

    // What an interrupted unpacking leaves has no metadata yet; what is empty says nothing.
    std::fs::remove_dir_all(stray.join(".spack")).unwrap();
    assert_eq!(bed.only("database").status, Pass);
    std::fs::write(stray.join("half"), "").unwrap();
    assert_eq!(bed.only("database").status, Warn);

    let first = [8, 66, 16, 132, 33, 8, 66, 16];
    let start = (u64::from_be_bytes(first) >> 1) as i64;
    let _building = lock::try_lock(&bed.db("prefix_lock"), Mode::Write, Range { start, length: 1 }).unwrap();
    assert_eq!(bed.only("database").status, Pass);
}

#[test]
fn a_dangling_dependency_is_a_failure() {
    let bed = Bed::new();
    bed.edit(|installs| {
        installs.shift_remove(BASE);
    });
    std::fs::remove_dir_all(bed.prefix("ctbase")).unwrap();
    let f = bed.only("database");
    assert_eq!((f.status, f.subject.as_deref()), (Fail, Some("dependencies")));
    assert!(f.message.contains("ctbase/raw4ick (of ctlib/la5xflz)"), "{}", f.message);
    assert!(f.fix.unwrap().starts_with("spack reindex builds the database again"));
}

#[test]
fn what_was_uninstalled_although_it_is_needed_is_a_failure_that_names_who_needs_it() {
    let bed = Bed::new();
    let prefix = bed.prefix("ctbase");
    bed.edit(|installs| installs[BASE]["installed"] = json!(false));
    std::fs::remove_dir_all(&prefix).unwrap();
    let gone = |f: &moonstack::check::Finding| {
        assert_eq!((f.status, f.subject.as_deref()), (Fail, Some("uninstalled")));
        assert!(f.message.contains("ctbase/raw4ick (needed by ctlib/la5xflz"), "{}", f.message);
    };
    gone(&bed.only("database"));

    // A link to what stands in for a deprecated one is as good, as long as it leads there.
    bed.edit(|installs| {
        installs[BASE]["deprecated_for"] = json!(APP);
        installs[APP]["ref_count"] = json!(installs[APP]["ref_count"].as_u64().unwrap() + 1);
    });
    gone(&bed.only("database"));
    std::os::unix::fs::symlink(bed.prefix("ctapp"), &prefix).unwrap();
    assert_eq!(bed.only("database").status, Pass);
}

#[test]
fn a_wrong_reference_count_is_a_failure() {
    let bed = Bed::new();
    bed.edit(|installs| installs[APP]["ref_count"] = json!(7));
    let f = bed.only("database");
    assert_eq!((f.status, f.subject.as_deref()), (Fail, Some("reference counts")));
    assert_eq!(f.message, "wrong reference counts: ctapp/x6fvarf (7 recorded, 0 counted)");
    assert!(f.fix.unwrap().starts_with("spack reindex counts again"));
}

#[test]
fn a_record_that_lies_is_a_failure() {
    let bed = Bed::new();
    bed.edit(|installs| installs[LIB]["spec"]["version"] = json!("3.0"));
    let f = bed.only("database");
    assert_eq!((f.status, f.subject.as_deref()), (Fail, Some("hashes")));
    assert!(f.message.ends_with("kept under: ctlib/la5xflz"), "{}", f.message);
    assert!(f.fix.unwrap().starts_with("the database was altered"));
}

#[test]
fn a_damaged_database_or_one_of_the_future_is_told_with_its_kind() {
    let bed = Bed::new();
    let whole = std::fs::read(bed.db("index.json")).unwrap();
    std::fs::write(bed.db("index.json"), &whole[..whole.len() / 2]).unwrap();
    let f = bed.only("database");
    assert_eq!((f.status, f.kind.as_deref()), (Fail, Some("corrupt")), "{}", f.message);
    assert!(f.fix.unwrap().starts_with("restore "));
    bed.set_version("99");
    let f = bed.only("database");
    assert_eq!((f.status, f.kind.as_deref()), (Fail, Some("unknown_format")), "{}", f.message);
    bed.set_version("7");
    let f = bed.only("database");
    assert_eq!((f.status, f.subject.as_deref()), (Fail, Some("version")));
    assert!(f.message.contains("has version 7") && f.fix.unwrap().contains("then spack reindex"));
}

#[test]
fn a_store_that_is_not_mounted_is_told() {
    let bed = Bed::new();
    std::fs::remove_dir_all(bed.path("store")).unwrap();
    let found = bed.sweep(&["database", "locks", "failures"]);
    let told: Vec<Status> = found.iter().map(|f| f.status).collect();
    assert_eq!(told, [Warn, Skipped, Skipped]);
    assert!(found[0].fix.as_deref().unwrap().contains("mount it"));
    assert!(found[1].message.starts_with("needs store: "));
}

#[test]
fn compilers_that_are_gone_changed_or_hang_are_told_apart() {
    let bed = Bed::new();
    let good = bed.script("gcc-good", "echo 'gcc (GCC) 13.2.0'");
    bed.compiler("gcc@=13.2.0", &good);
    let f = bed.only("compilers");
    assert_eq!((f.status, f.fix.is_none()), (Pass, true), "{}", f.message);

    let gone = bed.path("no/gcc");
    bed.compiler("gcc@=13.2.0", gone.to_str().unwrap());
    let f = bed.only("compilers");
    assert_eq!(f.status, Fail);
    assert_eq!(f.message, format!("{} of gcc@=13.2.0 does not exist", gone.display()));
    assert!(f.fix.unwrap().contains("spack compiler remove gcc@=13.2.0; spack compiler find"));

    let other = bed.script("gcc-other", "echo 'gcc (GCC) 12.1.0'");
    bed.compiler("gcc@=13.2.0", &other);
    let f = bed.only("compilers");
    assert_eq!(
        (f.status, f.message),
        (Fail, format!("{other} is version 12.1.0, but gcc@=13.2.0 is recorded"))
    );
    assert_eq!(f.reference.as_deref(), Some("13.2.0"));

    let broken = bed.script("gcc-broken", "echo 'no licence' >&2; exit 3");
    bed.compiler("gcc@=13.2.0", &broken);
    let f = bed.only("compilers");
    assert_eq!(
        (f.status, f.message),
        (Fail, format!("{broken} of gcc@=13.2.0 does not run: exit 3 no licence"))
    );

    let hangs = bed.script("gcc-hangs", "sleep 600");
    bed.compiler("gcc@=13.2.0", &hangs);
    let f = bed.only_with("compilers", json!({"program_limit": "300ms"}), None);
    assert_eq!((f.status, f.kind.as_deref()), (Fail, Some("timeout")));
    assert_eq!(f.message, format!("{hangs} of gcc@=13.2.0 does not answer"));
    let stubborn = bed.script("gcc-stubborn", "trap '' TERM INT; sleep 600 & wait; sleep 600");
    bed.compiler("gcc@=13.2.0", &stubborn);
    let f = bed.only_with("compilers", json!({}), Some("1s"));
    assert_eq!((f.status, f.kind.as_deref()), (Fail, Some("timeout")), "{}", f.message);
}

#[test]
fn an_external_that_is_gone_is_told() {
    let bed = Bed::new();
    bed.config(
        "packages",
        "packages:\n  zlib:\n    externals:\n    - spec: zlib@1.2\n      prefix: /no/such\n",
    );
    let f = bed.only("externals");
    assert_eq!((f.status, f.message.as_str()), (Fail, "the prefix /no/such of zlib@1.2 does not exist"));
    assert!(f.fix.unwrap().contains("packages.yaml:4"));
}

#[test]
fn an_external_on_record_is_looked_at_also_when_nothing_configures_it() {
    let bed = Bed::new();
    bed.config("packages", "packages: {}\n");
    let at = bed.path("cray");
    let path = at.display().to_string();
    bed.edit(|installs| {
        let record = installs.get_mut(BASE).unwrap();
        record["spec"]["external"] = json!({"path": path, "module": null, "extra_attributes": {}});
        record["path"] = path.clone().into();
    });
    let f = bed.only("externals");
    assert_eq!(f.status, Fail, "{}", f.message);
    assert!(
        f.message.starts_with("the external ctbase@") && f.message.ends_with(&format!("gone from {path}"))
    );
    std::fs::create_dir(&at).unwrap();
    assert_ne!(bed.only("externals").status, Fail);
    // Its hash was made before its prefix was known: that is no damage.
    assert!(bed.sweep(&["database"]).iter().all(|f| f.subject.as_deref() != Some("hashes")));
    // Modules alone say where it is: nothing to look at.
    bed.edit(|installs| {
        let record = installs.get_mut(BASE).unwrap();
        record["spec"]["external"] = json!({"path": null, "module": ["cray-base/1"], "extra_attributes": {}});
        record["path"] = "None".into();
    });
    assert_ne!(bed.only("externals").status, Fail);
    assert!(bed.sweep(&["database"]).iter().all(|f| f.status != Fail));
}

#[test]
fn a_prefix_with_a_variable_is_what_spack_makes_of_it() {
    let bed = Bed::new();
    let text = "packages:\n  zlib:\n    externals:\n    - spec: zlib@1.2\n      prefix: $HOME\n";
    bed.config("packages", text);
    let f = bed.only("externals");
    assert_eq!(f.status, Fail);
    assert!(f.message.contains("Spack takes it as it is written"), "{}", f.message);
}

#[test]
fn a_compiler_outside_of_its_prefix_is_told() {
    let bed = Bed::new();
    let gcc = bed.script("gcc-13", "echo gcc 13.2.0");
    bed.compiler("gcc@=13.2.0", &gcc);
    let text = std::fs::read_to_string(bed.path("spack/etc/spack/packages.yaml")).unwrap();
    let below = |prefix: &str| {
        text.replace(
            &format!("prefix: {}", bed.path("").display().to_string().trim_end_matches('/')),
            &format!("prefix: {prefix}"),
        )
    };
    bed.config("packages", &below("/usr"));
    let f = bed.only("compilers");
    assert_eq!(f.status, Warn, "{}", f.message);
    assert!(f.message.contains("the prefix /usr of gcc@=13.2.0 does not hold it"), "{}", f.message);
    // The prefix is what it is, however it is written.
    std::os::unix::fs::symlink(bed.path(""), bed.path("link")).unwrap();
    bed.config("packages", &below(&bed.path("link").display().to_string()));
    assert_eq!(bed.only("compilers").status, Pass);
}

#[test]
fn a_store_named_by_a_link_has_no_prefix_to_remove() {
    let bed = Bed::new();
    std::os::unix::fs::symlink("store", bed.path("link")).unwrap();
    let (real, link) = (bed.path("store").display().to_string(), bed.path("link").display().to_string());
    bed.config("config", &bed.settings().replace(&real, &link));
    assert_eq!(bed.only("database").status, Pass);
    bed.config("config", &bed.settings());
    bed.edit(|installs| {
        for record in installs.values_mut() {
            record["path"] = record["path"].as_str().unwrap().replace(&real, &link).into();
        }
    });
    assert_eq!(bed.only("database").status, Pass);
}

#[test]
fn an_upstream_that_cannot_be_had_is_a_warning_with_what_is_not_known() {
    let bed = Bed::new();
    let up = bed.path("up").display().to_string();
    bed.config("upstreams", &format!("upstreams:\n  central:\n    install_tree: {up}\n"));
    bed.edit(|installs| drop(installs.remove(BASE)));
    let found = bed.sweep(&["database"]);
    assert!(found.iter().any(|f| f.status == Warn && f.message.starts_with("upstream central: there is no")));
    let unknown = found.iter().find(|f| f.subject.as_deref() == Some("dependencies")).unwrap();
    assert_eq!(unknown.status, Warn);
    assert!(unknown.message.contains("only upstream central may have: ctbase/"), "{}", unknown.message);
    assert!(!unknown.fix.as_deref().unwrap().contains("reindex"));

    // A padded store has its database below the folder that is named.
    let padded = bed.path("up/__spack_path_placeholder__/__spack_pa");
    std::fs::create_dir_all(padded.join("linux/x-1.0/.spack")).unwrap();
    std::fs::write(padded.join("linux/x-1.0/.spack/spec.json"), "{}").unwrap();
    std::fs::create_dir(padded.join(".spack-db")).unwrap();
    std::fs::copy(bed.db("index.json"), padded.join(".spack-db/index.json")).unwrap();
    let found = bed.sweep(&["database"]);
    let told = found.iter().find(|f| f.subject.as_deref() == Some("upstream central")).unwrap();
    assert_eq!(told.status, Warn);
    assert!(told.message.contains(&padded.display().to_string()), "{}", told.message);
    let fix = told.fix.as_deref().unwrap();
    assert!(fix.contains("name that folder") && !fix.contains("reindex"), "{fix}");
}

#[test]
fn broken_files_and_unknown_keys_are_told_with_their_line() {
    let bed = Bed::new();
    bed.config("modules", "modules:\n  default: [a\n");
    let f = bed.only("configuration");
    assert_eq!((f.status, f.kind.as_deref()), (Fail, Some("configuration")), "{}", f.message);
    assert!(f.message.contains("modules.yaml:"), "{}", f.message);
    assert!(f.fix.is_some());
    bed.config("modules", "modules: {}\n");
    bed.config("config", &format!("{}  bild_jobs: 4\n", bed.settings()));
    let f = bed.only("configuration");
    assert_eq!(f.status, Warn);
    assert!(f.message.ends_with("unknown key 'config:bild_jobs'"), "{}", f.message);
    assert_eq!(f.fix.as_deref(), Some("did you mean 'build_jobs'?"));
}

#[test]
fn what_spack_refuses_is_told_and_asked_for_once() {
    let bed = Bed::new();
    let file = bed.path("spack/etc/spack/packages.yaml").display().to_string();
    let refuses = |text: &str| {
        std::fs::write(bed.path("spack/bin/spack.refuses"), format!("moonstack-configuration:{text}\n"))
            .unwrap();
    };
    let asked =
        || std::fs::read_to_string(bed.path("spack/bin/spack.asked")).unwrap_or_default().lines().count();
    bed.config("packages", "packages:\n  zlib:\n    buildable: maybe\n");
    refuses(&json!([format!("{file}:3: 'maybe' is not of type 'boolean'")]).to_string());
    let f = bed.only("configuration");
    assert_eq!((f.status, f.subject), (Fail, Some(format!("{file}:3"))));
    assert!(f.message.contains("'maybe' is not of type 'boolean'"), "{}", f.message);
    assert_eq!((bed.only("configuration").status, asked()), (Fail, 1));
    // Another file is another question.
    bed.config("packages", "packages:\n  zlib:\n    buildable: false\n");
    refuses("[]");
    assert_eq!((bed.only("configuration").status, asked()), (Pass, 2));
    // Of a key that is not known, one finding says both.
    let file = bed.path("spack/etc/spack/config.yaml").display().to_string();
    bed.config("config", &format!("{}  instal_tree: x\n", bed.settings()));
    refuses(&json!([format!("{file}:6: 'instal_tree' was unexpected")]).to_string());
    let f = bed.only("configuration");
    assert_eq!(f.status, Fail);
    assert_eq!(f.fix.as_deref(), Some("did you mean 'install_tree'?"));
}

#[test]
fn what_cannot_be_read_is_reported_once() {
    let bed = Bed::new();
    bed.config("mirrors", "mirrors: [\n");
    let found = bed.sweep(&["configuration", "mirrors", "database"]);
    let told: Vec<(&str, Status)> = found.iter().map(|f| (f.check.as_str(), f.status)).collect();
    assert_eq!(told, [("configuration", Fail), ("database", Pass), ("mirrors", Skipped)], "{found:#?}");
}

#[test]
fn mirrors_that_are_gone_or_have_no_index_are_told() {
    let bed = Bed::new();
    let folder = bed.path("mirror");
    bed.config("mirrors", &format!("mirrors:\n  local: {}\n", folder.display()));
    let f = bed.only("mirrors");
    assert_eq!((f.status, f.message), (Fail, format!("{} does not exist", folder.display())));
    assert!(f.fix.unwrap().starts_with("mount or create it"));
    std::fs::create_dir_all(folder.join("v3/manifests/spec")).unwrap();
    let f = bed.only("mirrors");
    assert_eq!((f.status, f.fix.as_deref()), (Warn, Some("spack buildcache update-index local")));
    std::fs::create_dir_all(folder.join("v3/manifests/index")).unwrap();
    std::fs::write(folder.join("v3/manifests/index/index.manifest.json"), "{}").unwrap();
    assert_eq!(bed.only("mirrors").status, Pass);
    bed.config("mirrors", "mirrors:\n  cloud: s3://bucket/x\n");
    assert_eq!(bed.only("mirrors").status, Skipped);
    // A port that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    bed.config("mirrors", &format!("mirrors:\n  web: http://127.0.0.1:{port}/cache\n"));
    let f = bed.only("mirrors");
    assert_eq!((f.status, f.kind.as_deref()), (Fail, Some("network")), "{}", f.message);
}

#[test]
fn a_web_mirror_is_asked_for_its_index() {
    let bed = Bed::new();
    for (status, wanted) in [("200 OK", Pass), ("404 Not Found", Warn), ("403 Forbidden", Fail)] {
        let port = bed::serve(status);
        bed.config("mirrors", &format!("mirrors:\n  web: http://127.0.0.1:{port}/cache\n"));
        let f = bed.only("mirrors");
        assert_eq!(f.status, wanted, "{status}: {}", f.message);
        assert_eq!(f.fix.is_some(), wanted != Pass);
    }
}

#[test]
fn a_database_that_is_held_for_writing_is_a_warning() {
    let bed = Bed::new();
    let _held = lock::try_lock(&bed.db("lock"), Mode::Write, Range::WHOLE).unwrap();
    let found = bed.sweep(&["locks"]);
    let told = found.iter().find(|f| f.subject.as_deref() == Some("lock")).unwrap();
    assert_eq!(told.status, Warn);
    assert!(told.message.starts_with("the database is held for writing by "), "{}", told.message);
    assert!(told.fix.is_some());
}

#[test]
fn failure_marks_are_counted_against_the_threshold() {
    let bed = Bed::new();
    std::fs::create_dir_all(bed.db("failures")).unwrap();
    std::fs::write(bed.db(&format!("failures/hdf5-{LIB}")), "{}").unwrap();
    let f = bed.only("failures");
    assert_eq!((f.status, f.message.as_str()), (Warn, "1 failed build marked: hdf5/la5xflz"));
    assert_eq!(f.fix.as_deref(), Some("see why, install again, or forget them: spack clean --failures"));
    assert_eq!(bed.only_with("failures", json!({"failures_warn": 2}), None).status, Pass);
}

#[test]
fn room_is_compared_with_the_thresholds() {
    let bed = Bed::new();
    let found = bed.sweep_with(
        &["disk"],
        json!({"disk_warn": "0%", "disk_fail": 0, "inodes_warn": 0, "inodes_fail": 0}),
        None,
    );
    assert!(!found.is_empty() && found.iter().all(|f| f.status == Pass), "{found:#?}");
    let found =
        bed.sweep_with(&["disk"], json!({"disk_fail": "100%", "inodes_warn": "0%", "inodes_fail": 0}), None);
    let space: Vec<_> = found.iter().filter(|f| !f.subject.as_deref().unwrap().contains("inodes")).collect();
    assert!(!space.is_empty() && space.iter().all(|f| f.status == Fail && f.fix.is_some()), "{found:#?}");
    assert!(found[0].subject.as_deref().unwrap().contains("store"));
}

#[test]
fn without_a_spack_the_sweep_cannot_tell() {
    let bed = Bed::new();
    std::fs::remove_dir_all(bed.path("spack/lib")).unwrap();
    let found = bed.sweep(&["spack", "configuration", "database"]);
    let told: Vec<(Status, Option<&str>)> = found.iter().map(|f| (f.status, f.kind.as_deref())).collect();
    assert_eq!(told, [(Fail, Some("no_spack")), (Skipped, None), (Skipped, None)]);
    assert_eq!(moonstack::check::summary::Summary::of(&found).exit, 3);
}

#[test]
fn health_sweep_prints_for_people_monitors_and_programs() {
    let bed = Bed::new();
    std::fs::remove_dir_all(bed.prefix("ctlib")).unwrap();
    let only = ["--only", "spack,database,failures"];
    let sweep = |more: &[&str]| bed::health_sweep(bed.variables(), &[&only[..], more].concat());
    let (exit, lines) = sweep(&[]);
    assert_eq!(exit, 2);
    assert!(lines[0].starts_with("ok    spack     Spack 1.1.0"), "{lines:#?}");
    assert!(
        lines[1].starts_with("FAIL  database  prefixes that do not exist: ctlib/la5xflz at "),
        "{lines:#?}"
    );
    assert!(lines[2].starts_with("         fix: if the file system is mounted: spack install --overwrite"));
    assert!(lines[4].starts_with("CRITICAL: 2 passed, 0 warned, 1 failed, 0 skipped in "), "{lines:#?}");
    let (exit, lines) = sweep(&["--nagios"]);
    assert_eq!((exit, lines.len()), (2, 1));
    assert!(lines[0].starts_with("CRITICAL - 1 failed, 0 warned: database: prefixes that do not exist"));
    assert!(lines[0].contains(" | passed=2 warned=0 failed=1 skipped=0 'database prefixes'=1"), "{lines:?}");
    let (_, lines) = sweep(&["--json"]);
    let json: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!((&json["summary"]["exit"], &json["findings"][1]["check"]), (&json!(2), &json!("database")));
    assert_eq!(json["changes"], json!([]));
    let bed = Bed::new();
    assert_eq!(bed::health_sweep(bed.variables(), &["--only", "spack", "--quiet"]), (0, vec![]));
}
