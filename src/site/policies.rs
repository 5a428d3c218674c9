//! The table `[policy]` of a site file: each expression is compiled, checked and tried when the file is read, and
//! what is wrong with it is shown where it stands in the file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use crate::base::trouble::Place;
use crate::base::{Kind, Result, Trouble};
use crate::policy::{Expression, Policies, slot};

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    policy: BTreeMap<Spanned<String>, Spanned<String>>,
}

/// Adds a file's policies to those of the files before it.
pub fn read(path: &Path, text: &str, policies: &mut Policies) -> Result<()> {
    let file: File = toml::from_str(text)
        .map_err(|e| Trouble::new(Kind::Configuration, format!("{}: {}", path.display(), e.message())))?;
    for (name, expression) in &file.policy {
        let found = slot(name.get_ref()).map_err(|unknown| {
            let place = place(path, text, name.span().start);
            let mut trouble =
                Trouble::new(Kind::Configuration, format!("{}: {}", shown(&place), unknown.message()))
                    .fact("name", name.get_ref().as_str());
            for hint in unknown.hints() {
                trouble = trouble.hint(hint);
            }
            trouble.at(place)
        })?;
        let compiled = Expression::check(found, expression.get_ref()).map_err(|flaw| {
            let span = expression.span();
            let raw = text.get(span.clone()).unwrap_or_default();
            let within = within(raw, flaw.offset.unwrap_or_default());
            let place = place(path, text, span.start + within);
            flaw.into_trouble(found.name, expression.get_ref()).about(shown(&place)).at(place)
        })?;
        policies.set(found, compiled, path.display().to_string());
    }
    Ok(())
}

fn shown(place: &Place) -> String {
    format!("{}:{}", place.file, place.line)
}

fn place(path: &Path, text: &str, at: usize) -> Place {
    let before = text.get(..at).unwrap_or_default();
    let line = 1 + before.matches('\n').count() as u32;
    let column = 1 + before.rsplit('\n').next().map_or(0, str::len) as u32;
    Place { file: path.display().to_string(), line, column }
}

/// How far into a TOML string, quotes and escapes included, stands what is `offset` bytes into its value.
fn within(raw: &str, offset: usize) -> usize {
    let Some(quotes) = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|q| raw.starts_with(q)) else {
        return 0;
    };
    let mut at = quotes.len();
    let rest = |at: usize| raw.get(at..).unwrap_or_default();
    if quotes.len() == 3 {
        // The line break after the quotes is not part of the value.
        at += ["\r\n", "\n"].into_iter().find(|b| rest(at).starts_with(b)).map_or(0, str::len);
    }
    let mut value = 0;
    while value < offset {
        let Some(letter) = rest(at).chars().next() else { break };
        let escaped = quotes.starts_with('"') && letter == '\\';
        let length = match rest(at).chars().nth(1) {
            Some('u') if escaped => 6,
            Some('U') if escaped => 10,
            Some(next) if escaped && next.is_whitespace() => {
                let blank = rest(at + 1).len() - rest(at + 1).trim_start().len();
                at += 1 + blank;
                continue;
            }
            Some(_) if escaped => 2,
            _ => letter.len_utf8(),
        };
        // What an escape stands for is one character, nearly always of one byte.
        value += if escaped { 1 } else { letter.len_utf8() };
        at += length;
    }
    at.min(raw.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Trouble {
        read(Path::new("site.toml"), text, &mut Policies::default()).unwrap_err()
    }

    #[test]
    fn a_fault_is_shown_where_it_stands_in_the_file() {
        let cases = [
            ("[policy]\nkeep = 'ok || pined'\n", 2, 15),
            ("[policy]\nkeep = \"ok || pined\"\n", 2, 15),
            ("[policy]\nkeep = \"name == \\\"\\u0041\\\" || pined\"\n", 2, 31),
            ("\n[policy]\nkeep = '''\nok\n|| pined'''\n", 5, 4),
            ("[policy]\nkeep = \"\"\"ok \\\n   || pined\"\"\"\n", 3, 7),
            ("policy.keep = 'pined'", 1, 16),
            ("[policy]\nretry = '10'\nkeep = '1'\n", 3, 9),
        ];
        for (text, line, column) in cases {
            let trouble = refused(text);
            let place = trouble.place().unwrap();
            assert_eq!((place.line, place.column), (line, column), "{text}: {trouble}");
            assert_eq!(trouble.kind(), Kind::Configuration);
            assert!(trouble.message().starts_with(&format!("site.toml:{line}: policy keep: ")), "{trouble}");
        }
    }

    #[test]
    fn an_unknown_slot_is_refused_and_later_files_win() {
        let trouble = refused("[policy]\nretry = '10'\nkeeep = 'true'\n");
        assert!(trouble.message().contains("site.toml:3: policy 'keeep' does not exist"), "{trouble}");
        assert_eq!(trouble.hints(), ["did you mean 'keep'?"]);
        let mut policies = Policies::default();
        for (file, text) in [("a.toml", "policy.keep = 'ok'"), ("b.toml", "policy.keep = '!ok'")] {
            read(Path::new(file), text, &mut policies).unwrap();
        }
        let given = policies.given(slot("keep").unwrap()).unwrap();
        assert_eq!((given.expression.text(), given.file.as_str()), ("!ok", "b.toml"));
        assert!(policies.given(slot("retry").unwrap()).is_none());
    }
}
