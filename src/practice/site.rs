//! Making a practice site: installation, configuration, compilers, store, environments and mirror, all under one
//! folder and all in one go.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::config::{Config, Variables};
use super::install::enter;
use super::store::Store;
use crate::base::{Kind, Result, Trouble};
use crate::practice::env::environment::{Environment, Lock, Root};
use crate::practice::env::view;
use crate::practice::model::catalogue::{Catalogue, Package};
use crate::practice::model::disk;
use crate::practice::model::halt::Halt;
use crate::practice::model::query::parse_one;
use crate::practice::model::record::{Nodes, build_order};
use crate::practice::model::release::{MARKER, VERSION};
use crate::practice::solve::wishes::Wishes;
use crate::practice::solve::{Kept, Solution, Solver};
use crate::practice::store::{build, mirror};
use crate::spack::environment::manifest::edit::MANIFEST;

/// A practice site, and how a process must be started to be on it.
#[derive(Debug, Clone)]
pub struct PracticeSite {
    pub root: PathBuf,
    pub spack_root: PathBuf,
    pub env: BTreeMap<String, String>,
}

/// The environments: name, roots, and whether they are installed.
const ENVIRONMENTS: [(&str, &[&str], bool); 2] =
    [("science", &["hdf5+hl", "netcdf-c", "fftw"], true), ("next", &["hdf5+hl", "gromacs"], false)];

/// Only in the mirror: what an installation from there is tried with.
const MIRROR_ONLY: &str = "osu-micro-benchmarks";

/// Also installed, outside of environments.
const EXTRA: [&str; 3] = ["python", "zlib@1.2.13", "practice-broken@1.0"];

/// Spack's own defaults.
const MODULES: &str = "modules:
  prefix_inspections:
    ./bin: [PATH]
    ./man: [MANPATH]
    ./share/man: [MANPATH]
    ./share/aclocal: [ACLOCAL_PATH]
    ./lib/pkgconfig: [PKG_CONFIG_PATH]
    ./lib64/pkgconfig: [PKG_CONFIG_PATH]
    ./share/pkgconfig: [PKG_CONFIG_PATH]
    ./: [CMAKE_PREFIX_PATH]
  default:
    roots:
      tcl: $spack/share/spack/modules
      lmod: $spack/share/spack/lmod
    enable: []
    tcl:
      all:
        autoload: direct
    lmod:
      all:
        autoload: direct
      hierarchy:
      - mpi
";

/// Makes a site in `dir`, which must be empty or missing. `executable` is moonstack.
pub fn create(dir: &Path, executable: &Path) -> Result<PracticeSite> {
    if std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Trouble::new(Kind::Exists, format!("{} is not empty", dir.display()))
            .hint("a practice site is made in a new folder"));
    }
    disk::folder(dir)?;
    let dir = std::fs::canonicalize(dir).map_err(|e| Trouble::io("look at", dir, e))?;
    let site = describe(&dir);
    let catalogue = Catalogue::load()?;
    installation(&site.spack_root, executable)?;
    toolchain(&dir, &catalogue)?;
    configuration(&dir)?;
    repository(&dir.join("repo/spack_repo/practice"), &catalogue)?;
    fill(&dir, &site, &catalogue)
        .map_err(|h| Trouble::new(Kind::Internal, format!("the practice site: {}", h.text)))?;
    Ok(site)
}

/// The site in `dir`, made if there is none yet.
pub fn open(dir: &Path, executable: &Path) -> Result<PracticeSite> {
    let init = dir.join("spack/lib/spack/spack/__init__.py");
    if std::fs::read_to_string(init).is_ok_and(|text| text.contains(MARKER)) {
        return std::fs::canonicalize(dir).map(|d| describe(&d)).map_err(|e| Trouble::io("look at", dir, e));
    }
    create(dir, executable)
}

fn describe(dir: &Path) -> PracticeSite {
    let text = |name: &str| dir.join(name).to_string_lossy().into_owned();
    let env = [
        ("SPACK_ROOT", text("spack")),
        ("SPACK_USER_CONFIG_PATH", text("config")),
        ("SPACK_USER_CACHE_PATH", text("cache")),
        ("SPACK_SYSTEM_CONFIG_PATH", text("no-system-config")),
    ];
    PracticeSite {
        root: dir.to_owned(),
        spack_root: dir.join("spack"),
        env: env.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
    }
}

/// What a Spack installation is known by.
fn installation(root: &Path, executable: &Path) -> Result<()> {
    disk::link(executable, &root.join("bin/spack"))?;
    let init = format!("{MARKER}\n__version__ = \"{VERSION}\"\n");
    disk::write(&root.join("lib/spack/spack/__init__.py"), init)?;
    let etc = root.join("etc/spack");
    disk::write(
        &etc.join("include.yaml"),
        "include:\n- name: user\n  path_override_env_var: SPACK_USER_CONFIG_PATH\n  path: ~/.spack\n  optional: true\n  prefer_modify: true\n  when: '\"SPACK_DISABLE_LOCAL_CONFIG\" not in env'\n- name: site\n  path: $spack/etc/spack/site\n  optional: true\n- name: system\n  path_override_env_var: SPACK_SYSTEM_CONFIG_PATH\n  path: /etc/spack\n  optional: true\n  when: '\"SPACK_DISABLE_LOCAL_CONFIG\" not in env'\n",
    )?;
    disk::write(&etc.join("defaults/include.yaml"), "include:\n- path: base\n")?;
    let base = etc.join("defaults/base");
    disk::write(
        &base.join("config.yaml"),
        "config:\n  install_tree:\n    root: $spack/opt/spack\n    projections:\n      all: '{architecture.platform}-{architecture.target}/{name}-{version}-{hash}'\n  build_stage:\n  - $tempdir/$user/spack-stage\n  - $user_cache_path/stage\n  source_cache: $spack/var/spack/cache\n  misc_cache: $user_cache_path/cache\n  build_jobs: 4\n  installer: old\n  locks: true\n  db_lock_timeout: 60\n  package_lock_timeout: null\n",
    )?;
    disk::write(&base.join("modules.yaml"), MODULES)?;
    disk::write(&base.join("concretizer.yaml"), "concretizer:\n  reuse: false\n  unify: true\n")?;
    disk::write(
        &base.join("packages.yaml"),
        "packages:\n  all:\n    providers:\n      mpi: [openmpi, mpich]\n      blas: [openblas]\n      lapack: [openblas]\n      zlib-api: [zlib-ng, zlib]\n    permissions:\n      read: world\n      write: user\n",
    )
}

/// Compilers that only answer who they are.
fn toolchain(dir: &Path, catalogue: &Catalogue) -> Result<()> {
    let versions = catalogue.package("gcc").map(|p| p.versions.clone()).unwrap_or_default();
    let mut yaml = "packages:\n  gcc:\n    externals:\n".to_owned();
    for version in versions {
        let prefix = dir.join(format!("toolchain/gcc-{version}"));
        for (program, title) in [("gcc", "gcc"), ("g++", "g++"), ("gfortran", "GNU Fortran")] {
            let text = format!(
                "#!/bin/sh\n# A stand-in: it answers who it is and compiles nothing.\ncase \"$1\" in\n-dumpversion|-dumpfullversion) echo {version};;\n--version) echo '{title} (practice) {version}';;\n*) echo \"{program}: the practice site compiles nothing\" >&2; exit 1;;\nesac\n"
            );
            disk::program(&prefix.join("bin").join(program), &text)?;
        }
        let path = prefix.display();
        yaml += &format!(
            "    - spec: gcc@{version} languages:='c,c++,fortran'\n      prefix: {path}\n      extra_attributes:\n        compilers:\n          c: {path}/bin/gcc\n          cxx: {path}/bin/g++\n          fortran: {path}/bin/gfortran\n"
        );
    }
    disk::write(&dir.join("config/packages.yaml"), yaml)
}

fn configuration(dir: &Path) -> Result<()> {
    let at = dir.display();
    let files = [
        (
            "config.yaml",
            format!(
                "config:\n  install_tree:\n    root: {at}/store\n  environments_root: {at}/environments\n  build_stage:\n  - {at}/stage\n  source_cache: {at}/cache/sources\n  misc_cache: {at}/cache/misc\n"
            ),
        ),
        ("mirrors.yaml", format!("mirrors::\n  practice:\n    url: file://{at}/mirror\n    signed: false\n")),
        ("repos.yaml", format!("repos::\n  practice: {at}/repo/spack_repo/practice\n")),
        // Spack itself finds core compilers only where the system has its own.
        (
            "modules.yaml",
            "modules:\n  default:\n    lmod:\n      core_compilers:\n      - gcc@13.2.0\n".to_owned(),
        ),
        ("bootstrap.yaml", "bootstrap:\n  enable: false\n".to_owned()),
    ];
    for (name, text) in files {
        disk::write(&dir.join("config").join(name), text)?;
    }
    for name in ["stage", "cache", "environments"] {
        disk::folder(&dir.join(name))?;
    }
    Ok(())
}

/// Recipes that say no more than names and versions, for tools that look at repositories.
fn repository(root: &Path, catalogue: &Catalogue) -> Result<()> {
    disk::write(&root.join("repo.yaml"), "repo:\n  namespace: practice\n  api: v2.0\n")?;
    for (name, package) in &catalogue.packages {
        let folder = root.join("packages").join(name.replace('-', "_"));
        disk::write(&folder.join("package.py"), recipe(name, package))?;
    }
    Ok(())
}

fn recipe(name: &str, package: &Package) -> String {
    let class: String = name
        .split('-')
        .map(|w| w.chars().take(1).flat_map(char::to_uppercase).chain(w.chars().skip(1)).collect::<String>())
        .collect();
    let mut text = format!(
        "from spack.package import *\n\n\nclass {class}(PackageBase):\n    \"\"\"{name} of moonstack's practice site.\"\"\"\n\n    has_code = False\n"
    );
    if crate::practice::env::descriptor::RUNTIMES.contains(&name) {
        text += "    tags = [\"runtime\"]\n";
    }
    if package.external {
        text += "    tags = [\"compiler\"]\n";
    }
    for version in &package.versions {
        text += &format!("    version(\"{version}\")\n");
    }
    for virtual_name in &package.provides {
        text += &format!("    provides(\"{virtual_name}\")\n");
    }
    text
}

/// Store, environments and mirror.
fn fill(dir: &Path, site: &PracticeSite, catalogue: &Catalogue) -> Result<(), Halt> {
    let variables: Variables = site.env.clone();
    let compilers = Config::new(&site.spack_root, &variables).compilers()?;
    let solver =
        Solver { catalogue, compilers: &compilers, wishes: Wishes::default(), kept: Kept::default() };
    let store = Store::at(&dir.join("store"));
    store.prepare()?;
    let mut wanted = Solution::default();
    let mut locks = Vec::new();
    for (name, roots, installed) in ENVIRONMENTS {
        let specs = roots.iter().map(|r| parse_one(r)).collect::<Result<Vec<_>, _>>()?;
        let solution = solver.solve(&specs)?;
        let lock = Lock {
            roots: roots
                .iter()
                .zip(&solution.roots)
                .map(|(spec, hash)| Root { hash: hash.clone(), spec: (*spec).to_owned() })
                .collect(),
            nodes: solution.nodes.clone(),
        };
        locks.push((name, lock));
        if installed {
            wanted.nodes.extend(solution.nodes);
            wanted.roots.extend(solution.roots);
        }
    }
    for text in EXTRA {
        let solution = solver.solve(&[parse_one(text)?])?;
        wanted.nodes.extend(solution.nodes);
        wanted.roots.extend(solution.roots);
    }
    install(&store, catalogue, &wanted)?;
    for (name, lock) in locks {
        environment(dir, name, &lock, &store)?;
    }
    offer(dir, &solver, &store, &wanted.nodes)
}

fn install(store: &Store, catalogue: &Catalogue, wanted: &Solution) -> Result<(), Halt> {
    let order = build_order(&wanted.nodes, &wanted.roots);
    for hash in &order {
        place(store, catalogue, &wanted.nodes, hash)?;
    }
    store.change(|records| {
        for node in order.iter().filter_map(|h| wanted.nodes.get(h)) {
            enter(records, store, &wanted.nodes, node, wanted.roots.contains(&node.hash));
        }
    })?;
    Ok(())
}

fn place(store: &Store, catalogue: &Catalogue, nodes: &Nodes, hash: &str) -> Result<(), Halt> {
    let Some(node) = nodes.get(hash).filter(|n| n.external.is_none()) else { return Ok(()) };
    let Some(package) = catalogue.package(&node.name) else { return Ok(()) };
    let prefix = store.prefix(node);
    build::begin(&prefix, node, nodes)?;
    let content = build::Content {
        log: &build::log(node, &package.phases),
        cached: false,
        libraries: build::libraries(store, catalogue, nodes, node),
        broken: false,
    };
    build::fill(&prefix, node, package, &content)?;
    Ok(build::finish(&prefix)?)
}

fn environment(dir: &Path, name: &str, lock: &Lock, store: &Store) -> Result<(), Halt> {
    let environment = Environment { name: name.to_owned(), folder: dir.join("environments").join(name) };
    disk::write(&environment.manifest_path(), MANIFEST)?;
    let specs: Vec<String> = lock.roots.iter().map(|r| r.spec.clone()).collect();
    environment.write_specs(&specs)?;
    drop(environment.transaction()?);
    environment.write_lock(lock)?;
    view::regenerate(&environment, lock, &store.read()?, store)?;
    Ok(())
}

/// The mirror: two installed packages, and one that is only there.
fn offer(dir: &Path, solver: &Solver<'_>, store: &Store, installed: &Nodes) -> Result<(), Halt> {
    let only = solver.solve(&[parse_one(MIRROR_ONLY)?])?;
    let mut nodes = installed.clone();
    nodes.extend(only.nodes);
    let mut offered = Vec::new();
    for node in installed.values().filter(|n| ["hdf5", "zlib-ng"].contains(&n.name.as_str())) {
        offered.push((node.hash.clone(), store.prefix(node)));
    }
    let mut temporary = Vec::new();
    for hash in &only.roots {
        place(store, solver.catalogue, &nodes, hash)?;
        if let Some(node) = nodes.get(hash) {
            offered.push((hash.clone(), store.prefix(node)));
            temporary.push(store.prefix(node));
        }
    }
    mirror::write(&dir.join("mirror"), &nodes, &offered)?;
    for prefix in temporary {
        disk::remove(&prefix)?;
    }
    Ok(())
}
