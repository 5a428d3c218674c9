use std::path::Path;

use serde_json::{Map, Value, json};

use super::rows::{Change, DependencyChange, LockDiff, PackageDiff};
use super::{of_new, of_part, of_texts};
use crate::spack::lock::lockfile::LockfileText;

/// A lock of small nodes; each is its hash, its name and version, and what else it has.
struct Lock {
    version: u64,
    roots: Vec<Value>,
    specs: Map<String, Value>,
}

impl Lock {
    fn new(version: u64) -> Lock {
        Lock { version, roots: Vec::new(), specs: Map::new() }
    }

    fn root(mut self, spec: &str, hash: &str) -> Lock {
        self.roots.push(json!({ "hash": hash, "spec": spec }));
        self
    }

    fn node(mut self, hash: &str, spec: &str, more: Value) -> Lock {
        let (name, version) = spec.split_once('@').unwrap();
        let mut node = json!({
            "name": name, "version": version, "namespace": "builtin", "hash": hash, "parameters": {},
            "arch": { "platform": "linux", "platform_os": "debian12", "target": "zen3" },
        });
        if self.version < 6 {
            node["compiler"] = json!({ "name": "gcc", "version": "12.2.0" });
        } else {
            node["annotations"] = json!({ "original_specfile_version": 5 });
        }
        for (key, value) in more.as_object().unwrap() {
            node[key] = value.clone();
        }
        self.specs.insert(hash.to_owned(), node);
        self
    }

    fn text(self) -> LockfileText {
        let whole = json!({
            "_meta": { "file-type": "spack-lockfile", "lockfile-version": self.version, "specfile-version": 5 },
            "roots": self.roots, "concrete_specs": self.specs,
        });
        LockfileText::from_bytes(Path::new("spack.lock"), whole.to_string().into_bytes()).unwrap()
    }
}

fn edge(name: &str, hash: &str, types: &[&str], virtuals: &[&str]) -> Value {
    json!({ "name": name, "hash": hash, "parameters": { "deptypes": types, "virtuals": virtuals } })
}

fn on(edges: &[Value]) -> Value {
    json!({ "dependencies": edges })
}

fn diff(before: Lock, after: Lock) -> LockDiff {
    of_texts(&before.text(), &after.text()).unwrap()
}

/// Of locks of one node each, which differ by what is given.
fn one(before: Value, after: Value) -> PackageDiff {
    let lock = |hash: &str, more: Value| Lock::new(6).root("app", hash).node(hash, "app@1.0", more);
    let mut diff = diff(lock("a", before), lock("b", after));
    assert_eq!((diff.packages.len(), diff.roots.changed.len()), (1, 1));
    diff.packages.remove(0)
}

#[test]
fn each_aspect_is_told_in_words() {
    let parameters = |value: Value| json!({ "parameters": value });
    let arch = |target: &str| json!({ "arch": { "platform": "linux", "platform_os": "debian12", "target": target } });
    let cases = [
        (json!({}), json!({}), "only the hash"),
        (json!({}), json!({ "version": "1.1" }), "1.0 -> 1.1"),
        (parameters(json!({ "mpi": false })), parameters(json!({ "mpi": true })), "+mpi"),
        (parameters(json!({ "mpi": true })), parameters(json!({ "mpi": false })), "~mpi"),
        (json!({}), parameters(json!({ "mpi": true })), "+mpi (new)"),
        (parameters(json!({ "mpi": true })), json!({}), "mpi (gone)"),
        (parameters(json!({ "api": "v1" })), parameters(json!({ "api": "v2" })), "api=v1 -> v2"),
        (parameters(json!({ "l": ["a"] })), parameters(json!({ "l": ["b", "a"] })), "l=a -> b,a"),
        (parameters(json!({ "l": ["a", "b"] })), parameters(json!({ "l": ["b", "a"] })), "only the hash"),
        (parameters(json!({ "l": "a" })), parameters(json!({ "l": ["a"] })), "only the hash"),
        (
            parameters(json!({ "cflags": [] })),
            parameters(json!({ "cflags": ["-O3", "-g"] })),
            "cflags=\"\" -> \"-O3 -g\"",
        ),
        (json!({}), parameters(json!({ "cflags": [] })), "only the hash"),
        (arch("zen3"), arch("zen4"), "target zen3 -> zen4"),
        (json!({}), json!({ "namespace": "site" }), "namespace builtin -> site"),
        (json!({}), parameters(json!({ "patches": ["0123456789"] })), "+patch 0123456"),
        (json!({ "package_hash": "x" }), json!({ "package_hash": "y" }), "other recipe"),
        (json!({}), json!({ "package_hash": "y" }), "only the hash"),
        (json!({}), json!({ "external": { "path": "/usr", "module": null } }), "external now: /usr"),
        (
            json!({ "external": { "path": "/usr" } }),
            json!({ "external": { "path": "/opt" } }),
            "/usr -> /opt",
        ),
        (
            json!({}),
            json!({ "build_spec": { "name": "app", "hash": "0123456789" } }),
            "spliced from /0123456",
        ),
    ];
    for (before, after, expected) in cases {
        let row = one(before.clone(), after.clone());
        assert_eq!(row.words, expected, "{before} {after}");
        assert_eq!(row.only_hash, expected == "only the hash", "{before} {after}");
        assert_eq!(one(after, before).only_hash, row.only_hash);
    }
}

/// An application on what is given; the hashes of nodes begin with their names.
fn stack(hash: &str, edges: &[Value], nodes: &[(&str, &str)]) -> Lock {
    let lock = Lock::new(6).root("app", hash).node(hash, "app@1.0", on(edges));
    nodes.iter().fold(lock, |lock, (hash, spec)| lock.node(hash, spec, json!({})))
}

fn app(diff: &LockDiff) -> &PackageDiff {
    diff.packages.iter().find(|row| row.name == "app").unwrap()
}

#[test]
fn dependencies_come_go_change_and_are_replaced() {
    let link: &[&str] = &["build", "link"];
    let mpi = |name: &str, hash: &str| edge(name, hash, link, &["mpi"]);
    let zlib = |hash: &str, types: &[&str]| edge("zlib", hash, types, &[]);
    let cases: [(&[Value], &[Value], &str); 7] = [
        (&[zlib("z1", link)], &[zlib("z2", link)], "^zlib 1.2 -> 1.3"),
        (&[zlib("z1", link)], &[zlib("z1b", link)], "only the hash"),
        (&[], &[zlib("z2", link)], "+^zlib 1.3"),
        (&[zlib("z1", link)], &[], "-^zlib 1.2"),
        (&[zlib("z1", &["build"])], &[zlib("z1", link)], "^zlib build -> build,link"),
        (&[mpi("openmpi", "o")], &[mpi("mpich", "m")], "^openmpi 4.1 -> ^mpich 4.2 (mpi)"),
        (&[edge("openmpi", "o", link, &[])], &[mpi("mpich", "m")], "+^mpich 4.2, -^openmpi 4.1"),
    ];
    let nodes = [
        ("z1", "zlib@1.2"),
        ("z1b", "zlib@1.2"),
        ("z2", "zlib@1.3"),
        ("o", "openmpi@4.1"),
        ("m", "mpich@4.2"),
    ];
    for (before, after, expected) in cases {
        let found = diff(stack("a1", before, &nodes), stack("a2", after, &nodes));
        assert_eq!(app(&found).words, expected);
        assert_eq!(found.summary.same, nodes.len(), "equal hashes are no difference");
    }
    let found = diff(stack("a1", &[mpi("openmpi", "o")], &nodes), stack("a2", &[mpi("mpich", "m")], &nodes));
    let [dependency] = app(&found).dependencies.as_slice() else { panic!("{found:#?}") };
    assert_eq!((dependency.name.as_str(), dependency.change), ("mpi", DependencyChange::Replaced));
}

#[test]
fn compilers_are_no_dependencies_and_compare_across_formats() {
    let compiled = |hash: &str, gcc: &str, languages: &[&str]| {
        let edges = [edge("gcc", gcc, &["build"], languages)];
        stack(hash, &edges, &[("g12", "gcc@12.2.0"), ("g13", "gcc@13.1.0"), ("c17", "clang@17")])
    };
    let old = |hash: &str, version: &str| {
        let more = json!({ "compiler": { "name": "gcc", "version": version } });
        Lock::new(5).root("app", hash).node(hash, "app@1.0", more)
    };
    let bare = || Lock::new(6).root("app", "n").node("n", "app@1.0", json!({}));
    let cases = [
        (compiled("a", "g12", &["c", "cxx"]), compiled("b", "g13", &["c", "cxx"]), "%gcc 12.2.0 -> 13.1.0"),
        (compiled("a", "g12", &["c"]), compiled("b", "g12", &["c", "cxx"]), "%none -> gcc@12.2.0"),
        (old("a", "12.2.0"), old("b", "13.1.0"), "%gcc 12.2.0 -> 13.1.0"),
        (old("a", "12.2.0"), compiled("b", "g12", &["c"]), "only the hash"),
        (old("a", "12.2.0"), compiled("b", "g13", &["c"]), "%gcc 12.2.0 -> 13.1.0"),
        (compiled("a", "g13", &["c"]), old("b", "12.2.0"), "%gcc 13.1.0 -> 12.2.0"),
        // It compiles nothing; that an older Spack names a compiler says nothing.
        (old("a", "12.2.0"), bare(), "only the hash"),
    ];
    for (before, after, expected) in cases {
        let found = diff(before, after);
        assert_eq!(app(&found).words, expected);
        assert!(app(&found).dependencies.is_empty());
    }
}

#[test]
fn roots_are_what_was_asked_for() {
    let nodes = |lock: Lock| {
        lock.node("a", "zlib@1.2", json!({})).node("b", "zlib@1.3", json!({})).node("c", "app@1.0", json!({}))
    };
    let before = nodes(Lock::new(6).root("zlib", "a").root("app", "c").root("gone", "c"));
    let after = nodes(Lock::new(6).root("zlib", "b").root("app", "c").root("app@1:", "c"));
    let found = diff(before, after);
    let specs = |roots: &[super::rows::RootDiff]| roots.iter().map(|r| r.spec.clone()).collect::<Vec<_>>();
    assert_eq!(specs(&found.roots.added), ["app@1:"]);
    assert_eq!(specs(&found.roots.removed), ["gone"]);
    assert_eq!(specs(&found.roots.changed), ["zlib"]);
    assert_eq!(found.roots.changed[0].to.as_deref(), Some("zlib@1.3 arch=linux-debian12-zen3 /b"));
    assert!(found.packages.is_empty() && !found.is_empty());
}

#[test]
fn of_several_the_alike_are_matched() {
    let mpi = |hash: &str, name: &str| on(&[edge(name, hash, &["link"], &["mpi"])]);
    let lock = |suffix: &str, versions: [&str; 3], zlib: &str| {
        let hash = |name: &str| format!("{name}{suffix}");
        let [first, second, third] = versions;
        Lock::new(6)
            .root("app ^openmpi", &hash("q"))
            .root("app ^mpich", &hash("p"))
            .root("app@2", &hash("r"))
            .node(&hash("q"), &format!("app@{first}"), mpi(&hash("o"), "openmpi"))
            .node(&hash("p"), &format!("app@{second}"), mpi(&hash("m"), "mpich"))
            .node(&hash("r"), &format!("app@{third}"), mpi(&hash("m"), "mpich"))
            .node(&hash("o"), "openmpi@4.1", on(&[edge("zlib", &hash("z"), &["link"], &[])]))
            .node(&hash("m"), "mpich@4.2", on(&[edge("zlib", &hash("z"), &["link"], &[])]))
            .node(&hash("z"), &format!("zlib@{zlib}"), json!({}))
    };
    let words = |found: &LockDiff| {
        found.packages.iter().map(|row| format!("{} {}", row.roots.join(", "), row.words)).collect::<Vec<_>>()
    };
    let found = diff(lock("1", ["1.0", "1.0", "2.0"], "1.2"), lock("2", ["1.0", "1.0", "2.1"], "1.3"));
    let mut told = words(&found);
    told.sort();
    assert_eq!(
        told,
        [
            " 1.2 -> 1.3",
            " ^zlib 1.2 -> 1.3",
            " ^zlib 1.2 -> 1.3",
            "app ^mpich only the hash",
            "app ^openmpi only the hash",
            "app@2 2.0 -> 2.1",
        ]
    );
    // One more on one side: the one that is like no other is new.
    let more = lock("2", ["1.0", "1.0", "2.0"], "1.3").node("x", "app@0.1", json!({}));
    let found = diff(lock("1", ["1.0", "1.0", "2.0"], "1.2"), more);
    let added: Vec<_> = found.packages.iter().filter(|row| row.change == Change::Added).collect();
    assert_eq!(added.iter().map(|row| row.words.as_str()).collect::<Vec<_>>(), ["0.1 /x"]);
}

#[test]
fn very_many_of_one_package_are_matched_in_short_time() {
    let lock = |suffix: &str| {
        (0..3000).fold(Lock::new(6), |lock, n| {
            lock.node(
                &format!("{n}{suffix}"),
                &format!("app@{}", n % 1500),
                json!({ "parameters": { "n": n % 7 == 0 } }),
            )
        })
    };
    let begin = std::time::Instant::now();
    let found = diff(lock("a"), lock("b"));
    assert_eq!((found.summary.changed, found.summary.only_hash), (3000, 3000));
    assert!(begin.elapsed().as_secs() < 20);
}

#[test]
fn what_only_builds_is_told_from_what_runs() {
    let lock = |suffix: &str| {
        let hash = |name: &str| format!("{name}{suffix}");
        let app = [edge("lib", &hash("l"), &["link"], &[]), edge("cmake", &hash("c"), &["build"], &[])];
        stack(&hash("a"), &app, &[])
            .node(&hash("l"), "lib@1", on(&[edge("zlib", &hash("z"), &["run"], &[])]))
            .node(
                &hash("c"),
                "cmake@3",
                on(&[edge("zlib", &hash("z"), &["link"], &[]), edge("curl", &hash("u"), &["link"], &[])]),
            )
            .node(&hash("z"), "zlib@1", json!({}))
            .node(&hash("u"), "curl@8", json!({}))
    };
    let found = diff(lock("1"), lock("2"));
    let build: Vec<&str> = found.packages.iter().filter(|row| row.build_only).map(|row| &*row.name).collect();
    assert_eq!(build, ["cmake", "curl"]);
    assert_eq!(found.summary.build_only, 2);
    // Of a part, too, although what stands above what is missing is there.
    let text = lock("1").text();
    let part = of_part(&text.parse().unwrap(), |hash| hash != "u1" && hash != "z1").unwrap();
    let gone: Vec<_> = part.packages.iter().map(|row| (&*row.name, row.change, row.build_only)).collect();
    assert_eq!(gone, [("curl", Change::Removed, true), ("zlib", Change::Removed, false)]);
    let new = of_new(&text.parse().unwrap()).unwrap();
    assert_eq!((new.summary.added, new.summary.same, new.roots.added.len()), (5, 0, 1));
}

#[test]
fn nodes_of_equal_hash_are_not_read() {
    let broken = |hash: &str, app: &str| {
        Lock::new(6).root("app", app).node(app, "app@1", json!({})).node(hash, "zlib@1", json!({ "name": 3 }))
    };
    assert_eq!(diff(broken("z", "a"), broken("z", "b")).packages.len(), 1);
    assert!(of_texts(&broken("z", "a").text(), &broken("y", "a").text()).is_err());
}
