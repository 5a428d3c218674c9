//! Reads the `---` comments of Lua modules and workflows: what a file is for, and each documented function.

/// A documented function of a Lua text.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LuaFunction {
    /// As written: `M.rows`, `report.rows`.
    pub name: String,
    /// The parameters in parentheses, as written.
    pub parameters: String,
    /// The line of `function`, from one.
    pub line: usize,
    pub doc: String,
    /// *(name, type and text)* of each `@param`.
    pub params: Vec<(String, String)>,
    pub returns: Vec<String>,
    /// The tables that its parameters and results name, and those that these name.
    pub classes: Vec<LuaClass>,
}

/// A table whose fields are documented: `---@class`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LuaClass {
    pub name: String,
    /// *(name, type and text)* of each `@field`.
    pub fields: Vec<(String, String)>,
}

/// What the comments of one file say.
#[derive(Debug, Default)]
pub struct LuaDocs {
    /// The comment at the top of the file.
    pub header: String,
    pub functions: Vec<LuaFunction>,
}

impl LuaDocs {
    pub fn read(text: &str) -> LuaDocs {
        let mut docs = LuaDocs { header: header(text), functions: Vec::new() };
        let classes = classes(text);
        let mut comment: Vec<&str> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if let Some(rest) = line.trim_start().strip_prefix("---") {
                comment.push(rest.trim());
                continue;
            }
            if let Some((name, parameters)) = definition(line)
                && !comment.is_empty()
                && !line.trim_start().starts_with("local function")
                // By custom, what begins so is the module's own business.
                && !name.rsplit(['.', ':']).next().is_some_and(|n| n.starts_with('_'))
            {
                let mut found = function(name, parameters, index + 1, &comment);
                found.classes = named(&found, &classes);
                docs.functions.push(found);
            }
            comment.clear();
        }
        docs
    }

    /// The documentation right above a line, documented or not.
    pub fn at(text: &str, line: usize) -> Option<LuaFunction> {
        let lines: Vec<&str> = text.lines().collect();
        let index = line.checked_sub(1)?;
        let code = lines.get(index)?;
        let (name, parameters) = definition(code).unwrap_or((code.trim(), ""));
        let above = lines.get(..index)?;
        let mut comment: Vec<&str> =
            above.iter().rev().map_while(|l| l.trim_start().strip_prefix("---").map(str::trim)).collect();
        comment.reverse();
        let mut found = function(name, parameters, line, &comment);
        found.classes = named(&found, &classes(text));
        Some(found)
    }
}

/// The first block of comments, whether with two or three dashes.
fn header(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .skip_while(|l| l.starts_with("#!") || l.trim().is_empty())
        .map_while(|l| l.strip_prefix("--"))
        .map(|l| l.trim_start_matches('-').trim())
        .filter(|l| !l.starts_with('@'))
        .collect();
    super::parts::flow(&lines.join("\n"))
}

/// `function M.x(a, b)`, `local function x(a)`, `M.x = function(a)`.
fn definition(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let line = line.strip_prefix("local ").unwrap_or(line);
    let (head, rest) = line.split_once('(')?;
    let parameters = rest.split(')').next().unwrap_or_default().trim();
    let name = match head.trim().strip_prefix("function ") {
        Some(name) => name.trim(),
        None => head.trim().strip_suffix("function")?.trim().strip_suffix('=')?.trim(),
    };
    (!name.is_empty() && !name.contains(' ')).then_some((name, parameters))
}

fn function(name: &str, parameters: &str, line: usize, comment: &[&str]) -> LuaFunction {
    let mut out = LuaFunction {
        name: name.to_owned(),
        parameters: parameters.to_owned(),
        line,
        ..LuaFunction::default()
    };
    let mut doc = Vec::new();
    for line in comment {
        match line.split_once(char::is_whitespace) {
            Some(("@param", rest)) => {
                let (name, rest) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
                out.params.push((name.to_owned(), rest.trim().to_owned()));
            }
            Some(("@return", rest)) => out.returns.push(rest.trim().to_owned()),
            _ if line.starts_with('@') => {}
            _ => doc.push(*line),
        }
    }
    out.doc = super::parts::flow(&doc.join("\n"));
    out
}

/// Every `---@class` block with fields.
fn classes(text: &str) -> Vec<LuaClass> {
    let mut found: Vec<LuaClass> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        let Some(line) = line.trim_start().strip_prefix("---") else {
            open = false;
            continue;
        };
        if let Some(rest) = line.trim().strip_prefix("@class ") {
            let name = rest.trim_start_matches("(exact)").split_whitespace().next().unwrap_or_default();
            let parent = rest.split_once(": ").and_then(|(_, p)| p.split_whitespace().next());
            let inherited = parent.map(|p| (String::from("…"), format!("what {p} has")));
            let fields = inherited.into_iter().collect();
            found.push(LuaClass { name: name.trim_end_matches(':').to_owned(), fields });
            open = true;
        } else if let (true, Some(rest), Some(class)) =
            (open, line.trim().strip_prefix("@field "), found.last_mut())
            && let Some((name, rest)) = rest.trim().split_once(char::is_whitespace)
        {
            let name = name.replace("[\"", "").replace("\"]", "");
            class.fields.push((name, rest.trim().to_owned()));
        }
    }
    found.retain(|class| !class.fields.is_empty());
    found
}

/// The classes that types name, then those that their fields name, and so on.
fn named(function: &LuaFunction, classes: &[LuaClass]) -> Vec<LuaClass> {
    let word = |c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_';
    let mut found: Vec<LuaClass> = Vec::new();
    let results = function.returns.iter().map(|text| (String::new(), text.clone()));
    let mut rows: Vec<(String, String)> = function.params.iter().cloned().chain(results).collect();
    while !rows.is_empty() {
        let names =
            |class: &LuaClass| rows.iter().any(|(_, kind)| kind.split(word).any(|part| part == class.name));
        let new: Vec<LuaClass> = classes.iter().filter(|c| !found.contains(c) && names(c)).cloned().collect();
        rows = new.iter().flat_map(|class| class.fields.clone()).collect();
        found.extend(new);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "--- Reports for people.\n--- Second line.\n\nlocal M = {}\n\n--- Makes rows.\n---@param items any[] What to show.\n---@return string[]\nfunction M.rows(items, width)\nend\n\n-- private\nfunction M.hidden() end\n\n--- Adds.\nM.add = function(a) end\nreturn M\n";

    #[test]
    fn documented_functions_are_found() {
        let docs = LuaDocs::read(TEXT);
        assert_eq!(docs.header, "Reports for people. Second line.");
        let names: Vec<&str> = docs.functions.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["M.rows", "M.add"]);
        let rows = &docs.functions[0];
        assert_eq!(
            (rows.parameters.as_str(), rows.line, rows.doc.as_str()),
            ("items, width", 9, "Makes rows.")
        );
        assert_eq!(rows.params, [("items".to_owned(), "any[] What to show.".to_owned())]);
        assert_eq!(rows.returns, ["string[]"]);
    }

    #[test]
    fn tables_that_parameters_name_are_documented() {
        let text = "---@class (exact) M.Options\n---@field max? integer most\n---@field on M.Kind[]\n\n---@class M.Kind: M.Base\n\
                    ---@field [\"package\"]? string of\n\n---@class M.Other\n---@field x integer\n\n---@class M.Base\n---@field y integer\n\n---@class M.Given\n---@field z integer\n\n---@class M\nlocal M = {}\n\
                    --- Does.\n---@param o M.Options?\n---@return M.Given\nfunction M.run(o) end\n---@param o any\nfunction M._own(o) end\n";
        let docs = LuaDocs::read(text);
        assert_eq!(docs.functions.len(), 1);
        let field = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let expected = [
            ("M.Options", vec![field("max?", "integer most"), field("on", "M.Kind[]")]),
            ("M.Given", vec![field("z", "integer")]),
            ("M.Kind", vec![field("…", "what M.Base has"), field("package?", "string of")]),
            ("M.Base", vec![field("y", "integer")]),
        ];
        let got: Vec<(&str, _)> =
            docs.functions[0].classes.iter().map(|c| (c.name.as_str(), c.fields.clone())).collect();
        assert_eq!(got, expected);
        assert_eq!(LuaDocs::at(text, 22).unwrap().classes.len(), 4);
    }

    #[test]
    fn a_function_is_found_by_its_line() {
        assert_eq!(LuaDocs::at(TEXT, 9).unwrap().doc, "Makes rows.");
        assert_eq!(LuaDocs::at(TEXT, 13).unwrap().doc, "");
        assert_eq!(LuaDocs::at(TEXT, 0), None);
        assert_eq!(LuaDocs::at(TEXT, 99), None);
    }
}
