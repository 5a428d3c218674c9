//! The practice site's Spack, run in this process: what it prints, and above all what it leaves on disk.

#![allow(clippy::unwrap_used)]

mod folders;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use moonstack::practice::{self, FAULTS_VARIABLE, PracticeSite, Streams};
use serde_json::Value;

struct Site {
    _dir: tempfile::TempDir,
    made: PracticeSite,
    variables: BTreeMap<String, String>,
}

struct Said {
    code: u8,
    out: String,
    err: String,
}

impl Site {
    fn new() -> Site {
        let dir = tempfile::tempdir().unwrap();
        let executable = Path::new(env!("CARGO_BIN_EXE_moonstack"));
        let site = practice::create(&dir.path().join("site"), executable).unwrap();
        let variables = site.env.clone();
        Site { _dir: dir, made: site, variables }
    }

    fn spack(&self, line: &str) -> Said {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut streams = Streams { input: &mut std::io::empty(), out: &mut out, err: &mut err };
        let code = practice::run(&words, &self.made.spack_root, &self.variables, &mut streams);
        Said {
            code,
            out: String::from_utf8_lossy(&out).into_owned(),
            err: String::from_utf8_lossy(&err).into_owned(),
        }
    }

    fn fine(&self, line: &str) -> String {
        let said = self.spack(line);
        assert_eq!(said.code, 0, "spack {line}\n{}{}", said.out, said.err);
        said.out
    }

    fn database(&self) -> Value {
        let text = std::fs::read(self.made.root.join("store/.spack-db/index.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Name to prefix of what the database calls installed; externals apart.
    fn installed(&self) -> BTreeMap<String, PathBuf> {
        let database = self.database();
        let installs = database["database"]["installs"].as_object().unwrap();
        let rows =
            installs.values().filter(|r| r["installed"] == true && r["spec"].get("external").is_none());
        rows.map(|r| {
            let name =
                format!("{}@{}", r["spec"]["name"].as_str().unwrap(), r["spec"]["version"].as_str().unwrap());
            (name, PathBuf::from(r["path"].as_str().unwrap()))
        })
        .collect()
    }
}

#[test]
fn a_new_site_holds_what_it_says() {
    let site = Site::new();
    let installed = site.installed();
    assert!(installed.contains_key("hdf5@1.14.5"), "{installed:?}");
    for (name, prefix) in &installed {
        assert!(prefix.join(".spack/install_manifest.json").is_file(), "{name}");
    }
    assert!(installed["hdf5@1.14.5"].join("bin/h5dump").is_file());
    let view = site.made.root.join("environments/science/.spack-env/view/bin/h5dump");
    assert_eq!(
        std::fs::canonicalize(view).unwrap(),
        std::fs::canonicalize(installed["hdf5@1.14.5"].join("bin/h5dump")).unwrap()
    );
    assert!(!installed.contains_key("gromacs@2025.1"), "the environment 'next' still lacks a root");
    assert_eq!(site.fine("env list"), "    next\n    science\n");
    assert_eq!(site.fine("verify manifest hdf5 netcdf-c python"), "");
}

#[test]
fn installing_takes_from_the_mirror_and_builds_the_rest() {
    let site = Site::new();
    let out = site.fine("install osu-micro-benchmarks");
    assert!(out.contains("==> Extracting osu-micro-benchmarks-7.5-"), "{out}");
    assert!(site.installed()["osu-micro-benchmarks@7.5"].join(".spack/binary_distribution").is_file());
    let out = site.fine("-e next install --only-concrete");
    assert!(out.contains("==> gromacs: Executing phase: 'cmake'"), "{out}");
    assert!(site.installed()["gromacs@2025.1"].join("bin/gmx").is_file());
    assert!(site.made.root.join("environments/next/.spack-env/view/bin/gmx").exists());
}

#[test]
fn a_damaged_blob_means_a_build_from_source() {
    let site = Site::new();
    for entry in walk(&site.made.root.join("mirror/blobs")) {
        let bytes = std::fs::read(&entry).unwrap();
        // The index stays, the tarballs are cut.
        if bytes.starts_with(&[0x1f, 0x8b]) {
            std::fs::write(&entry, &bytes[..bytes.len() / 2]).unwrap();
        }
    }
    let out = site.fine("install osu-micro-benchmarks");
    assert!(out.contains("==> No binary for osu-micro-benchmarks-7.5-"), "{out}");
}

fn walk(root: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
    entries.filter(|e| e.file_type().is_file()).map(|e| e.path().to_owned()).collect()
}

#[test]
fn a_failing_build_leaves_a_log_and_no_record() {
    let site = Site::new();
    let said = site.spack("install practice-broken");
    assert_eq!(said.code, 1);
    let log = said.err.lines().skip_while(|l| *l != "See build log for details:").nth(1).unwrap().trim();
    assert!(std::fs::read_to_string(log).unwrap().contains("error: 'ENGINE_MAX' undeclared"));
    assert!(
        !said.err.contains("Installation request failed"),
        "one spec alone gets no summary: {}",
        said.err
    );
    assert!(!site.installed().contains_key("practice-broken@2.0"));
    let said = site.spack("install practice-needs-broken practice-flaky zlib");
    assert_eq!(said.code, 1);
    assert!(said.err.contains("==> Warning: Skipping build of practice-needs-broken-1.0-"), "{}", said.err);
    assert!(said.err.contains("==> Error: FetchError: All fetchers failed"), "{}", said.err);
    assert!(said.err.ends_with(
        "==> Error: Installation request failed.  Refer to reported errors for failing package(s).\n"
    ));
    assert!(site.installed().contains_key("zlib@1.3.1"), "what can be built is built");
}

#[test]
fn uninstalling_is_refused_while_something_needs_it() {
    let site = Site::new();
    let said = site.spack("uninstall -y hwloc");
    assert_eq!(said.code, 1);
    assert!(said.out.contains("openmpi@5.0.6") && said.out.contains("    science\n"), "{}", said.out);
    let prefix = site.installed()["zlib@1.2.13"].clone();
    site.fine("uninstall -y zlib@1.2.13");
    assert!(!prefix.exists());
    let said = site.spack("uninstall practice-broken");
    assert_eq!((said.code, said.err.as_str()), (3, "==> Error: EOF when reading a line\n"));
    assert!(site.installed().contains_key("practice-broken@1.0"));
}

#[test]
fn garbage_collection_keeps_what_is_needed() {
    let site = Site::new();
    site.fine("mark -i practice-broken");
    site.fine("gc -y -b");
    let installed = site.installed();
    assert!(!installed.contains_key("practice-broken@1.0"));
    assert!(installed.contains_key("gmake@4.4.1"), "a build dependency, kept by -b");
    site.fine("gc -y");
    assert!(!site.installed().contains_key("gmake@4.4.1"));
    assert!(site.installed().contains_key("python@3.13.2"), "explicit");
    site.fine("gc -y -E");
    let installed = site.installed();
    assert!(!installed.contains_key("python@3.13.2") && installed.contains_key("hdf5@1.14.5"));
}

#[test]
fn environments_live_and_die() {
    let site = Site::new();
    site.fine("env create e1");
    assert_eq!(site.fine("-e e1 install"), "==> e1 environment has no specs to install\n");
    assert_eq!(site.fine("-e e1 add zlib@1.3"), "==> Adding zlib@1.3 to environment e1\n");
    assert_eq!(site.spack("-e e1 add nosuch").err, "==> Error: no such package: nosuch\n");
    let lock = site.made.root.join("environments/e1/spack.lock");
    assert!(!lock.exists());
    assert!(site.fine("-e e1 concretize").starts_with("==> Concretized 1 spec:\n"));
    let first: Value = serde_json::from_slice(&std::fs::read(&lock).unwrap()).unwrap();
    assert_eq!(first["_meta"]["lockfile-version"], 6);
    assert_eq!(site.fine("-e e1 concretize"), "==> No new specs to concretize.\n");
    site.fine("-e e1 install");
    let said = site.spack("-e e1 install cmake");
    assert!(
        said.code == 1 && said.err.contains("no matching specs are in the current environment"),
        "{}",
        said.err
    );
    site.fine("-e e1 remove zlib@1.3");
    assert!(lock.exists(), "the lock keeps the root until the next concretization");
    assert_eq!(site.spack("env remove e1").code, 3);
    site.fine("env remove -y e1");
    assert!(!lock.exists());
}

#[test]
fn requests_that_cannot_be_are_refused_as_spack_does() {
    let site = Site::new();
    let cases = [
        ("spec nosuch", 1, "==> Error: cannot concretize 'nosuch', since 'nosuch' does not exist"),
        ("spec hdf5@99", 1, "==> Error: No version exists that satisfies these input specs:"),
        ("spec hdf5+nope", 1, "==> Error: No such variant {'nope'} for spec:"),
        ("spec netcdf-c ^hdf5~hl", 1, "==> Error: failed to concretize `"),
        ("spec hdf5 %gcc@99", 1, "==> Error: failed to concretize `"),
        ("spec hdf5 ^fftw", 1, "==> Error: failed to concretize `"),
        ("find nosuch", 1, "==> Error: No package matches the query: nosuch"),
        ("find a@@@", 3, "==> Error: unexpected characters in the spec string"),
        ("find --nosuchopt", 1, "==> Error: unrecognized arguments: --nosuchopt"),
        ("-e nosuch find", 1, "==> Error: no environment in nosuch"),
        ("instal zlib", 1, "==> Error: instal is not a recognized Spack command"),
        ("install /aaaaaaa", 1, "==> Error: No spec with hash aaaaaaa could be found"),
        ("uninstall -y nosuch", 1, "==> Error: nosuch does not match any installed packages."),
    ];
    for (line, code, start) in cases {
        let said = site.spack(line);
        assert_eq!(said.code, code, "{line}: {}", said.err);
        assert!(said.err.starts_with(start), "{line}: {}", said.err);
        assert_eq!(said.out, "", "{line}");
    }
}

#[test]
fn the_solver_follows_requests() {
    let site = Site::new();
    let nodes = |line: &str| -> BTreeMap<String, String> {
        let spec: Value = serde_json::from_str(&site.fine(line)).unwrap();
        let list = spec["spec"]["nodes"].as_array().unwrap().clone();
        list.iter()
            .map(|n| (n["name"].as_str().unwrap().to_owned(), n["version"].as_str().unwrap().to_owned()))
            .collect()
    };
    let mpich = nodes("spec --json hdf5@1.12 ^mpich %gcc@11");
    assert_eq!(mpich["hdf5"], "1.12.3");
    assert!(mpich.contains_key("mpich") && !mpich.contains_key("openmpi"), "{mpich:?}");
    let old = nodes("spec --json py-numpy@1");
    assert_eq!(old["python"], "3.12.9", "the dependency's upper limit holds");
    let serial = nodes("spec --json netcdf-c~mpi");
    assert!(!serial.contains_key("openmpi"), "{serial:?}");
}

#[test]
fn faults_strike_where_they_were_asked_for() {
    let mut site = Site::new();
    std::fs::write(
        site.made.root.join("faults.toml"),
        "[package.zlib]\nfail = \"fetch\"\n[verb.find]\ngarbage = true\n",
    )
    .unwrap();
    assert_eq!(site.spack("install zlib@1.3").code, 1);
    assert!(serde_json::from_str::<Value>(&site.fine("find --json")).is_err());
    site.variables.insert(
        FAULTS_VARIABLE.to_owned(),
        "[verb.find]\nflood = 1000\ncode = 3\nmessage = \"no\"".to_owned(),
    );
    let said = site.spack("find");
    assert_eq!((said.code, said.out.lines().count(), said.err.as_str()), (3, 1000, "==> Error: no\n"));
    site.fine("install zlib@1.3");
}

#[test]
fn verification_sees_what_changed() {
    let site = Site::new();
    let prefix = site.installed()["hdf5@1.14.5"].clone();
    std::fs::write(prefix.join("bin/h5dump"), "changed").unwrap();
    std::fs::remove_file(prefix.join("share/hdf5/README")).unwrap();
    let said = site.spack("verify manifest -j hdf5");
    assert_eq!(said.code, 1);
    let found: Value = serde_json::from_str(&said.out).unwrap();
    let key = |p: &str| prefix.join(p).to_string_lossy().into_owned();
    assert_eq!(found[key("share/hdf5/README")], serde_json::json!(["deleted"]));
    assert!(found[key("bin/h5dump")].as_array().unwrap().contains(&"hash".into()));
}
