//! What `help(x)` prints: a function, a module, everything. Names are found in the registry first, then among
//! the Lua texts that came with the executable or lie in the site's folders.

use super::LuaText;
use super::lua_docs::{LuaDocs, LuaFunction};
use super::parts::{Argument, Parts, flow, summary};
use super::policy;
use super::signature::Signature;
use crate::api::handmade::Handmade;
use crate::api::{Primitive, Registry};
use crate::base::{Result, Trouble};
use crate::policy::SLOTS;

/// What help can speak about.
pub struct Library<'a> {
    pub registry: &'a Registry,
    /// Modules for `require`.
    pub modules: Vec<LuaText<'a>>,
    /// Workflows for `moonstack run`.
    pub workflows: Vec<LuaText<'a>>,
}

impl Library<'_> {
    /// Help for a name: `spack.find`, `spack`, `report`, `report.rows`, `health-sweep`, `defer`.
    pub fn about(&self, name: &str) -> Result<String> {
        self.find(name).ok_or_else(|| {
            let mut names = self.names();
            // Within a module the nearest is one of its own, not the module's name.
            if let Some((module, _)) = name.split_once('.') {
                let own = format!("{module}.");
                if names.iter().any(|n| n.starts_with(&own)) {
                    names.retain(|n| n.starts_with(&own));
                }
            }
            Trouble::unknown("help: name", name, names.iter().map(String::as_str))
                .hint("help() lists everything")
        })
    }

    fn find(&self, name: &str) -> Option<String> {
        let registry = self.registry;
        if let Some(found) = registry.find(name) {
            return Some(primitive(found));
        }
        if let Some(found) = registry.handmade().iter().find(|h| h.path == name) {
            return Some(handmade(found));
        }
        if registry.modules().contains(&name) {
            return Some(self.module(name));
        }
        if let Some(found) = self.modules.iter().find(|m| m.name == name) {
            return Some(lua_module(found));
        }
        if let Some(found) = self.workflows.iter().find(|w| w.name == name) {
            return Some(workflow(found));
        }
        if name == policy::MODULE {
            return Some(policy::overview());
        }
        let (module, function) = name.rsplit_once('.')?;
        if module == policy::MODULE {
            return SLOTS.iter().find(|s| s.name == function).map(policy::about);
        }
        let text = self.modules.iter().find(|m| m.name == module)?;
        let docs = LuaDocs::read(text.text);
        let found = docs.functions.iter().find(|f| short(&f.name) == function)?;
        Some(lua_function(found, name))
    }

    /// Every name that [`Library::about`] knows.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.registry.modules().into_iter().map(str::to_owned).collect();
        names.extend(self.registry.iter().map(|p| p.path.to_owned()));
        names.extend(self.registry.handmade().iter().map(|h| h.path.to_owned()));
        names.push(policy::MODULE.to_owned());
        names.extend(SLOTS.iter().map(|s| format!("{}.{}", policy::MODULE, s.name)));
        names.extend(self.modules.iter().chain(&self.workflows).map(|t| t.name.to_owned()));
        names
    }

    fn module(&self, module: &str) -> String {
        let mut rows: Vec<(String, String)> = self
            .registry
            .iter()
            .filter(|p| p.module() == module)
            .map(|p| {
                let parts = Parts::of(p);
                (parts.signature(p.path), summary(&parts.doc))
            })
            .collect();
        let by_hand = self.registry.handmade().iter().filter(|h| h.module() == module);
        rows.extend(by_hand.map(|h| (call(h), summary(&flow(h.doc)))));
        format!("{module}\n\n{}\nhelp(\"{module}.NAME\") tells more.\n", columns(&rows))
    }

    /// Everything, one line each.
    pub fn index(&self) -> String {
        let mut out = String::new();
        for module in self.registry.modules() {
            out.push_str(&format!("{module}: {}\n", self.registry.names(module).join(", ")));
        }
        let globals: Vec<&str> =
            self.registry.handmade().iter().filter(|h| h.module().is_empty()).map(|h| h.path).collect();
        out.push_str(&format!("globals: {}\n", globals.join(", ")));
        let slots: Vec<&str> = SLOTS.iter().map(|s| s.name).collect();
        out.push_str(&format!("{}: {}\n", policy::MODULE, slots.join(", ")));
        for (title, texts) in [("modules for require", &self.modules), ("workflows", &self.workflows)] {
            if !texts.is_empty() {
                let names: Vec<&str> = texts.iter().map(|t| t.name).collect();
                out.push_str(&format!("{title}: {}\n", names.join(", ")));
            }
        }
        out.push_str("\nhelp(\"MODULE\") or help(MODULE.FUNCTION) tells more.\n");
        out
    }
}

/// Help for one primitive.
pub fn primitive(primitive: &Primitive) -> String {
    let parts = Parts::of(primitive);
    let mut out = format!("{}\n  {}\n\n{}\n", parts.signature(primitive.path), parts.effect, parts.doc);
    for (title, positional) in [("Arguments", true), ("Options", false)] {
        let rows: Vec<(String, String)> = parts
            .arguments
            .iter()
            .filter(|a| a.positional == positional)
            .map(|a| (format!("{}: {}", a.name, a.kind), remark(a)))
            .collect();
        if !rows.is_empty() {
            out.push_str(&format!("\n{title}\n{}", columns(&rows)));
        }
    }
    out.push_str(&format!("\nGives\n  {}\n\nExample\n  {}\n", parts.result, primitive.example));
    out
}

/// The documentation of an argument with what must be known to leave it out.
fn remark(argument: &Argument) -> String {
    let state = match (&argument.default, argument.required) {
        (_, true) => String::from("required"),
        (Some(default), false) => format!("default {default}"),
        (None, false) => return argument.doc.clone(),
    };
    format!("{} ({state})", argument.doc)
}

pub fn handmade(handmade: &Handmade) -> String {
    let mut out = format!("{}\n\n{}\n", call(handmade), flow(handmade.doc));
    if let Some(signature) = Signature::read(handmade.signature) {
        let rows: Vec<(String, String)> =
            signature.parameters.iter().map(|p| (p.name.to_owned(), p.kind.to_owned())).collect();
        if !rows.is_empty() {
            out.push_str(&format!("\nArguments\n{}", columns(&rows)));
        }
        if let Some(result) = signature.result {
            out.push_str(&format!("\nGives\n  {result}\n"));
        }
    }
    out.push_str(&format!("\nExample\n  {}\n", handmade.example));
    out
}

fn call(handmade: &Handmade) -> String {
    Signature::read(handmade.signature)
        .map_or_else(|| handmade.path.to_owned(), |signature| signature.call(handmade.path))
}

fn lua_module(text: &LuaText) -> String {
    let docs = LuaDocs::read(text.text);
    let rows: Vec<(String, String)> = docs
        .functions
        .iter()
        .map(|f| (format!("{}.{}({})", text.name, short(&f.name), f.parameters), summary(&f.doc)))
        .collect();
    let mut out = format!("require(\"{}\")\n\n{}\n", text.name, docs.header);
    if !rows.is_empty() {
        out.push_str(&format!("\n{}", columns(&rows)));
    }
    out
}

fn workflow(text: &LuaText) -> String {
    let docs = LuaDocs::read(text.text);
    format!("workflow {0}\n\n{1}\n\nmoonstack run {0} --help lists its options.\n", text.name, docs.header)
}

/// Help for a Lua function from its comments.
pub fn lua_function(function: &LuaFunction, name: &str) -> String {
    let head = if function.parameters.is_empty() && !function.name.contains(short(name)) {
        name.to_owned()
    } else {
        format!("{name}({})", function.parameters)
    };
    let doc = if function.doc.is_empty() { "No documentation." } else { &function.doc };
    let mut out = format!("{head}\n\n{doc}\n");
    if !function.params.is_empty() {
        out.push_str(&format!("\nArguments\n{}", columns(&function.params)));
    }
    for class in &function.classes {
        out.push_str(&format!("\n{}\n{}", class.name, columns(&class.fields)));
    }
    if !function.returns.is_empty() {
        out.push_str(&format!("\nGives\n  {}\n", function.returns.join(", ")));
    }
    out
}

fn short(name: &str) -> &str {
    name.rsplit(['.', ':']).next().unwrap_or(name)
}

/// Two columns; the second wraps under itself.
pub(super) fn columns(rows: &[(String, String)]) -> String {
    const WIDTH: usize = 100;
    const LEFT: usize = 36;
    let length = |s: &str| s.chars().count();
    let left = rows.iter().map(|(l, _)| length(l)).filter(|n| *n <= LEFT).max().unwrap_or(LEFT);
    let mut out = String::new();
    for (name, doc) in rows {
        let mut line = format!("  {name}");
        let mut used = 2 + length(name);
        if length(name) > left && !doc.is_empty() {
            out.push_str(&line);
            out.push('\n');
            (line, used) = (String::new(), 0);
        }
        for word in doc.split_whitespace() {
            if used > left + 4 && used + 1 + length(word) > WIDTH {
                out.push_str(line.trim_end());
                out.push('\n');
                (line, used) = (String::new(), 0);
            }
            let gap = if used < left + 4 { left + 4 - used } else { 1 };
            line.push_str(&" ".repeat(gap));
            line.push_str(word);
            used += gap + length(word);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_wrap_under_themselves() {
        let rows = [("a".to_owned(), "word ".repeat(40)), ("long-name".to_owned(), "x".to_owned())];
        let text = columns(&rows);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.iter().all(|l| l.len() <= 100), "{text}");
        assert!(lines[1].starts_with("             word"), "{text}");
        assert_eq!(lines.last(), Some(&"  long-name  x"));
    }

    #[test]
    fn every_name_has_help() {
        let registry = crate::api::registry();
        let text = "--- Rows.\n\n--- Makes.\nfunction M.make(a) end\n";
        let library = Library {
            registry: &registry,
            modules: vec![LuaText { name: "report", text }],
            workflows: vec![LuaText { name: "sweep", text: "--- Looks around.\n" }],
        };
        for name in library.names() {
            assert!(library.about(&name).unwrap().len() > 20, "{name}");
        }
        let keep = library.about("policy.keep").unwrap();
        assert!(keep.contains("kind: \"run\" | \"snapshot\"") && keep.contains("rank < 20"), "{keep}");
        assert!(library.about("report.make").unwrap().starts_with("report.make(a)\n\nMakes."));
        let index = library.index();
        assert!(index.contains("task: all, map") && index.contains("workflows: sweep"), "{index}");
        let trouble = library.about("task.sette").unwrap_err();
        assert!(trouble.hints().iter().any(|h| h.contains("'task.settle'")), "{trouble}");
    }
}
