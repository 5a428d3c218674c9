//! The native reading of configuration against Spack's own, value by value, file by file, on every real site
//! of `tests/common/lab.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use moonstack::spack::config::keys;
use moonstack::spack::config::locate::{Search, locate};
use moonstack::spack::config::{Config, ConfigInputs};
use moonstack::spack::environment;
use moonstack::spack::environment::manifest::Manifest;
use moonstack::spack::text::yaml::{Value as Node, Yaml};
use moonstack::world::fs::eyes::LiveEyes;
use serde_json::{Value, json};

use crate::common::lab;

type Vars = BTreeMap<String, String>;

#[derive(Default)]
struct Score {
    agreed: usize,
    wrong: Vec<String>,
}

impl Score {
    fn check(&mut self, what: &str, ours: &Value, theirs: &Value) {
        if ours == theirs {
            self.agreed += leaves(theirs);
        } else {
            self.wrong.push(format!("{what}\n      ours   {ours}\n      theirs {theirs}"));
        }
    }
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(leaves).sum::<usize>().max(1),
        Value::Object(entries) => entries.values().map(leaves).sum::<usize>().max(1),
        _ => 1,
    }
}

/// The variables that a site's `env.sh` exports.
fn variables(site: &Path) -> Vars {
    let mut vars: Vars = std::env::vars().collect();
    for name in ["SPACK_DISABLE_LOCAL_CONFIG", "SPACK_ENV", "SPACK_PYTHON"] {
        vars.remove(name);
    }
    for line in std::fs::read_to_string(site.join("env.sh")).unwrap().lines() {
        let Some((name, value)) = line.strip_prefix("export ").and_then(|l| l.split_once('=')) else {
            continue;
        };
        let path = vars.get("PATH").cloned().unwrap_or_default();
        vars.insert(name.to_owned(), value.trim_matches(['"', '\'']).replace("$PATH", &path));
    }
    vars
}

/// One way of calling Spack.
struct Setup {
    name: &'static str,
    root: PathBuf,
    vars: Vars,
    environment: Option<PathBuf>,
    extra_scopes: Vec<PathBuf>,
    settings: Vec<&'static str>,
}

impl Setup {
    fn arguments(&self) -> Vec<String> {
        let mut out = Vec::new();
        for setting in &self.settings {
            out.extend(["-c".to_owned(), (*setting).to_owned()]);
        }
        for scope in &self.extra_scopes {
            out.extend(["-C".to_owned(), scope.display().to_string()]);
        }
        if let Some(folder) = &self.environment {
            out.extend(["-D".to_owned(), folder.display().to_string()]);
        }
        out
    }

    fn load(&self) -> Config {
        let search = Search { explicit: Some(self.root.clone()), ..Search::default() };
        let installation = locate(&LiveEyes, &search).unwrap();
        let inputs = ConfigInputs {
            vars: self.vars.clone(),
            environment: self.environment.clone(),
            extra_scopes: self.extra_scopes.clone(),
            settings: self.settings.iter().map(|s| (*s).to_owned()).collect(),
            cwd: std::env::current_dir().unwrap(),
        };
        Config::load(&LiveEyes, &installation, &inputs).unwrap()
    }

    fn spack(&self, arguments: &[&str], more: &[(&str, String)]) -> String {
        let out = Command::new(self.root.join("bin/spack"))
            .args(self.arguments())
            .args(arguments)
            .env_clear()
            .envs(&self.vars)
            .envs(more.iter().map(|(k, v)| (*k, v.as_str())))
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{}: spack {arguments:?}: {}",
            self.name,
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).unwrap()
    }
}

/// Marks of all texts, keyed as the Python side keys them.
fn origins(value: &Yaml, path: &str, out: &mut BTreeMap<String, String>) {
    match &value.value {
        Node::List(items) => {
            items.iter().enumerate().for_each(|(at, item)| origins(item, &format!("{path}\t{at}"), out));
        }
        Node::Map(entries) => {
            for (k, v) in entries {
                origins(v, &format!("{path}\t{}", k.name), out);
            }
        }
        _ => {
            out.insert(path.to_owned(), value.mark.to_string());
        }
    }
}

fn compare(setup: &Setup, score: &mut Score) {
    let config = setup.load();
    assert!(config.not_understood.is_empty(), "{}: {:?}", setup.name, config.not_understood);
    let manifest = setup.environment.as_ref().map(|_| Manifest::read(&LiveEyes, &config).unwrap());
    let specs: Vec<String> = manifest.iter().flat_map(|m| &m.specs).map(|spec| spec.text.clone()).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/config_agreement/ask.py");
    let out = setup.spack(&["python", script], &[("OUR_SPECS", json!(specs).to_string())]);
    let theirs: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let mut label = |what: &str, ours: Value, theirs: &Value| {
        score.check(&format!("{}: {what}", setup.name), &ours, theirs);
    };
    let mut ours_at = BTreeMap::new();
    let mut sections: Vec<&str> =
        theirs["sections"].as_object().unwrap().keys().map(String::as_str).collect();
    sections.sort_unstable();
    let mut known = keys::sections(config.release);
    known.sort_unstable();
    label("sections", json!(known), &json!(sections));
    for (name, value) in theirs["sections"].as_object().unwrap() {
        let ours = config.section(name).unwrap();
        origins(ours, name, &mut ours_at);
        // An absent section is `{}` here and there.
        label(name, ours.to_json(), value);
        let order = |v: &Value| v.as_object().map(|o| o.keys().cloned().collect::<Vec<_>>());
        label(&format!("order of {name}"), json!(order(&ours.to_json())), &json!(order(value)));
    }
    for (path, mark) in theirs["origins"].as_object().unwrap() {
        label(&format!("origin of {path}"), json!(ours_at.get(path)), mark);
    }
    let tree = config.install_tree().unwrap();
    label("root", json!(tree.root), &theirs["root"]);
    label("unpadded root", json!(tree.unpadded_root), &theirs["unpadded_root"]);
    label("environments root", json!(config.environments_root().unwrap().path), &theirs["environments_root"]);
    let names: Vec<String> =
        environment::list(&LiveEyes, &config).unwrap().into_iter().map(|e| e.name).collect();
    label("environments", json!(names), &theirs["environments"]);
    let upstreams: BTreeMap<String, PathBuf> =
        config.upstreams().unwrap().into_iter().map(|u| (u.name, u.install_tree)).collect();
    label("upstreams", json!(upstreams), &theirs["upstreams"]);
    let mirrors: BTreeMap<String, Value> = config
        .mirrors()
        .unwrap()
        .into_iter()
        .map(|m| {
            let value = json!([m.fetch.url, m.push.url, m.source, m.binary, m.signed, m.autopush]);
            (m.name, value)
        })
        .collect();
    label("mirrors", json!(mirrors), &theirs["mirrors"]);
    if let Some(manifest) = manifest {
        let equal = theirs["specs"]["equal"] == json!(true);
        label(&format!("specs {specs:?}"), json!(equal), &json!(true));
        if !equal {
            eprintln!("theirs: {}", theirs["specs"]["theirs"]);
        }
        let views: BTreeMap<String, PathBuf> = manifest.views.into_iter().map(|v| (v.name, v.root)).collect();
        label("views", json!(views), &theirs["specs"]["views"]);
    }
}

/// The same through the command that an admin would use.
fn compare_commands(setup: &Setup, score: &mut Score) {
    let config = setup.load();
    for section in ["config", "mirrors", "repos", "packages", "upstreams"] {
        let json_option = config.release.abilities().config_get_json;
        let arguments: &[&str] =
            if json_option { &["config", "get", "--json", section] } else { &["config", "get", section] };
        let out = setup.spack(arguments, &[]);
        let theirs = moonstack::spack::text::yaml::parse_named(&out, "spack config get").unwrap();
        let theirs = theirs.get(section).map_or(json!({}), Yaml::to_json);
        score.check(
            &format!("{}: config get {section}", setup.name),
            &config.section(section).unwrap().to_json(),
            &theirs,
        );
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path()).unwrap(), target).unwrap();
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
            // Byte code is of no use beside sources that have another time.
            let time = entry.metadata().unwrap().modified().unwrap();
            std::fs::File::options().append(true).open(&target).unwrap().set_modified(time).unwrap();
        }
    }
}

/// A root of its own for a checkout: own `bin`, `lib` (0.23 finds its root through it) and `etc`, the rest linked.
fn light_copy(checkout: &Path, root: &Path) {
    copy(&checkout.join("bin"), &root.join("bin"));
    copy(&checkout.join("etc"), &root.join("etc"));
    copy(&checkout.join("lib"), &root.join("lib"));
    for name in ["share", "var"] {
        std::os::unix::fs::symlink(checkout.join(name), root.join(name)).unwrap();
    }
}

const MIRRORS: &str = "mirrors:
  short: https://mirror.example/short
  path: ./relative mirror
  home: ~/mirror
  odd: file:///a%20b
  full:
    url: s3://bucket/prefix
    source: false
    signed: false
    autopush: true
    profile: site
    endpoint_url: https://s3.example
  sides:
    fetch: https://fetch.example/x
    push:
      url: s3://push/x
      access_pair: {id_variable: MY_ID, secret_variable: MY_SECRET}
  image: oci://registry.example/group/cache
  token: {url: $spack/mirror, binary: false, access_token_variable: MY_TOKEN}
";

/// Writes scopes that disagree in every way.
fn scopes(root: &Path, user: &Path, system: &Path, old: bool) {
    write(
        &root.join("etc/spack/config.yaml"),
        "config:\n  build_jobs: 7\n  locks: true\n  template_dirs: [/site/templates, $spack/share/spack/templates]\n  \
         install_tree:\n    root: $spack/../store\n    padded_length: 180\n    projections:\n      all: '{name}-{version}-{hash}'\n",
    );
    write(
        &root.join("etc/spack/packages.yaml"),
        "packages:\n  all:\n    variants: [+site]\n    providers: {mpi: [mpich]}\n  cmake:\n    externals:\n    \
         - spec: cmake@3.20\n      prefix: /usr\n    buildable: false\n",
    );
    write(
        &user.join("config.yaml"),
        "config:\n  build_jobs: 3\n  build_stage:\n  - $tempdir/$user/stage\n  - /other/stage\n  \
         template_dirs: [/user/templates, /site/templates]\n  connect_timeout: 0x10\n  environments_root: ../environments\n  \
         db_lock_timeout: 0o17\n  ccache: false\n  ssl_certs: \"no\"\n  aliases:\n    off: find\n    y: install\n",
    );
    write(
        &user.join("packages.yaml"),
        "packages:\n  all:\n    providers::\n      mpi: [openmpi, mpich]\n    variants: [+user, +site]\n  \
         python:\n    version: [3.10, '3.9', 3]\n  hdf5:\n    require:\n    - spec: '@1.12:'\n      when: '+mpi'\n    \
         - 'one'\n",
    );
    write(&user.join("mirrors.yaml"), MIRRORS);
    write(
        &user.join("upstreams.yaml"),
        "upstreams:\n  central:\n    install_tree: $spack/opt/spack\n    modules:\n      tcl: /x\n",
    );
    write(
        &user.join("concretizer.yaml"),
        "base: &b\n  x: 1\nconcretizer:\n  reuse: dependencies\n".strip_prefix("base: &b\n  x: 1\n").unwrap(),
    );
    write(&system.join("config.yaml"), "config:\n  build_jobs: 2\n  stage_name: system-{name}\n");
    write(&system.join("mirrors.yaml"), "mirrors:\n  system: {url: https://system.example, signed: false}\n");
    if old {
        write(
            &user.join("linux/config.yaml"),
            "config:\n  build_jobs: 5\n  install_tree: /twin/store\n  install_path_scheme: '{NAME}/{hash}'\n",
        );
        write(
            &user.join("linux/compilers.yaml"),
            "compilers:\n- compiler:\n    spec: gcc@=12.2.0\n    paths: {cc: /usr/bin/gcc, cxx: /usr/bin/g++, f77: null, fc: null}\n    \
             operating_system: debian12\n    target: x86_64\n    modules: []\n",
        );
    } else {
        write(
            &root.join("etc/spack/site/config.yaml"),
            "config:\n  build_jobs: 6\n  stage_name: site\n  shared_linking: runpath\n",
        );
        write(
            &user.join("include.yaml"),
            "include:\n- path: extra\n- path: nowhere\n  optional: true\n- path: $spack/one.yaml\n  when: platform == 'linux'\n\
             - path: never\n  when: \"'NO_SUCH_VARIABLE' in env\"\n",
        );
        write(
            &user.join("extra/config.yaml"),
            "config:\n  checksum: false\n  build_jobs: 99\n  dirty: true\n",
        );
        write(
            &root.join("one.yaml"),
            "config:\n  dirty: false\n  url_fetch_method: curl\npackages:\n  zlib:\n    buildable: false\n",
        );
    }
}

fn environments(root: &Path, folder: &Path) -> PathBuf {
    let environment = folder.join("independent");
    write(
        &environment.join("spack.yaml"),
        "spack:\n  include:\n  - inner\n  - single.yaml\n  definitions:\n  - packages: [lab-zlib, 'lab-hdf5@1.12 +mpi']\n  \
         - compilers: ['%gcc@12', '%gcc@11']\n    when: platform == 'linux'\n  - compilers: ['%intel']\n    when: platform == 'darwin'\n  \
         - packages: [lab-mpich]\n    when: env.get('HOME', '') != '' and re.match(r'lin', platform)\n  specs:\n  - 'lab-big@0.8:'\n  - $packages\n  \
         - matrix:\n    - [$packages]\n    - [$compilers]\n    exclude:\n    - lab-mpich %gcc@11\n  - matrix:\n    - ['lab-hwloc ~shared', lab-hwloc]\n    - ['^lab-zlib', '^lab-zlib@1.3']\n    \
         - [+pic]\n  view:\n    default:\n      root: .view-$target/$arch-${architecture}\n      link: roots\n  config:\n    build_jobs: 11\n    template_dirs:: [/only/this]\n  mirrors:\n    \
         env: ./env-mirror\n    short: https://replaced.example\n  packages:\n    all:\n      variants: [+env]\n  concretizer:\n    unify: when_possible\n",
    );
    write(&environment.join("inner/config.yaml"), "config:\n  build_jobs: 12\n  checksum: true\n");
    write(&environment.join("single.yaml"), "config:\n  verify_ssl: false\n  checksum: false\n");
    let managed = root.join("../environments");
    for name in ["e1", "e-2", "group/nested", "group/more/deep", "e1/v1.2/no-name", "../outside/below"] {
        write(&managed.join(name).join("spack.yaml"), "spack:\n  specs: [lab-zlib]\n  view: false\n");
    }
    write(&managed.join("empty/README"), "no environment");
    write(&managed.join(".hidden/spack.yaml"), "spack:\n  specs: []\n");
    std::fs::create_dir(managed.join("linked")).unwrap();
    for (to, at) in [
        (environment.as_path(), "tracked"),
        (Path::new("../../outside"), "e1/away"),
        (Path::new("../e1/spack.yaml"), "linked/spack.yaml"),
        (Path::new("nowhere"), "dangling"),
    ] {
        std::os::unix::fs::symlink(to, managed.join(at)).unwrap();
    }
    environment
}

/// The site's package repositories, in the mapping form and, above or beneath it, in the form of a list.
fn repositories(site: &Path, vars: &Vars, root: &Path, user: &Path, old: bool) {
    let setup = Setup {
        name: "repositories",
        root: vars["SPACK_ROOT"].clone().into(),
        vars: vars.clone(),
        environment: None,
        extra_scopes: Vec::new(),
        settings: Vec::new(),
    };
    // Without the thousands of recipes of the built-in one, whose index Spack would make anew here.
    let mut repos = setup.load().repos().unwrap();
    repos.retain(|repo| repo.name.as_deref() != Some("builtin"));
    assert!(!repos.is_empty(), "{}", site.display());
    let list = |repos: &[moonstack::spack::config::repos::Repo]| {
        repos.iter().fold("repos:\n".to_owned(), |text, repo| format!("{text}- {}\n", repo.path.display()))
    };
    write(&root.join("etc/spack/repos.yaml"), &list(&repos));
    if old {
        write(&user.join("repos.yaml"), &list(&repos).replace("repos:", "repos::"));
    } else {
        let map = repos.iter().rev().fold("repos::\n".to_owned(), |text, repo| {
            format!("{text}  {}: {}\n", repo.name.as_deref().unwrap(), repo.path.display())
        });
        write(&user.join("repos.yaml"), &map);
    }
}

fn setups(site: &Path, tmp: &Path) -> Vec<Setup> {
    let vars = variables(site);
    let checkout = PathBuf::from(&vars["SPACK_ROOT"]);
    let root = tmp.join("spack");
    light_copy(&checkout, &root);
    let release =
        locate(&LiveEyes, &Search { explicit: Some(checkout.clone()), ..Search::default() }).unwrap().release;
    let old = !release.abilities().include_section;
    let (user, system) = (tmp.join("user"), tmp.join("system"));
    scopes(&root, &user, &system, old);
    repositories(site, &vars, &root, &user, old);
    let environment = environments(&root, tmp);
    let extra = tmp.join("extra");
    write(
        &extra.join("config.yaml"),
        "config:\n  build_jobs: 21\n  dirty: true\n  additional_external_search_paths:: [/x]\n",
    );
    let mut own = vars.clone();
    for (name, path) in [
        ("SPACK_ROOT", &root),
        ("SPACK_USER_CONFIG_PATH", &user),
        ("SPACK_SYSTEM_CONFIG_PATH", &system),
        ("SPACK_USER_CACHE_PATH", &tmp.join("cache")),
    ] {
        own.insert(name.to_owned(), path.display().to_string());
    }
    let mut isolated = own.clone();
    isolated.insert("SPACK_DISABLE_LOCAL_CONFIG".to_owned(), "true".to_owned());
    let cut = tmp.join("cut");
    let include = if old { "" } else { "  include:: [inner]\n" };
    write(&cut.join("spack.yaml"), &format!("spack:\n{include}  specs: []\n  mirrors:: {{}}\n"));
    write(&cut.join("inner/config.yaml"), "config:\n  build_jobs: 31\n");
    let setup = |name, vars: &Vars| Setup {
        name,
        root: root.clone(),
        vars: vars.clone(),
        environment: None,
        extra_scopes: Vec::new(),
        settings: Vec::new(),
    };
    vec![
        Setup { root: checkout.clone(), ..setup("the site as it is", &vars) },
        setup("user, site and system disagree", &own),
        setup("no local configuration", &isolated),
        Setup { environment: Some(environment.clone()), ..setup("an environment on top", &own) },
        Setup {
            environment: Some(environment),
            extra_scopes: vec![extra],
            // Spack 0.23 refuses `-c config` over scopes in an old form.
            settings: if old {
                vec!["packages:all:variants:[+cli]"]
            } else {
                vec![
                    "config:build_jobs:41",
                    "config:template_dirs:/from/command/line",
                    "packages:all:variants:[+cli]",
                    "config:aliases::{}",
                    "config:stage_name:'quoted:colon'",
                ]
            },
            ..setup("environment, -C and -c", &own)
        },
        Setup { environment: Some(cut), ..setup("an environment that cuts off scopes", &own) },
    ]
}

pub fn trials() -> Vec<Trial> {
    lab::for_each_site("config_agreement", agrees_with_spack)
}

fn agrees_with_spack(site: &Path) {
    let tmp = tempfile::tempdir().unwrap();
    let folder = tmp.path().canonicalize().unwrap();
    let mut score = Score::default();
    let all = setups(site, &folder);
    for setup in &all {
        compare(setup, &mut score);
    }
    for setup in all.iter().take(2) {
        compare_commands(setup, &mut score);
    }
    println!("{}: {} values agree, {} differ", site.display(), score.agreed, score.wrong.len());
    assert!(score.wrong.is_empty(), "{} values differ:\n  {}", score.wrong.len(), score.wrong.join("\n  "));
}
