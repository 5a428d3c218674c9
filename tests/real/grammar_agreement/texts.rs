//! Texts of specs in every form that the grammar allows, made of what a database holds, and of some that it refuses.

use moonstack::spack::spec::Dialect;
use moonstack::spack::store::node::Value;
use moonstack::spack::store::stores::{StoreEntry, Stores};
use serde::Serialize;

use crate::common::dice::Dice;

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// What is found, for words of a shell.
    Words(Vec<String>),
    /// Whether two texts are one spec.
    Pair([String; 2]),
}

pub struct Texts<'s, 'a> {
    dice: Dice,
    dialect: Dialect,
    entries: Vec<StoreEntry<'s, 'a>>,
    virtuals: Vec<String>,
}

/// A node in pieces, so that they can be put in another order.
#[derive(Clone)]
struct Written {
    head: String,
    tail: Vec<String>,
    edges: Vec<String>,
}

impl Written {
    fn text(&self) -> String {
        let parts = self.tail.iter().chain(&self.edges);
        parts.fold(self.head.clone(), |text, part| text + " " + part.as_str())
    }
}

impl<'s, 'a> Texts<'s, 'a> {
    pub fn new(dice: Dice, stores: &'s Stores<'a>, dialect: Dialect) -> Self {
        let virtuals = stores.databases()[0].virtuals().unwrap().keys().cloned().collect();
        Texts { dice, dialect, entries: stores.entries().collect(), virtuals }
    }

    pub fn questions(mut self, count: usize) -> Vec<Question> {
        (0..count).map(|at| if at % 3 == 0 { self.pair() } else { self.words() }).collect()
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.dice.below(n) == 0
    }

    fn entry(&mut self) -> StoreEntry<'s, 'a> {
        let at = self.dice.index(self.entries.len());
        self.entries[at]
    }

    fn one_of(&mut self, all: &[&'static str]) -> String {
        self.dice.one_of(all).to_owned()
    }

    fn words(&mut self) -> Question {
        let spec = self.spec();
        if self.one_in(3) {
            return Question::Words(vec![spec.text()]);
        }
        let mut words: Vec<String> = [spec.head].into_iter().chain(spec.tail).chain(spec.edges).collect();
        // As a shell hands over `name='a b'`: without the quotes.
        for word in words.iter_mut().filter(|word| !word.starts_with(['^', '%'])) {
            *word = word.replace(['\'', '"'], "");
        }
        if self.one_in(6) {
            let odd =
                self.one_of(&["ldflags=", "cflags=a;b", "", "build_system=x y", "os=a platform=b", "x=it's"]);
            words.push(odd);
        }
        Question::Words(words)
    }

    fn pair(&mut self) -> Question {
        let a = self.spec();
        let mut b = a.clone();
        match self.dice.below(5) {
            0 => b = self.spec(),
            1 => {
                b.tail.pop();
            }
            2 => b.head = b.head.replace('@', "@="),
            _ => {}
        }
        // `%` belongs to what stands before it, so only pieces without one may change places.
        if b.edges.iter().all(|edge| edge.starts_with('^') && !edge.contains('%')) || self.one_in(2) {
            b.edges.reverse();
        }
        b.tail.reverse();
        Question::Pair([a.text(), b.text()])
    }

    fn spec(&mut self) -> Written {
        let entry = self.entry();
        let mut spec = self.node(entry, true);
        for _ in 0..self.dice.below(4) {
            let edge = self.edge();
            spec.edges.push(edge);
        }
        spec
    }

    fn name(&mut self, entry: StoreEntry<'s, 'a>) -> String {
        let name = entry.record.name.to_string();
        let namespace = entry.record.namespace.as_deref().unwrap_or("builtin").to_owned();
        match self.dice.below(14) {
            0 => format!("{namespace}.{name}"),
            1 => format!("builtin.{name}"),
            2 => {
                let at = self.dice.index(self.virtuals.len());
                self.virtuals[at].clone()
            }
            3 if self.dialect == Dialect::Direct => self.one_of(&["*", "clang", "intel"]),
            _ => name,
        }
    }

    fn node(&mut self, entry: StoreEntry<'s, 'a>, named: bool) -> Written {
        let mut head = if named || !self.one_in(8) { self.name(entry) } else { String::new() };
        if self.one_in(3) {
            head += &self.version(entry);
        }
        let mut tail = Vec::new();
        for _ in 0..self.dice.below(4) {
            let part = match self.dice.below(8) {
                0..=2 => self.variant(entry),
                3 | 4 => self.architecture(entry),
                5 => self.one_of(&[
                    "cflags=-O3",
                    "cflags='-O3 -g'",
                    "cflags='-g -O3'",
                    "cflags==-O2",
                    "ldflags=\"-L/x -lm\"",
                    "cxxflags='-DX=\"a b\"'",
                    "cppflags=''",
                ]),
                6 => {
                    let namespace = entry.record.namespace.as_deref().unwrap_or("builtin");
                    format!("namespace={namespace}")
                }
                _ => {
                    let length = 1 + self.dice.index(7);
                    format!("/{}", &entry.record.hash[..length])
                }
            };
            tail.push(part);
        }
        if self.dialect == Dialect::Compiler && self.one_in(4) {
            tail.push(self.one_of(&[
                "%gcc",
                "%gcc@12",
                "%gcc@=12.2.0",
                "%clang",
                "% gcc @ :12",
                "%gcc@10,12",
            ]));
        }
        if self.one_in(12)
            && let Some(again) = tail.first().cloned()
        {
            tail.push(again);
        }
        Written { head, tail, edges: Vec::new() }
    }

    fn edge(&mut self) -> String {
        let entry = self.entry();
        let text = self.node(entry, false).text();
        let direct = self.dialect == Dialect::Direct;
        if direct && self.one_in(3) {
            return self.one_of(&[
                "%gcc",
                "%c=gcc",
                "%cxx=gcc",
                "%cxx,c=gcc@12",
                "%%gcc",
                "%[virtuals=c] gcc",
                "%[when=%c] gcc",
                "%[when='+shared' virtuals=cxx] gcc@12:",
                "%[deptypes=build] gcc",
                "%both",
                "%onlyc",
                "%parts",
                "%nag",
                "%gcc@10,12",
                "%clang",
                "%cxx=llvm",
                "%",
            ]);
        }
        // What has no name and properties is read in other ways by each release, and written in one that none reads.
        if text.is_empty() || text.starts_with([' ', '@', '*']) {
            return format!("^{text}");
        }
        match self.dice.below(12) {
            0 => format!("^[deptypes=build] {text}"),
            1 => format!("^[deptypes=link,build] {text}"),
            2 => format!("^[virtuals=mpi] {text}"),
            3 => format!("^[deptypes=all] {text}"),
            4 if direct => format!("%{text}"),
            5 if direct => format!("^[when=+shared] {text}"),
            6 => "^/".to_owned() + &entry.record.hash[..5],
            7 if direct => format!("^c={text}"),
            _ => format!("^{text}"),
        }
    }

    fn version(&mut self, entry: StoreEntry<'s, 'a>) -> String {
        let full = entry.node().unwrap().version.to_string();
        let short = full.split('.').next().unwrap_or("1").to_owned();
        let commit = "0123456789abcdef0123456789abcdef01234567";
        match self.dice.below(14) {
            0 => format!("@={full}"),
            1 => format!("@{full}"),
            2 => format!("@{short}:"),
            3 => format!("@:{full}"),
            4 => format!("@{full},{short}"),
            5 => format!("@{short},{full}"),
            6 => format!("@ {short}"),
            7 => format!("@{}", full.replace('.', "_")),
            8 => format!("@{commit}={full}"),
            9 => format!("@git.main={full}"),
            10 => {
                self.one_of(&["@nightly", "@:nightly", "@nightly:", "@stable:main", "@develop", "@1.0-rc1:"])
            }
            11 => format!("@{short}:{short}.9,{full}"),
            12 => format!("@{full}:{short}"),
            _ => format!("@:{short},{full}:"),
        }
    }

    fn variant(&mut self, entry: StoreEntry<'s, 'a>) -> String {
        let node = entry.node().unwrap();
        let variants: Vec<_> = node.variants().collect();
        if variants.is_empty() || self.one_in(5) {
            return self.one_of(&[
                "+shared",
                "~shared",
                "++shared",
                "shared=TRUE",
                "shared='false'",
                "x=none,a",
                "x='a b'",
                "dev_path=*",
                "commit==x",
                "patches=abc,def",
                "x:=b,a",
                "x:=a,b",
                "x=b,a",
                "x=*",
                "languages:='c,c++,fortran'",
                "languages='c++,c'",
            ]);
        }
        let (name, value) = variants[self.dice.index(variants.len())];
        match value {
            Value::Bool(on) => {
                let sign = if self.one_in(3) == *on { "~" } else { "+" };
                if self.one_in(4) { format!("{name}={}", sign == "+") } else { format!("{sign}{name}") }
            }
            Value::Text(text) => {
                let equals = self.one_of(&["=", "=", "==", ":="]);
                format!("{name}{equals}{text}")
            }
            Value::List(items) => {
                let mut some: Vec<String> = items.iter().map(ToString::to_string).collect();
                if self.one_in(2) {
                    some.reverse();
                }
                some.truncate(1 + self.dice.index(some.len()));
                let equals = self.one_of(&["=", ":="]);
                format!("{name}{equals}'{}'", some.join(","))
            }
        }
    }

    fn architecture(&mut self, entry: StoreEntry<'s, 'a>) -> String {
        let arch = &entry.node().unwrap().arch;
        let (platform, os) = (arch.platform.as_deref().unwrap_or(""), arch.os.as_deref().unwrap_or(""));
        let target = arch.target.as_deref().unwrap_or("");
        match self.dice.below(18) {
            0 => format!("arch={platform}-{os}-{target}"),
            1 => format!("arch={platform}-{os}-*"),
            2 => format!("arch={platform}--{target}"),
            3 => format!("arch={platform}-None-{target}"),
            4 => format!("arch={target}"),
            5 => format!("target={target}:"),
            6 => format!("target=:{target}"),
            7 => format!("target={target},haswell"),
            8 => format!("platform={platform}"),
            9 => format!("os={os}"),
            10 => self.one_of(&["os=fe", "os=default_os", "os=backend", "operating_system=be"]),
            11 => self.one_of(&["target=default_target", "target=fe", "target=backend", "target=frontend"]),
            12 => self.one_of(&["target=*", "os=*", "platform=*"]),
            13 => self.one_of(&["target=nosuch:", "target=:nosuch", "target=nosuch"]),
            14 => format!("target=x86_64:{target}"),
            15 => "target=''".to_owned(),
            16 => format!("os={os} target={target}"),
            _ => "target=x86_64_v3:".to_owned(),
        }
    }
}
