//! Reads the signatures of what is declared by hand: `fun(a: T, b?: T): R`.

/// A parameter of a signature.
#[derive(Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    pub name: &'a str,
    pub optional: bool,
    pub kind: &'a str,
}

/// A signature taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Signature<'a> {
    pub parameters: Vec<Parameter<'a>>,
    pub result: Option<&'a str>,
}

impl<'a> Signature<'a> {
    pub fn read(text: &'a str) -> Option<Signature<'a>> {
        let inner = text.strip_prefix("fun(")?;
        let end = closing(inner)?;
        let parameters = split(&inner[..end])
            .into_iter()
            .filter(|p| !p.is_empty())
            .map(|p| {
                let (name, kind) = p.split_once(':').unwrap_or((p, "any"));
                let plain = name.trim().trim_end_matches('?');
                Parameter { name: plain, optional: name.trim().ends_with('?'), kind: kind.trim() }
            })
            .collect();
        let result = inner[end + 1..].trim().strip_prefix(':').map(str::trim);
        Some(Signature { parameters, result })
    }

    /// `task.map(items, each, options?)`.
    pub fn call(&self, path: &str) -> String {
        let names: Vec<String> = self
            .parameters
            .iter()
            .map(|p| format!("{}{}", p.name, if p.optional { "?" } else { "" }))
            .collect();
        format!("{path}({})", names.join(", "))
    }

    /// The keys of the table that is the last parameter, if that is one.
    pub fn option_keys(&self) -> Vec<&'a str> {
        let Some(last) = self.parameters.last() else { return Vec::new() };
        let Some(body) = last.kind.strip_prefix('{').and_then(|k| k.strip_suffix('}')) else {
            return Vec::new();
        };
        split(body)
            .into_iter()
            .filter_map(|field| field.split_once(':'))
            .map(|(name, _)| name.trim().trim_end_matches('?'))
            .collect()
    }
}

/// Where the bracket that is open at the start closes.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '{' | '[' | '<' => depth += 1,
            ')' if depth == 0 => return Some(at),
            ')' | '}' | ']' | '>' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Splits at the commas that are within no bracket.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_i32, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' | '{' | '[' | '<' => depth += 1,
            ')' | '}' | ']' | '>' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_brackets_stay_together() {
        let s = Signature::read("fun(each: fun(a: any, b: integer): any, options?: { limit?: integer, n: table<string, any> }): any[]").unwrap();
        assert_eq!(s.call("f"), "f(each, options?)");
        assert_eq!(s.parameters[0].kind, "fun(a: any, b: integer): any");
        assert_eq!(s.result, Some("any[]"));
        assert_eq!(s.option_keys(), ["limit", "n"]);
        assert_eq!(Signature::read("fun(): nil").unwrap().parameters, []);
        assert!(Signature::read("table").is_none());
    }

    #[test]
    fn every_declared_signature_is_read() {
        for handmade in crate::api::registry().handmade() {
            assert!(Signature::read(handmade.signature).is_some(), "{}", handmade.path);
        }
    }
}
