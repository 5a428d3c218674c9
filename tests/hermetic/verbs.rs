//! Every primitive that changes something, and those that judge, with ways to fail: none ends with 0, and each code says
//! what kind of failure it was.

use std::collections::BTreeSet;

use moonstack::world::Effect;
use serde_json::Value;

use crate::common::runs_bed::Bed;

/// A primitive, what it is asked, and how that ends.
type Way = (&'static str, &'static str, i32);

/// What there is not, what is no such name, and what a guard keeps.
const WAYS: &[Way] = &[
    ("spack.install", r#"{"spec": "nosuch"}"#, 2),
    ("spack.install", r#"{"spec": "zlib", "jbos": 2}"#, 3),
    ("spack.uninstall", r#"{"query": "nosuch"}"#, 2),
    ("spack.uninstall", r#"{"query": "fftw"}"#, 4),
    ("spack.mark", r#"{"query": "nosuch", "as": "explicit"}"#, 2),
    ("spack.mark", r#"{"query": "zlib", "as": "nonsense"}"#, 3),
    ("spack.gc", r#"{"env": "nowhere"}"#, 2),
    ("spack.exec", r#"{"words": ["install", "nosuch"]}"#, 2),
    ("spack.exec", r#"{"words": ["nosuch"]}"#, 2),
    ("spack.exec", r#"{"words": []}"#, 3),
    ("spack.verify", r#"{"query": "nosuch"}"#, 2),
    ("env.create", r#"{"name": "science"}"#, 4),
    ("env.create", r#"{"name": "../x"}"#, 3),
    ("env.add", r#"{"name": "nowhere", "specs": ["zlib"]}"#, 2),
    ("env.remove", r#"{"name": "science", "specs": ["nosuch"]}"#, 2),
    ("env.concretize", r#"{"name": "nowhere"}"#, 2),
    ("env.upgrade", r#"{"name": "nowhere", "specs": ["zlib"]}"#, 2),
    ("env.install", r#"{"name": "nowhere"}"#, 2),
    ("env.refresh", r#"{"name": "nowhere"}"#, 2),
    ("env.delete", r#"{"name": "nowhere"}"#, 2),
    ("snapshot.create", r#"{"env": "nowhere"}"#, 2),
    ("snapshot.restore", r#"{"snapshot": "nowhere"}"#, 2),
    ("snapshot.tag", r#"{"snapshot": "nowhere", "add": ["x"]}"#, 2),
    ("snapshot.pin", r#"{"snapshot": "nowhere"}"#, 2),
    ("snapshot.unpin", r#"{"snapshot": "nowhere"}"#, 2),
    ("snapshot.delete", r#"{"snapshot": "nowhere"}"#, 2),
    ("snapshot.export", r#"{"snapshot": "nowhere", "file": "x"}"#, 2),
    ("snapshot.import", r#"{"file": "nowhere"}"#, 2),
    ("snapshot.prune", r#"{"keep": "nonsense"}"#, 3),
    ("snapshot.check", r#"{"snapshot": "nowhere"}"#, 2),
    ("snapshot.verify", r#"{"snapshot": "nowhere"}"#, 2),
    ("generation.adopt", r#"{"env": "nowhere"}"#, 2),
    ("generation.solve", r#"{"name": "nowhere"}"#, 2),
    ("generation.build", r#"{"name": "nowhere"}"#, 2),
    ("generation.prove", r#"{"name": "nowhere"}"#, 2),
    ("generation.publish", r#"{"name": "nowhere"}"#, 2),
    ("generation.rollback", r#"{"name": "nowhere"}"#, 2),
    ("generation.rollback", "{}", 3),
    ("generation.remove", r#"{"name": "nowhere", "number": 1}"#, 2),
    ("generation.pin", r#"{"name": "nowhere"}"#, 2),
    ("generation.unpin", r#"{"name": "nowhere"}"#, 2),
    ("generation.claim", r#"{"name": "nowhere"}"#, 2),
    ("generation.prune", r#"{"name": "nowhere"}"#, 2),
    ("fs.write", r#"{"path": "/proc/x", "content": "x"}"#, 2),
    ("fs.remove", r#"{"path": "nowhere"}"#, 2),
    ("fs.move", r#"{"from": "nowhere", "to": "y"}"#, 2),
    ("fs.copy", r#"{"from": "nowhere", "to": "y"}"#, 2),
    ("fs.mkdir", r#"{"path": "/proc/x"}"#, 2),
    ("fs.temp_dir", r#"{"within": "/nowhere"}"#, 2),
    ("process.run", r#"{"argv": ["false"]}"#, 2),
    ("process.run", r#"{"argv": ["false"], "check": false}"#, 1),
    ("process.run", r#"{"argv": ["no-such-program"]}"#, 2),
    ("check.builtin", r#"{"only": ["nonsense"]}"#, 3),
    ("check.record", r#"{"findings": [{}]}"#, 3),
    ("notify.send", r#"{"channel": "nowhere", "title": "x"}"#, 3),
    ("notify.webhook", r#"{"url": "nonsense", "title": "x"}"#, 3),
    ("notify.mail", r#"{"to": ["nobody"], "title": "x"}"#, 3),
    ("notify.exec", r#"{"argv": ["false"], "title": "x"}"#, 1),
    ("notify.exec", r#"{"argv": ["no-such-program"], "title": "x"}"#, 1),
];

/// Spack fails, or says that all is well and does nothing, or its database cannot be read.
const FAULTS: &[(&str, &str, [i32; 3])] = &[
    ("spack.install", r#"{"spec": "openblas"}"#, [2, 2, 2]),
    ("spack.mark", r#"{"query": "zlib", "as": "implicit"}"#, [2, 2, 3]),
    ("spack.gc", "{}", [2, 2, 3]),
    ("env.create", r#"{"name": "new", "specs": ["zlib"]}"#, [2, 2, 2]),
    ("env.upgrade", r#"{"name": "next", "specs": ["zlib"], "dependents": true}"#, [2, 2, 2]),
    ("env.install", r#"{"name": "next"}"#, [2, 2, 3]),
    ("generation.adopt", r#"{"env": "science"}"#, [2, 2, 3]),
];

const VERBS: &[&str] =
    &["install", "uninstall", "concretize", "env", "mark", "gc", "spec", "solve", "view", "module"];

/// What is done to the site before, and its variables.
fn broken(bed: &Bed, fault: usize) -> Vec<(&'static str, String)> {
    let of_verbs = |text: &str| {
        let each: Vec<String> = VERBS.iter().map(|verb| format!("[verb.{verb}]\n{text}\n")).collect();
        each.concat()
    };
    match fault {
        0 => vec![("MOONSTACK_PRACTICE_FAULTS", of_verbs("code = 7"))],
        1 => vec![("MOONSTACK_PRACTICE_FAULTS", of_verbs("garbage = true"))],
        _ => {
            std::fs::write(bed.root.join("site/store/.spack-db/index.json"), "{").unwrap();
            Vec::new()
        }
    }
}

#[test]
fn no_verb_that_fails_ends_with_0() {
    let bed = Bed::practice();
    let mut wrong = Vec::new();
    let mut check = |what: &str, path: &str, arguments: &str, code: i32, env: Vec<(&str, String)>| {
        let output = bed.command(&["--json", "call", path, arguments]).envs(env).output().unwrap();
        if output.status.code() != Some(code) {
            wrong.push(format!("{what} {path} {arguments}: {}, not {code}: {output:?}", output.status));
        }
    };
    for (path, arguments, code) in WAYS {
        check("", path, arguments, *code, Vec::new());
    }
    for (path, arguments, codes) in FAULTS {
        for (fault, code) in codes.iter().enumerate() {
            bed.renew();
            check(&format!("fault {fault}:"), path, arguments, *code, broken(&bed, fault));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let tried: BTreeSet<&str> = WAYS.iter().map(|(path, ..)| *path).collect();
    let registry = moonstack::api::registry();
    let all = registry.iter().filter(|primitive| primitive.effect == Effect::Changes);
    let untried: Vec<&str> =
        all.map(|primitive| primitive.path).filter(|path| !tried.contains(path)).collect();
    assert_eq!(untried, [""; 0], "there is no way to fail for these");
}

#[test]
fn what_judges_says_so_by_its_code() {
    let bed = Bed::practice();
    let code = |args: &[&str]| bed.run(args).status.code();
    let found = bed.json(&["find", "fftw"]);
    let prefix = found[0]["prefix"].as_str().unwrap().to_owned();
    bed.ok(&["snapshot", "create", "science"]);
    bed.ok(&["generation", "adopt", "science"]);
    for verb in [&["call", "spack.verify", r#"{"query": "fftw"}"#][..], &["generation", "prove", "science"]] {
        assert_eq!(code(verb), Some(0), "{verb:?}");
    }
    let file = std::path::Path::new(&prefix).join(first_file(&prefix));
    std::fs::write(&file, "something else").unwrap();
    for verb in [
        &["call", "spack.verify", r#"{"query": "fftw"}"#][..],
        &["--json", "generation", "prove", "science", "--deep"],
    ] {
        assert_eq!(code(verb), Some(1), "{verb:?}");
    }
    let verdict = bed.run(&["--json", "call", "spack.verify", r#"{"query": "fftw"}"#]);
    let verdict: Value = serde_json::from_slice(&verdict.stdout).unwrap();
    assert_eq!((&verdict[0]["ok"], &verdict[0]["verdict"]), (&false.into(), &"changed".into()), "{verdict}");
    std::fs::write(std::path::Path::new(&prefix).join(".spack/install_manifest.json"), "{").unwrap();
    assert_eq!(code(&["call", "spack.verify", r#"{"query": "fftw"}"#]), Some(3), "it could not tell");
}

/// A file that Spack has noted.
fn first_file(prefix: &str) -> String {
    let text = std::fs::read_to_string(format!("{prefix}/.spack/install_manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&text).unwrap();
    let files = manifest.as_object().unwrap().keys().filter(|path| std::path::Path::new(path).is_file());
    files.min().unwrap().strip_prefix(&format!("{prefix}/")).unwrap().to_owned()
}
