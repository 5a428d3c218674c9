//! Environments in folders of their own: views, names, module files, mirrors and upgrades that go wrong.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{FAULTS_VARIABLE, Site, walk};

impl Site {
    /// A folder environment with this manifest, concretized.
    fn folder(&self, name: &str, manifest: &str) -> PathBuf {
        let folder = self.made.root.join("folders").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("spack.yaml"), format!("spack:\n{manifest}")).unwrap();
        self.fine(&format!("-D {} concretize", folder.display()));
        folder
    }
}

/// Exit code and everything that a program prints.
fn run(program: &Path) -> (Option<i32>, String) {
    let output = Command::new(program).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn a_view_stands_where_the_manifest_says() {
    let site = Site::new();
    let elsewhere = site.made.root.join("elsewhere/view");
    let cases = [
        ("yes", "view: true".to_owned(), Some(".spack-env/view"), true),
        ("none", String::new(), Some(".spack-env/view"), true),
        ("no", "view: false".to_owned(), None, true),
        ("path", "view: trees/all".to_owned(), Some("trees/all"), true),
        ("far", format!("view: {}", elsewhere.display()), Some("../../elsewhere/view"), true),
        ("map", "view: {default: {root: v, link: roots}}".to_owned(), Some("v"), false),
        ("select", "view: {default: {root: v, select: ['^mpi']}}".to_owned(), Some("v"), false),
        ("exclude", "view: {default: {root: v, exclude: [zlib-ng]}}".to_owned(), Some("v"), false),
    ];
    for (name, view, root, with_zlib) in cases {
        let folder = site.folder(name, &format!("  specs: [hdf5+hl]\n  {view}\n"));
        let out = site.fine(&format!("-D {} install", folder.display()));
        let Some(root) = root else {
            assert!(!out.contains("Updating view"), "{name}: {out}");
            assert!(!folder.join(".spack-env/view").exists(), "{name}");
            continue;
        };
        let link = folder.join(root);
        let target = std::fs::read_link(&link).unwrap();
        let beside = format!("._{}", link.file_name().unwrap().to_string_lossy());
        assert_eq!(target.parent().unwrap().file_name().unwrap().to_string_lossy(), beside, "{name}");
        assert!(
            target.is_absolute() && target.file_name().unwrap().len() == 32,
            "{name}: {}",
            target.display()
        );
        let (code, said) = run(&link.join("bin/h5dump"));
        assert_eq!((code, said.as_str()), (Some(0), "h5dump (hdf5) 1.14.5\n"), "{name}");
        assert!(link.join(".spack/hdf5/spec.json").exists(), "{name}");
        assert_eq!(link.join("bin/minigzip").exists(), with_zlib, "{name}");
    }
}

#[test]
fn a_damaged_view_is_made_again_as_spack_would() {
    let site = Site::new();
    let folder = site.folder("e", "  specs: [hdf5]\n  view: v\n");
    let regenerate = format!("-D {} env view regenerate", folder.display());
    site.fine(&format!("-D {} install", folder.display()));
    let target = std::fs::read_link(folder.join("v")).unwrap();
    assert_eq!(site.fine(&regenerate), "", "it is current");
    std::fs::remove_file(target.join("bin/h5dump")).unwrap();
    assert_eq!(site.fine(&regenerate), "", "Spack looks at the link alone");
    std::fs::remove_file(folder.join("v")).unwrap();
    let said = site.spack(&regenerate);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("already exists or is not empty"), "{}", said.err);
    std::fs::remove_dir_all(&target).unwrap();
    assert!(site.fine(&regenerate).starts_with("==> Updating view at "));
    assert!(target.join("bin/h5dump").exists());
    std::fs::remove_file(folder.join("v")).unwrap();
    std::fs::create_dir(folder.join("v")).unwrap();
    std::fs::write(folder.join("v/mine"), "").unwrap();
    std::fs::remove_dir_all(&target).unwrap();
    let said = site.spack(&regenerate);
    assert!(said.code == 1 && said.err.contains("non-empty directory"), "{}", said.err);
    assert!(folder.join("v/mine").exists());
}

#[test]
fn a_change_moves_the_view_and_removes_the_old_tree() {
    let site = Site::new();
    let folder = site.folder("e", "  specs: [zlib@1.3]\n  view: v\n");
    let place = folder.display();
    site.fine(&format!("-D {place} install"));
    let before = std::fs::read_link(folder.join("v")).unwrap();
    site.fine(&format!("-D {place} add cmake@3.30"));
    site.fine(&format!("-D {place} install"));
    let after = std::fs::read_link(folder.join("v")).unwrap();
    assert!(before != after && !before.exists() && after.join("bin/cmake").exists());
    site.fine(&format!("-D {place} uninstall -y cmake"));
    assert!(!folder.join("v/bin/cmake").exists() && folder.join("v/bin/minigzip").exists());
}

#[test]
fn a_tracked_environment_is_one_by_name() {
    let site = Site::new();
    let folder = site.folder("sci", "  specs: [practice-upgrade@1.0]\n  view: false\n");
    let place = folder.display().to_string();
    site.fine(&format!("-D {place} install"));
    assert!(site.fine(&format!("-D {place} find")).starts_with(&format!("==> In environment {place}\n")));
    let prefix = site.installed()["practice-upgrade@1.0"].clone();
    site.fine(&format!("env track -y -n nightly {place}"));
    assert_eq!(site.spack(&format!("env track -n nightly {place}")).code, 1);
    assert_eq!(site.spack(&format!("env track {}", site.made.root.display())).code, 1);
    assert_eq!(site.fine("env list"), "    next\n    nightly\n    science\n");
    assert!(site.fine("-e nightly find").starts_with("==> In environment nightly\n"));
    let json = |line: &str| serde_json::from_str::<Value>(&site.fine(line)).unwrap();
    assert_eq!(json("-e nightly find --json"), json(&format!("-D {place} find -lv --json")));
    assert!(!json("-e nightly find --json").as_array().unwrap().is_empty());
    site.fine("mark -i practice-upgrade");
    site.fine("gc -y -E");
    assert!(prefix.exists(), "what a tracked environment needs stays");
    let said = site.spack("uninstall -y practice-upgrade");
    assert!(said.code == 1 && said.out.contains("    nightly\n"), "{}{}", said.out, said.err);
    let said = site.spack("env untrack -y science nosuch");
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("'nosuch' does not exist") && said.err.contains("spack env rm science"),
        "{}",
        said.err
    );
    assert_eq!(site.spack("-e nightly env untrack -y nightly").code, 1, "it is active");
    assert!(site.fine("env remove -y nightly").contains("but it can still be found at:"));
    assert!(folder.join("spack.lock").exists() && site.fine("env list") == "    next\n    science\n");
    site.fine(&format!("gc -y -E -e {place}"));
    assert!(prefix.exists());
    assert_eq!(site.spack("gc -y -e nosuch").err, "==> Error: No such environment: 'nosuch'\n");
    let out = site.fine(&format!("-D {place} gc -y -E"));
    assert!(prefix.exists() && !out.contains("Restricting"), "the active one counts: {out}");
    site.fine("gc -y -E");
    assert!(!prefix.exists(), "a folder that nobody names does not count");
}

const MODULES: &str = "  specs: [hdf5+hl]
  view: false
  modules:
    default:
      enable: [tcl, lmod]
      roots: {tcl: modules, lmod: lmod}
";

fn below(folder: &Path) -> Vec<String> {
    let mut paths: Vec<String> =
        walk(folder).iter().map(|p| p.strip_prefix(folder).unwrap().to_string_lossy().into_owned()).collect();
    paths.sort();
    paths
}

#[test]
fn installing_and_uninstalling_keep_module_files() {
    let site = Site::new();
    let folder = site.folder("e", MODULES);
    let spack = |line: &str| site.fine(&format!("-D {} {line}", folder.display()));
    spack("install");
    assert!(!folder.join("modules").exists(), "everything was installed before there were modules");
    assert_eq!(spack("module tcl refresh -y"), "==> Regenerating tcl module files\n");
    spack("module lmod refresh -y");
    let (tcl, lmod) = (below(&folder.join("modules")), below(&folder.join("lmod")));
    let one = |list: &[String], start: &str| list.iter().filter(|p| p.starts_with(start)).count();
    assert_eq!(one(&tcl, "linux-ubuntu24.04-x86_64_v3/hdf5/1.14.5-gcc-13.2.0-"), 1, "{tcl:?}");
    assert_eq!(one(&lmod, "linux-ubuntu24.04-x86_64/openmpi/5.0.6-"), 1, "{lmod:?}");
    assert_eq!(one(&lmod, "linux-ubuntu24.04-x86_64/Core/openmpi/5.0.6-"), 1, "{lmod:?}");
    assert!(tcl.contains(&"module-index.yaml".to_owned()));
    site.fine(&format!("-D {} uninstall -y hdf5 -f", folder.display()));
    assert_eq!(one(&below(&folder.join("modules")), "linux-ubuntu24.04-x86_64_v3/hdf5"), 0);
    assert!(!folder.join("modules/linux-ubuntu24.04-x86_64_v3/hdf5").exists(), "nor an empty folder");
    let index = "module-index.yaml".to_owned();
    spack("install");
    let mut again = below(&folder.join("modules"));
    assert_eq!(again, tcl);
    again.retain(|p| *p != index);
    let stray = folder.join("modules").join("stray");
    std::fs::write(&stray, "").unwrap();
    let said = site.spack(&format!("-D {} module tcl refresh", folder.display()));
    assert_eq!((said.code, said.err.as_str()), (3, "==> Error: EOF when reading a line\n"));
    spack("module tcl refresh --delete-tree -y hdf5");
    assert!(!stray.exists());
    assert_eq!(below(&folder.join("modules")).len(), 2, "one module and the index");
    assert_eq!(spack("module tcl refresh -y nosuch"), "==> No package matches your query\n");
}

#[test]
fn a_module_file_says_what_the_prefix_has() {
    let site = Site::new();
    let extra = "      arch_folder: false
      tcl:
        hash_length: 0
        all: {autoload: none}
        projections: {all: '{name}/{version}', hdf5: 'io/{name}'}
        exclude: [gmake]
";
    let folder = site.folder("e", &format!("{MODULES}{extra}"));
    site.fine(&format!("-D {} module tcl refresh -y", folder.display()));
    let text = std::fs::read_to_string(folder.join("modules/io/hdf5")).unwrap();
    let prefix = site.installed()["hdf5@1.14.5"].clone();
    assert!(text.starts_with("#%Module1.0\n"), "{text}");
    assert!(text.contains(&format!("\nprepend-path PATH {{{}/bin}}\n", prefix.display())), "{text}");
    assert!(!text.contains("MANPATH") && !text.contains("module load"), "{text}");
    assert!(!folder.join("modules/gmake").exists());
    let clash = site
        .folder("clash", &format!("{MODULES}      tcl: {{hash_length: 0, projections: {{all: same}}}}\n"));
    let said = site.spack(&format!("-D {} module tcl refresh -y", clash.display()));
    assert!(said.code == 1 && said.err.contains("Name clashes detected"), "{}", said.err);
    assert!(!clash.join("modules").exists());
}

#[test]
fn an_upgrade_can_go_wrong_in_two_ways() {
    let site = Site::new();
    for (version, installs, code) in [("1.0", true, 0), ("1.1", true, 0), ("2.0", false, 0), ("2.1", true, 3)]
    {
        let said = site.spack(&format!("install practice-upgrade@{version}"));
        assert_eq!(said.code, u8::from(!installs), "{version}: {}", said.err);
        let installed = site.installed();
        let Some(prefix) = installed.get(&format!("practice-upgrade@{version}")) else {
            assert!(!installs, "{version}");
            continue;
        };
        assert_eq!(run(&prefix.join("bin/practice-upgrade")).0, Some(code), "{version}");
    }
}

#[test]
fn a_fault_can_strike_one_version_and_what_is_damaged_shows() {
    let mut site = Site::new();
    let faults = "[package.hdf5]\nfail = \"build\"\nwhen = \"@1.12\"\n[package.cmake]\nfail = \"run\"\nwhen = \"@3.30\"\n[package.zlib]\ndamage = true\n";
    site.variables.insert(FAULTS_VARIABLE.to_owned(), faults.to_owned());
    assert_eq!(site.spack("install hdf5@1.12").code, 1);
    site.fine("install hdf5@1.14.3 cmake@3.30");
    let cmake = site.installed()["cmake@3.30.5"].join("bin/cmake");
    assert_eq!(run(&cmake).0, Some(3));
    site.fine("install practice-upgrade@1.1 ^zlib@1.3");
    let (code, said) = run(&site.installed()["practice-upgrade@1.1"].join("bin/practice-upgrade"));
    assert!(code == Some(127) && said.contains("lib/libz.so"), "{said}");
    assert_eq!(site.spack("verify manifest zlib@1.3").code, 1);
    std::fs::remove_file(site.installed()["hdf5@1.14.5"].join("lib/libhdf5.so")).unwrap();
    let (code, said) = run(&site.installed()["netcdf-c@4.9.2"].join("bin/ncdump"));
    assert!(code == Some(127) && said.contains("libhdf5.so"), "{said}");
}

#[test]
fn a_locked_environment_comes_back_from_a_mirror_or_from_source() {
    let site = Site::new();
    let folder = site.folder("e", "  specs: [practice-upgrade@1.0]\n  view: v\n");
    let spack = |line: &str| site.fine(&format!("-D {} {line}", folder.display()));
    spack("install");
    let lock = std::fs::read(folder.join("spack.lock")).unwrap();
    let prefix = site.installed()["practice-upgrade@1.0"].clone();
    let only = site.spack(&format!("-D {} install --only-concrete --cache-only", folder.display()));
    assert_eq!(only.code, 0, "what is there needs no mirror");
    let remove = |all: &str| {
        site.fine(&format!("-D {} uninstall -y -f {all}", folder.display()));
        assert!(!prefix.exists() && !folder.join("v/bin/practice-upgrade").exists());
    };
    remove("practice-upgrade");
    let said = site.spack(&format!("-D {} install --only-concrete --cache-only", folder.display()));
    assert!(
        said.code == 1 && said.err.contains("No binary found when cache-only was specified"),
        "{}",
        said.err
    );
    let out = spack("install --only-concrete --no-cache");
    assert!(out.contains("practice-upgrade: Executing phase: 'build'"), "{out}");
    let out = spack("buildcache push --unsigned practice");
    assert!(
        out.contains("Pushed practice-upgrade@1.0/") && out.contains("skipped as they already exist"),
        "{out}"
    );
    assert_eq!(
        spack("buildcache push --unsigned practice").lines().last(),
        Some("==> All specs are already in the buildcache. Use --force to overwrite them.")
    );
    remove("--all");
    let out = spack("install --only-concrete --cache-only");
    assert!(out.contains("==> Extracting practice-upgrade-1.0-"), "the index does not mention it: {out}");
    assert!(prefix.join(".spack/binary_distribution").is_file());
    assert_eq!(run(&folder.join("v/bin/practice-upgrade")).0, Some(0));
    assert!(!site.fine("buildcache list -a").contains("practice-upgrade"));
    site.fine("buildcache update-index practice");
    assert!(site.fine("buildcache list -a").contains("practice-upgrade@1.0"));
    assert_eq!(std::fs::read(folder.join("spack.lock")).unwrap(), lock, "the lock stays byte for byte");
}

#[test]
fn pushing_says_what_it_cannot_do() {
    let site = Site::new();
    let cases = [
        ("buildcache push --unsigned nosuch hdf5", 2, "no mirror named"),
        ("buildcache push --unsigned practice practice-upgrade", 1, "matches no installed packages"),
        ("-e next buildcache push --unsigned practice", 1, "package not installed"),
        ("-e next buildcache push --unsigned --fail-fast practice", 1, "Cannot push non-installed packages"),
        ("buildcache push --unsigned practice", 1, "requires an environment"),
    ];
    for (line, code, text) in cases {
        let said = site.spack(line);
        assert!(said.code == code && said.err.contains(text), "{line}: {} {}", said.code, said.err);
    }
    let other = site.made.root.join("other");
    assert_eq!(
        site.spack(&format!("buildcache push {} zlib", other.display())).code,
        1,
        "it would be signed"
    );
    site.fine(&format!("buildcache push --unsigned --update-index {} zlib", other.display()));
    assert!(other.join("v3/manifests/spec/zlib").is_dir());
}

#[test]
fn environments_are_made_from_files() {
    let site = Site::new();
    let science = site.made.root.join("environments/science");
    let (one, two) = (site.made.root.join("one"), site.made.root.join("two"));
    let out = site.fine(&format!("env create -d {} {}/spack.lock", one.display(), science.display()));
    assert!(out.contains(&format!("Created independent environment in: {}\n", one.display())), "{out}");
    assert!(one.join(".spack-env/view/bin/h5dump").exists(), "its specs are installed");
    let specs = |folder: &Path| site.fine(&format!("-D {} find -c --json", folder.display()));
    assert_eq!(specs(&one), specs(&science));
    site.fine(&format!("env create -d {} {}/spack.yaml", two.display(), science.display()));
    assert!(!two.join("spack.lock").exists());
    let text = |folder: &Path| std::fs::read_to_string(folder.join("spack.yaml")).unwrap();
    assert_eq!(text(&two), text(&science));
    let explicit = |name: &str| {
        let database = site.database();
        let records = database["database"]["installs"].as_object().unwrap().clone();
        records.values().any(|r| r["spec"]["name"] == *name && r["explicit"] == true)
    };
    site.fine(&format!("-D {} mark -i hdf5", one.display()));
    assert!(!explicit("hdf5"));
    site.fine(&format!("-D {} mark -e hdf5", one.display()));
    assert!(explicit("hdf5"));
}

#[test]
fn views_are_enabled_moved_and_disabled() {
    let site = Site::new();
    let folder = site.made.root.join("e");
    let place = folder.display();
    let science = site.made.root.join("environments/science");
    site.fine(&format!("env create --with-view {place}/first {place} science"));
    assert!(folder.join("first/bin/h5dump").exists(), "the lock came along");
    assert_eq!(
        std::fs::read(folder.join("spack.lock")).unwrap(),
        std::fs::read(science.join("spack.lock")).unwrap()
    );
    let old = std::fs::read_link(folder.join("first")).unwrap();
    site.fine(&format!("-D {place} env view enable second"));
    assert!(!old.exists() && !folder.join("first").exists() && folder.join("second/bin/h5dump").exists());
    site.fine(&format!("-D {place} env view disable"));
    assert!(!folder.join("second").exists());
    let text = std::fs::read_to_string(folder.join("spack.yaml")).unwrap();
    assert!(text.contains("\n  view: false\n") && text.contains("hdf5+hl"), "{text}");
    site.fine(&format!("-D {place} env view enable"));
    assert!(folder.join(".spack-env/view/bin/h5dump").exists());
}

#[test]
fn a_manifest_may_include_configuration() {
    let site = Site::new();
    let folder = site.made.root.join("e");
    std::fs::create_dir_all(folder.join("common")).unwrap();
    std::fs::write(
        folder.join("site.yaml"),
        "modules:\n  default:\n    roots: {tcl: ROOT/here}\nconfig:\n  build_jobs: 3\n"
            .replace("ROOT", &folder.to_string_lossy()),
    )
    .unwrap();
    std::fs::write(folder.join("common/config.yaml"), "config:\n  build_jobs: 7\n  ccache: true\n").unwrap();
    let manifest = "spack:\n  include: [site.yaml, common, {path: no.yaml, optional: true}]\n  specs: [hdf5+hl]\n  view: false\n";
    std::fs::write(folder.join("spack.yaml"), manifest).unwrap();
    let place = folder.display();
    let config = site.fine(&format!("-D {place} config get config"));
    assert!(config.contains("build_jobs: 3\n") && config.contains("ccache: true\n"), "{config}");
    site.fine(&format!("-D {place} concretize"));
    site.fine(&format!("-D {place} module tcl refresh -y"));
    assert!(folder.join("here/module-index.yaml").is_file());
    std::fs::write(folder.join("spack.yaml"), manifest.replace(", optional: true", "")).unwrap();
    let said = site.spack(&format!("-D {place} find"));
    assert!(said.code == 3 && said.err.contains("no.yaml"), "{}", said.err);
}
