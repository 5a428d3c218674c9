//! What is generated from the declarations and committed is up to date, and what is declared by hand exists.
//! `UPDATE=1 cargo test --test documents generated::` writes the files anew.

#![allow(clippy::unwrap_used, clippy::items_after_statements)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;

use libtest_mimic::Trial;
use moonstack::api;
use moonstack::base::clock::Clock;
use moonstack::reference::LuaText;
use moonstack::reference::help::Library;
use moonstack::reference::{page, stub};
use moonstack::script::Host;
use moonstack::script::loader::{Loader, SCRIPTS, documented};
use moonstack::site::Cx;
use moonstack::site::config::Loaded;
use moonstack::site::cx::Site;
use moonstack::world::World;
use moonstack::world::fs::eyes::LiveEyes;
use moonstack::world::scope::event::Blind;
use moonstack::world::seam::live::LiveHands;
use moonstack::world::state::journal::Journal;
use moonstack::world::state::store::Store;

use crate::common::trial::trial;

pub fn trials() -> Vec<Trial> {
    let lack = checker().is_none().then(|| "no emmylua_check".to_owned());
    vec![
        trial("generated::the_stubs_are_up_to_date", None, the_stubs_are_up_to_date),
        trial("generated::the_reference_page_is_up_to_date", None, the_reference_page_is_up_to_date),
        trial(
            "generated::what_is_declared_by_hand_is_bound_and_the_other_way_round",
            None,
            declared_is_bound,
        ),
        trial("generated::help_is_found_by_value_and_by_name", None, help_is_found),
        trial("generated::scripts_fit_the_stubs", lack, scripts_fit_the_stubs),
    ]
}

const HOW: &str = "run: UPDATE=1 cargo test --test documents generated::";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a folder's generated files with what they should be, or writes them.
fn compare(folder: &Path, expected: &[(String, String)], ending: &str) {
    let update = std::env::var_os("UPDATE").is_some();
    std::fs::create_dir_all(folder).unwrap();
    let names: BTreeSet<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(ending) && !names.contains(name.as_str()) {
            assert!(update, "{} is generated no more; {HOW}", entry.path().display());
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    for (name, text) in expected {
        let path = folder.join(name);
        if update {
            std::fs::write(&path, text).unwrap();
            continue;
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        if let Some(line) = first_difference(&found, text) {
            panic!("{}:{line} is not what the declarations say; {HOW}", path.display());
        }
    }
}

fn first_difference(a: &str, b: &str) -> Option<usize> {
    if a == b {
        return None;
    }
    let same = a.lines().zip(b.lines()).take_while(|(x, y)| x == y).count();
    Some(same + 1)
}

fn the_stubs_are_up_to_date() {
    compare(&root().join("stdlib/meta"), &stub::stubs(&api::registry()), ".lua");
}

fn the_reference_page_is_up_to_date() {
    let registry = api::registry();
    let library = Library {
        registry: &registry,
        modules: documented().map(|m| LuaText { name: m.name, text: m.text }).collect(),
        workflows: SCRIPTS.iter().map(|s| LuaText { name: s.name, text: s.text }).collect(),
    };
    compare(&root().join("stdlib/meta"), &[(String::from("reference.md"), page::page(&library))], ".md");
}

fn host(state: &Path) -> Host {
    let store = Arc::new(Store::at(state.join("state.db")));
    let journal = Arc::new(Journal::new(Arc::clone(&store), Clock::default()));
    let world = World {
        eyes: Arc::new(LiveEyes),
        hands: Arc::new(LiveHands::new(None)),
        watcher: Arc::new(Blind),
        clock: Clock::default(),
    };
    let site =
        Site::new(Loaded::default(), state.into(), store, journal, None, std::env::vars().collect(), None);
    let loader = Loader { eyes: Arc::new(LiveEyes), folders: Vec::new(), taken: Rc::default() };
    let cx = Cx { world, site: Arc::new(site) };
    Host::new(cx, Rc::new(api::registry()), loader, Rc::new(|_| Ok(()))).unwrap()
}

fn declared_is_bound() {
    let state = tempfile::tempdir().unwrap();
    let host = host(state.path());
    let registry = api::registry();
    let globals = host.lua().globals();
    let declared: BTreeSet<&str> = registry.handmade().iter().map(|h| h.path).collect();
    for path in &declared {
        let value: mlua::Value = host.lua().load(format!("return {path}")).eval().unwrap_or(mlua::Value::Nil);
        assert!(value.is_function(), "{path} is declared by hand, but nothing binds it");
    }
    // Names that no primitive explains, in modules and among the globals, must be declared or Lua's own.
    let modules = registry.modules();
    for module in &modules {
        let table: mlua::Table = globals.raw_get(*module).unwrap();
        for (name, _) in table.pairs::<String, mlua::Value>().flatten() {
            let path = format!("{module}.{name}");
            let known = declared.contains(path.as_str()) || registry.find(&path).is_some();
            assert!(known, "{path} is bound, but not declared");
        }
    }
    const LUA: &[&str] = &[
        "_G",
        "_VERSION",
        "assert",
        "collectgarbage",
        "coroutine",
        "error",
        "getmetatable",
        "ipairs",
        "load",
        "math",
        "next",
        "os",
        "pairs",
        "pcall",
        "print",
        "rawequal",
        "rawget",
        "rawlen",
        "rawset",
        "require",
        "select",
        "setmetatable",
        "string",
        "table",
        "tonumber",
        "tostring",
        "type",
        "utf8",
        "warn",
        "xpcall",
    ];
    for (name, _) in globals.pairs::<String, mlua::Value>().flatten() {
        let known = LUA.contains(&name.as_str())
            || modules.contains(&name.as_str())
            || declared.contains(name.as_str());
        assert!(known, "the global {name} is bound, but not declared");
    }
}

fn help_is_found() {
    let state = tempfile::tempdir().unwrap();
    let host = host(state.path());
    let registry = api::registry();
    let path_of = |code: &str| {
        let function: mlua::Function = host.lua().load(code).eval().unwrap();
        moonstack::script::help::path_of(host.lua(), &registry, &function)
    };
    for path in registry.iter().map(|p| p.path).chain(["task.map", "help", "fail"]) {
        assert_eq!(path_of(&format!("return {path}")).as_deref(), Some(path));
    }
    assert_eq!(path_of("return function() end"), None);
    host.lua().load("help(task.map) help(task) help() help('task.all')").exec().unwrap();
    let failed = host.lua().load("help('task.al')").exec().unwrap_err();
    let trouble = moonstack::script::value::error::from_error(&failed);
    assert_eq!(trouble.hints()[0], "did you mean 'task.all'?");
}

/// Uses what the stubs must allow.
const RIGHT: &str = r#"
local ok, e = pcall(fs.read, "/x")
if not ok and e.kind == "not_found" then print(e.message, e.hint) end
local numbers = task.map({ 1, 2 }, function(n) return n * 2 end, { limit = 2 })
print(numbers[1])
local text = fs.read("/etc/hosts")
print(text:upper())
print(time.format(0, { zone = "UTC" }), time.format({ seconds = 0 }))
help()
help(task)
"#;

/// Where `emmylua_check` may be: the variable, or on PATH.
fn checker() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("EMMYLUA_CHECK") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|d| d.join("emmylua_check")).find(|p| p.is_file())
}

/// Runs the checker over Lua texts together with the stubs and gives its report.
fn check(checker: &Path, files: &[(PathBuf, String)]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let stubs = folder.path().join("meta");
    std::fs::create_dir(&stubs).unwrap();
    for (name, text) in stub::stubs(&api::registry()) {
        std::fs::write(stubs.join(name), text).unwrap();
    }
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    std::fs::copy(root().join("tests/.emmyrc.json"), folder.path().join(".emmyrc.json")).unwrap();
    let output = Command::new(checker).arg("--warnings-as-errors").arg(folder.path()).output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &*String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

fn scripts_fit_the_stubs() {
    let checker = checker().expect("emmylua_check");
    let mut files = Vec::new();
    // The tests in Lua call wrongly on purpose; what is shipped must be clean.
    for folder in ["scripts", "stdlib"] {
        for entry in walkdir::WalkDir::new(root().join(folder)) {
            let path = entry.unwrap().into_path();
            // The stubs are there already, as they are made now.
            if path.extension().is_some_and(|e| e == "lua") && !path.starts_with(root().join("stdlib/meta")) {
                let name = path.strip_prefix(root()).unwrap().to_owned();
                files.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.push((PathBuf::from("right.lua"), String::from(RIGHT)));
    let (good, report) = check(&checker, &files);
    assert!(good, "{report}");
    // The check itself is checked: what is wrong must be found.
    for (wrong, word) in [
        ("local _ = task.mapp", "mapp"),
        ("fail(1, 2)", "string"),
        ("task.timeout({}, function() end)", "string"),
        ("local e = help(\"x\").nothing", "nothing"),
    ] {
        let (good, report) = check(&checker, &[(PathBuf::from("wrong.lua"), format!("{wrong}\n"))]);
        assert!(!good && report.contains(word), "{wrong} was not found:\n{report}");
    }
}
