//! Queries that fit a database: made of its names, versions, variants and edges, and now and then of what it
//! does not hold.

use moonstack::spack::spec::Dialect;
use moonstack::spack::store::database::State;
use moonstack::spack::store::node::Value;
use moonstack::spack::store::stores::{StoreEntry, Stores};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct Asked {
    pub text: String,
    pub explicit: Option<bool>,
    pub states: Vec<&'static str>,
    pub hashes: Option<Vec<String>>,
}

impl Asked {
    pub fn states(&self) -> Vec<State> {
        let state = |name: &&str| match *name {
            "installed" => State::Installed,
            "missing" => State::Missing,
            _ => State::Deprecated,
        };
        self.states.iter().map(state).collect()
    }

    pub fn default_states(&self) -> bool {
        self.states == ["installed"]
    }
}

pub struct Generator<'s, 'a> {
    state: u64,
    stores: &'s Stores<'a>,
    entries: Vec<StoreEntry<'s, 'a>>,
    virtuals: Vec<String>,
    dialect: Dialect,
}

impl<'s, 'a> Generator<'s, 'a> {
    pub fn new(seed: u64, stores: &'s Stores<'a>, dialect: Dialect) -> Self {
        let virtuals = stores.databases()[0].virtuals().unwrap().keys().cloned().collect();
        Generator { state: seed | 1, stores, entries: stores.entries().collect(), virtuals, dialect }
    }

    pub fn queries(mut self, count: usize) -> Vec<Asked> {
        (0..count).map(|_| self.query()).collect()
    }

    fn below(&mut self, n: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state % n.max(1) as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    fn entry(&mut self) -> StoreEntry<'s, 'a> {
        let at = self.below(self.entries.len());
        self.entries[at]
    }

    fn query(&mut self) -> Asked {
        let entry = self.entry();
        let mut text = if self.one_in(12) { self.special(entry) } else { self.node(entry, true) };
        if self.one_in(3) {
            text = format!("{text} {}", self.dependency(entry));
        }
        if self.one_in(25) {
            let other = self.entry();
            text = format!("{text} {}", self.node(other, true));
        }
        let explicit = [None, None, None, None, Some(true), Some(false)][self.below(6)];
        let states = match self.below(15) {
            0 => vec!["installed", "missing", "deprecated"],
            1 => vec!["missing"],
            _ => vec!["installed"],
        };
        let hashes = self.one_in(8).then(|| {
            let half: Vec<StoreEntry<'_, '_>> = self.entries.clone();
            half.iter().filter(|_| self.one_in(2)).map(|e| e.record.hash.to_owned()).collect()
        });
        Asked { text: text.trim().to_owned(), explicit, states, hashes }
    }

    /// Virtuals, hashes and specs without a name.
    fn special(&mut self, entry: StoreEntry<'s, 'a>) -> String {
        let hash = entry.record.hash;
        let length = 1 + self.below(8);
        match self.below(5) {
            0 => format!("/{}", &hash[..length]),
            1 => format!("{}/{}", entry.record.name, &hash[..length]),
            2 => self.pick(&self.virtuals.clone()),
            3 => format!("{}@{}:", self.pick(&self.virtuals.clone()), self.below(5)),
            _ => self.constraints(entry, 1),
        }
    }

    fn node(&mut self, entry: StoreEntry<'s, 'a>, compilers: bool) -> String {
        let name = match self.below(12) {
            0 => format!(
                "{}.{}",
                entry.node().unwrap().namespace.as_deref().unwrap_or("builtin"),
                entry.record.name
            ),
            1 => format!("builtin.{}", entry.record.name),
            2 => self.entry().record.name.to_string(),
            _ => entry.record.name.to_string(),
        };
        let count = self.below(3);
        let mut text = format!("{name}{}", self.constraints(entry, count));
        if compilers && self.one_in(6) {
            let compiler = self.compiler();
            text = format!("{text} {compiler}");
        }
        text
    }

    fn compiler(&mut self) -> String {
        let known = ["%gcc", "%gcc@12", "%gcc@:11", "%gcc@=12.2.0", "%clang", "%gcc@11:12"];
        let modern = [
            "%c=gcc",
            "%c,cxx=gcc@12",
            "%fortran=gcc",
            "%cmake",
            "%[virtuals=c] gcc",
            "%gcc-runtime",
            "%c",
            "%[deptypes=link] gcc",
        ];
        if self.dialect == Dialect::Direct && self.one_in(2) {
            self.pick(&modern).to_owned()
        } else {
            self.pick(&known).to_owned()
        }
    }

    fn dependency(&mut self, entry: StoreEntry<'s, 'a>) -> String {
        let below = self.stores.edges(entry, |_| true).unwrap();
        let (edge, child) = if below.is_empty() || self.one_in(6) {
            let other = self.entry();
            let name = self.pick(&self.virtuals.clone());
            return if self.one_in(2) { format!("^{name}") } else { format!("^{}", other.record.name) };
        } else {
            below[self.below(below.len())]
        };
        match (edge.virtuals.first(), self.below(4)) {
            (Some(name), 0) => format!("^{name}"),
            (Some(name), 1) => format!("^[virtuals={name}] {}", child.record.name),
            (Some(name), 2) if self.dialect == Dialect::Direct => format!("^{name}={}", child.record.name),
            _ => {
                let inner = self.dialect == Dialect::Direct;
                format!("^{}", self.node(child, inner))
            }
        }
    }

    fn constraints(&mut self, entry: StoreEntry<'s, 'a>, count: usize) -> String {
        let mut version = String::new();
        let mut rest: Vec<String> = Vec::new();
        let mut arch = false;
        for _ in 0..count {
            match self.below(8) {
                0..=2 => version = self.version(entry),
                3..=5 => {
                    let variant = self.variant(entry);
                    let key = |s: &str| {
                        s.trim_start_matches(['+', '~']).split([':', '=']).next().unwrap_or("").to_owned()
                    };
                    if rest.iter().all(|r| key(r) != key(&variant)) {
                        rest.push(variant);
                    }
                }
                6 if !arch => {
                    arch = true;
                    rest.push(self.architecture(entry));
                }
                _ => rest.push(self.pick(&["cflags=-O3", "ldlibs='-lm -lz'"]).to_owned()),
            }
        }
        let rest = rest.iter().fold(String::new(), |all, one| all + " " + one.as_str());
        format!("{version}{rest}")
    }

    fn version(&mut self, entry: StoreEntry<'s, 'a>) -> String {
        let from = if self.one_in(4) { self.entry() } else { entry };
        let full = from.node().unwrap().version.to_string();
        let parts: Vec<&str> = full.split('.').collect();
        let short = parts[..=self.below(parts.len())].join(".");
        match self.below(9) {
            0 => format!("@={full}"),
            1 => format!("@{full}"),
            2 => format!("@{short}"),
            3 => format!("@{short}:"),
            4 => format!("@:{short}"),
            5 => format!("@:{full}"),
            6 => format!("@{short}:{full}"),
            7 => format!("@0.1,{short}"),
            _ => format!("@={short}"),
        }
    }

    fn variant(&mut self, entry: StoreEntry<'s, 'a>) -> String {
        let node = entry.node().unwrap();
        let variants: Vec<_> = node.variants().collect();
        if variants.is_empty() || self.one_in(12) {
            return self
                .pick(&[
                    "+shared",
                    "~shared",
                    "+mpi",
                    "build_system=cmake",
                    "build_type=Release",
                    "++shared",
                    "~~mpi",
                ])
                .to_owned();
        }
        let (name, value) = variants[self.below(variants.len())];
        let equals = match self.below(10) {
            0 if &**name != "patches" && &**name != "build_system" => "==",
            1 if self.dialect == Dialect::Direct => ":=",
            _ => "=",
        };
        if self.one_in(10) {
            return format!("{name}=*");
        }
        match value {
            Value::Bool(on) => {
                let on = if self.one_in(3) { !on } else { *on };
                match self.below(4) {
                    0 => format!("{name}={on}"),
                    1 if name.len() > 2 => format!("{}{name}", if on { "++" } else { "~~" }),
                    _ => format!("{}{name}", if on { "+" } else { "~" }),
                }
            }
            Value::Text(text) => format!("{name}{equals}{text}"),
            Value::List(items) if items.is_empty() => format!("{name}=none"),
            Value::List(items) => {
                let count = 1 + self.below(items.len());
                let cut = if &**name == "patches" { 10 } else { 100 };
                let some: Vec<String> =
                    items[..count].iter().map(|i| i.chars().take(cut).collect()).collect();
                format!("{name}{equals}{}", some.join(","))
            }
        }
    }

    fn architecture(&mut self, entry: StoreEntry<'s, 'a>) -> String {
        let arch = &entry.node().unwrap().arch;
        let (platform, os) = (arch.platform.as_deref().unwrap_or(""), arch.os.as_deref().unwrap_or(""));
        let target = arch.target.as_deref().unwrap_or("");
        match self.below(10) {
            0 => format!("arch={platform}-{os}-{target}"),
            1 => format!("target={target}"),
            2 => "target=x86_64_v3:".to_owned(),
            3 => "target=x86_64_v4:".to_owned(),
            4 => format!("target=:{target}"),
            5 => format!("os={os}"),
            6 => format!("platform={platform}"),
            7 => "target=x86_64:,aarch64".to_owned(),
            8 => format!("platform={platform} target=zen:"),
            _ => "os=* target=aarch64:".to_owned(),
        }
    }
}
