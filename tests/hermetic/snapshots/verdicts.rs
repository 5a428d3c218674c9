//! What lists and shows say of each snapshot, a mirror that is to have everything, and the history of generations.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use super::bed::{create, error, names, objects, refused};
use crate::common::runs_bed::{Bed, identities};

fn prefix(bed: &Bed, name: &str) -> PathBuf {
    let shown = bed.json(&["snapshot", "show", "science"]);
    let hashes = shown["hashes"].as_array().unwrap();
    let row = hashes.iter().find(|row| row["name"] == name).unwrap();
    PathBuf::from(row["prefix"].as_str().unwrap())
}

/// The recipe of a package, and what it says.
pub fn recipe(bed: &Bed, name: &str) -> (PathBuf, String) {
    let found = walkdir::WalkDir::new(bed.root.join("site/repo")).into_iter().map(Result::unwrap);
    let wanted = format!("packages/{}/package.py", name.replace('-', "_"));
    let file = found.map(walkdir::DirEntry::into_path).find(|path| path.ends_with(&wanted)).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    (file, text)
}

/// List, show and check say the same.
fn verdict(bed: &Bed) -> String {
    let listed = bed.json(&["snapshot", "list"]);
    let shown = bed.json(&["snapshot", "show", "science@1"]);
    let checked = bed.run(&["--json", "snapshot", "check", "science@1"]);
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(listed[0]["verdict"], checked["verdict"], "{listed}{checked}");
    assert_eq!(shown["verdict"], checked["verdict"], "{shown}{checked}");
    assert_eq!(shown["counts"], checked["counts"]);
    let table = bed.ok(&["snapshot", "list"]);
    let verdict = checked["verdict"].as_str().unwrap().to_owned();
    assert!(table.lines().next().unwrap().contains("verdict") && table.contains(&verdict), "{table}");
    verdict
}

#[test]
fn lists_and_shows_say_from_where_it_would_come() {
    let bed = Bed::practice();
    create(&bed);
    assert_eq!(verdict(&bed), "installed");
    std::fs::remove_dir_all(prefix(&bed, "zlib-ng")).unwrap();
    assert_eq!(verdict(&bed), "mirror");
    let signature = || {
        let output = bed.run(&["--json", "snapshot", "check", "science@1"]);
        let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
        checked["missing"][0]["signature"].as_str().unwrap().to_owned()
    };
    assert_eq!(signature(), "unsigned");
    let mirrors = bed.root.join("site/config/mirrors.yaml");
    let unsigned = std::fs::read_to_string(&mirrors).unwrap();
    std::fs::write(&mirrors, unsigned.replace("signed: false", "signed: true")).unwrap();
    assert_eq!(signature(), "lacking");
    std::fs::write(&mirrors, unsigned).unwrap();
    std::fs::remove_dir_all(prefix(&bed, "fftw")).unwrap();
    assert_eq!(verdict(&bed), "source");
    let (file, text) = recipe(&bed, "fftw");
    std::fs::write(&file, format!("{text}# another patch\n")).unwrap();
    assert_eq!(verdict(&bed), "drifted");
    std::fs::write(&file, &text).unwrap();
    assert_eq!(verdict(&bed), "source");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(verdict(&bed), "gone");
    std::fs::write(&file, &text).unwrap();

    // A manifest in a mirror is no package: its archive has to be there.
    let mirror = bed.root.join("site/mirror");
    let blobs = mirror.join("blobs");
    std::fs::rename(&blobs, mirror.join("aside")).unwrap();
    std::fs::write(&file, format!("{text}# another patch\n")).unwrap();
    let counts = bed.json(&["snapshot", "show", "science@1"])["counts"].clone();
    assert!(counts["mirror"].is_null() && counts["source"] == 1 && counts["drifted"] == 1, "{counts}");
    std::fs::rename(mirror.join("aside"), &blobs).unwrap();
}

#[test]
fn a_list_asks_nobody_and_shows_what_cannot_be_judged() {
    let bed = Bed::practice();
    create(&bed);
    let config = bed.root.join("site/config");
    let mirrors = std::fs::read_to_string(config.join("mirrors.yaml")).unwrap();
    // Nobody answers there: asking would be an answer as well.
    std::fs::write(config.join("mirrors.yaml"), format!("{mirrors}  web:\n    url: http://127.0.0.1:9/m\n"))
        .unwrap();
    assert!(bed.json(&["snapshot", "list"])[0]["not_looked"].is_null(), "nothing had to be asked");
    std::fs::remove_dir_all(prefix(&bed, "fftw")).unwrap();
    let row = &bed.json(&["snapshot", "list"])[0];
    assert_eq!(
        (row["verdict"].as_str(), &row["not_looked"][0]),
        (Some("source"), &"mirror web was not asked".into())
    );
    let shown = bed.json(&["snapshot", "show", "science"]);
    assert!(
        shown["not_looked"][0].as_str().unwrap().contains("what mirror web holds cannot be told"),
        "{shown}"
    );

    std::fs::write(config.join("repos.yaml"), "repos: [").unwrap();
    for row in [&bed.json(&["snapshot", "list"])[0], &bed.json(&["snapshot", "show", "science"])] {
        assert!(row["verdict"].is_null() && row["number"] == 1, "{row}");
        assert!(row["not_looked"].to_string().contains("repos.yaml"), "{row}");
    }
    let object = objects(&bed).remove(0);
    std::fs::write(&object, "x").unwrap();
    let row = &bed.json(&["snapshot", "list"])[0];
    let name = object.file_name().unwrap().to_str().unwrap();
    assert!(row["damaged"].as_str().unwrap().contains(name) && row["verdict"] == "gone", "{row}");
}

/// Shows a folder to the web, or answers everything with a status. It ends with the test program.
fn serve(folder: PathBuf, status: Option<&'static str>) -> u16 {
    use std::io::{BufRead as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folder = folder.clone();
            std::thread::spawn(move || {
                let mut lines = std::io::BufReader::new(&stream).lines().map_while(Result::ok);
                let Some(first) = lines.next() else { return };
                lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
                let mut words = first.split(' ');
                let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                let content = std::fs::read(folder.join(path.trim_start_matches("/m/")));
                let (status, body) = match (status, content) {
                    (Some(status), _) => (status, Vec::new()),
                    (None, Ok(content)) => ("200 OK", content),
                    (None, Err(_)) => ("404 Not Found", Vec::new()),
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = (&stream).write_all(head.as_bytes());
                if method == "GET" {
                    let _ = (&stream).write_all(&body);
                }
            });
        }
    });
    port
}

#[test]
fn a_mirror_holds_what_it_has_whole_and_of_one_in_trouble_nobody_can_tell() {
    let bed = Bed::practice();
    create(&bed);
    std::fs::remove_dir_all(prefix(&bed, "zlib-ng")).unwrap();
    let config = bed.root.join("site/config/mirrors.yaml");
    let folder = std::fs::read_to_string(&config).unwrap();
    let site = bed.root.join("site/mirror");
    let web = |status| {
        let port = serve(site.clone(), status);
        let text = format!("mirrors:\n  web:\n    url: http://127.0.0.1:{port}/m\n    signed: false\n");
        std::fs::write(&config, text).unwrap();
    };
    let check = || -> Value {
        let output = bed.run(&["--json", "snapshot", "check", "science@1"]);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let is_whole = || (check()["verdict"] == "mirror", check()["not_looked"].as_array().unwrap().is_empty());
    web(None);
    assert_eq!(is_whole(), (true, true), "{}", check());
    // Both ways see the same of archives that are empty, cut or gone, and of manifests that are none.
    let files = |end: &str| -> Vec<PathBuf> {
        let all = walkdir::WalkDir::new(&site).into_iter().flatten().map(walkdir::DirEntry::into_path);
        all.filter(|path| path.is_file() && path.to_string_lossy().contains(end)).collect()
    };
    let with = |end: &str, change: &dyn Fn(&PathBuf)| {
        let kept: Vec<_> =
            files(end).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
        assert!(!kept.is_empty());
        for (path, _) in &kept {
            change(path);
        }
        for text in [std::fs::read_to_string(&config).unwrap(), folder.clone()] {
            let before = std::fs::read(&config).unwrap();
            std::fs::write(&config, text).unwrap();
            assert_eq!(is_whole(), (false, true), "{end}: {}", check());
            std::fs::write(&config, before).unwrap();
        }
        for (path, bytes) in &kept {
            std::fs::write(path, bytes).unwrap();
        }
    };
    with("/blobs/", &|path| std::fs::write(path, "").unwrap());
    with("/blobs/", &|path| std::fs::remove_file(path).unwrap());
    with(".spec.manifest.json", &|path| std::fs::write(path, "{}").unwrap());
    assert_eq!(is_whole(), (true, true), "{}", check());
    for status in ["503 Service Unavailable", "403 Forbidden"] {
        web(Some(status));
        let told = check()["not_looked"].to_string();
        assert!(told.contains("cannot be told: HTTP ") && check()["verdict"] != "mirror", "{told}");
    }
}

fn mirror(bed: &Bed) -> String {
    moonstack::base::digest::tree(&bed.root.join("site/mirror")).unwrap()
}

fn faults(bed: &Bed, text: &str) {
    std::fs::write(bed.root.join("site/faults.toml"), text).unwrap();
}

#[test]
fn a_mirror_that_is_to_have_everything_gets_what_it_has_not() {
    let bed = Bed::practice();
    let script = bed.script("ensure.lua", r#"snapshot.create("science", { ensure = "practice" })"#);
    let before = mirror(&bed);
    let plan = bed.json(&["plan", &script]);
    assert_eq!(mirror(&bed), before, "a plan pushed something");
    bed.ok(&["run", &script]);
    assert_eq!(identities(&plan["actions"]), identities(&bed.last_run()["journal"]));
    assert_ne!(mirror(&bed), before);

    let again = bed.json(&["snapshot", "create", "science", "--ensure", "practice"]);
    assert!(again["pushed"].is_null() && again["number"] == 2, "{again}");
    // All that it needs to run can go, and comes back from there.
    let shown = bed.json(&["snapshot", "show", "science"]);
    let rows = shown["hashes"].as_array().unwrap().iter();
    let needed = rows.filter(|row| row["external"].is_null() && row["build_only"].is_null());
    let folders: BTreeSet<PathBuf> =
        needed.map(|row| PathBuf::from(row["prefix"].as_str().unwrap())).collect();
    assert!(folders.len() > 4, "{folders:?}");
    bed.ok(&["eval", "spack.exec({ 'uninstall', '-y', '-f', 'zlib-ng', 'fftw', 'hwloc' })"]);
    let row = &bed.json(&["snapshot", "list"])[0];
    assert_eq!(row["verdict"], "mirror", "{row}");
    bed.ok(&["snapshot", "restore", "science@1", "--cache-only"]);
    assert!(folders.iter().all(|folder| folder.is_dir()));
}

#[test]
fn what_cannot_be_pushed_is_no_snapshot() {
    let bed = Bed::practice();
    let create = ["snapshot", "create", "science", "--ensure", "practice"];
    let partial = ["snapshot", "create", "science", "--ensure", "practice", "--partial"];
    let before = mirror(&bed);
    refused(
        &bed,
        &["snapshot", "create", "science", "--ensure", "practise"],
        "not_found",
        2,
        "did you mean 'practice'",
    );
    faults(&bed, "[verb.buildcache]\ncode = 1\nmessage = 'Error: No default key available for signing.'\n");
    refused(&bed, &create, "program", 2, "No default key");
    // It ends well and has done nothing: only the mirror says so.
    faults(&bed, "[verb.buildcache]\ngarbage = true\n");
    refused(&bed, &create, "not_done", 2, "mirror practice does not have");
    faults(&bed, "");
    let found = bed.json(&["find", "fftw"]);
    std::fs::remove_dir_all(found[0]["prefix"].as_str().unwrap()).unwrap();
    refused(&bed, &create, "refused", 4, "fftw@3.3.10");
    refused(&bed, &partial, "refused", 4, "neither installed nor in mirror practice: fftw@3.3.10");
    assert_eq!(mirror(&bed), before, "something was pushed");
    let config = bed.root.join("site/config/mirrors.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}  bucket:\n    url: s3://bucket/m\n")).unwrap();
    refused(
        &bed,
        &["snapshot", "create", "science", "--partial", "--ensure", "bucket"],
        "unsupported",
        3,
        "not looked at",
    );
}

#[test]
fn a_secret_in_the_manifest_is_told_of_and_not_told() {
    let bed = Bed::practice();
    let manifest = bed.root.join("site/environments/science/spack.yaml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, format!("{text}  # token: geheim\n")).unwrap();
    let line = text.lines().count() + 1;
    let output = bed.run(&["snapshot", "create", "science"]);
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&format!("spack.yaml:{line}: ")) && said.contains("token: ***"), "{said}");
    assert!(!said.contains("geheim") && !String::from_utf8_lossy(&output.stdout).contains("geheim"));
    std::fs::write(&manifest, text).unwrap();
    let output = bed.run(&["snapshot", "create", "science"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("secret"), "{output:?}");
}

#[test]
fn generations_have_one_history() {
    let bed = Bed::practice();
    create(&bed);
    bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]);
    bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "openblas"]);
    bed.ok(&["snapshot", "create", "next", "--partial"]);
    let log = bed.json(&["snapshot", "log", "science"]);
    assert_eq!(names(&log), ["science-g2@1", "science-g1@1", "science@1"]);
    let of: Vec<u64> =
        log.as_array().unwrap().iter().map(|row| row["generation"].as_u64().unwrap()).collect();
    assert_eq!(of, [2, 1, 1]);
    let list = bed.json(&["snapshot", "list", "science"]);
    assert_eq!(names(&list), ["science@1", "science-g1@1", "science-g2@1"]);
    assert_eq!(names(&bed.json(&["snapshot", "list", "science-g1"])), ["science-g1@1"]);
    assert_eq!(names(&bed.json(&["snapshot", "list"])).len(), 4);
    // One whose generation is gone is still part of it.
    bed.ok(&["snapshot", "create", &bed.state().join("generations/science/1").display().to_string()]);
    assert_eq!(names(&bed.json(&["snapshot", "log", "science"]))[0], "science-g1@2", "the newest is first");
    assert_eq!(error(&bed, &["snapshot", "log", "sciense"]).1["kind"], "not_found");
}
