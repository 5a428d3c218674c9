//! Errors for people: what is wrong, the line of the script, what to do; the rest only for those who ask.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

use super::plain::{plain, told};
use crate::base::trouble::Place;
use crate::base::{Trouble, chunk_names, redact};

/// How it is to be shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct TroubleStyle {
    pub colour: bool,
    pub verbose: bool,
}

/// The form of `--json`: one object, so that no program must guess whether it reads a result.
pub fn json(trouble: &Trouble) -> Value {
    json!({ "error": redact::value(None, &trouble.to_json()) })
}

/// `source` gives the text of a file by the name that the error carries.
pub fn render(trouble: &Trouble, source: &dyn Fn(&str) -> Option<String>, look: TroubleStyle) -> String {
    let renderer = if look.colour { Renderer::styled() } else { Renderer::plain() };
    let title = Level::ERROR.primary_title(told(trouble.message()));
    let notes = if look.verbose { details(trouble) } else { Vec::new() };
    let snippet = trouble.place().and_then(|p| source(&p.file).and_then(|text| excerpt(&text, p, trouble)));
    let Some(snippet) = snippet else {
        return without_excerpt(trouble, &renderer.render(&[Group::with_title(title)]), &notes);
    };
    let mut group = Group::with_title(title).element(snippet);
    for hint in trouble.hints() {
        group = group.element(Level::HELP.with_name("hint").message(told(hint)));
    }
    for note in notes {
        group = group.element(Level::NOTE.message(note));
    }
    renderer.render(&[group])
}

/// The title, then plain lines: a frame around nothing only takes space.
fn without_excerpt(trouble: &Trouble, title: &str, notes: &[String]) -> String {
    let mut out = title.trim_end().to_owned();
    if let Some(place) = trouble.place() {
        out.push_str(&format!("\n  at {}:{}", plain(&place.file), place.line));
    }
    for hint in trouble.hints() {
        out.push_str(&format!("\n  hint: {}", told(hint)));
    }
    for note in notes {
        out.push_str(&format!("\n  note: {note}"));
    }
    out
}

/// The line with the word that is meant marked, or all of the line.
fn excerpt<'a>(
    text: &str,
    place: &'a Place,
    trouble: &Trouble,
) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let line = text.lines().nth(usize::try_from(place.line).ok()?.checked_sub(1)?)?;
    // A script may hold what must not get into a log.
    let line = told(&line.replace('\t', "    "));
    let whole = line.len() - line.trim_start().len()..line.trim_end().len();
    if whole.is_empty() {
        return None;
    }
    let named = trouble.facts().get("name").and_then(Value::as_str).and_then(|name| word(&line, name));
    let column = usize::try_from(place.column)
        .ok()?
        .checked_sub(1)
        .filter(|c| line.is_char_boundary(*c) && *c < line.len());
    let span = named.or(column.map(|c| c..whole.end.max(c + 1))).unwrap_or(whole);
    let start = usize::try_from(place.line).ok()?;
    Some(
        Snippet::source(line)
            .line_start(start)
            .path(plain(&place.file))
            .annotation(AnnotationKind::Primary.span(span)),
    )
}

/// Where a whole word stands in a line.
fn word(line: &str, name: &str) -> Option<std::ops::Range<usize>> {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).filter(|_| !name.is_empty()).find_map(|(at, _)| {
        let end = at + name.len();
        let alone = !line[..at].ends_with(inside) && !line[end..].starts_with(inside);
        alone.then_some(at..end)
    })
}

/// Kind, facts, causes and the calls that led here.
fn details(trouble: &Trouble) -> Vec<String> {
    let mut out = vec![format!("kind: {}", trouble.kind())];
    for (name, value) in trouble.facts() {
        let value = redact::value(Some(name), value);
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        out.push(format!("{name}: {text}"));
    }
    let mut cause = std::error::Error::source(trouble);
    while let Some(error) = cause {
        out.push(format!("caused by: {error}"));
        cause = error.source();
    }
    let calls = trouble.traceback().map(calls).unwrap_or_default();
    out.extend(calls.into_iter().map(|c| format!("called from {c}")));
    out.iter().map(|note| told(note)).collect()
}

/// The lines of a Lua traceback that are the script's own.
fn calls(traceback: &str) -> Vec<String> {
    traceback
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !l.starts_with("stack traceback") && !l.starts_with("[C]"))
        .filter(|l| !chunk_names::is_ours(l) && !l.starts_with('=') && !l.starts_with("..."))
        .take(12)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_calls_only_those_of_scripts_are_told() {
        let own = format!("\t{}:9: in function 'pcall'", chunk_names::file("prelude"));
        let text = [
            "stack traceback:",
            "\t[C]: in ?",
            "\tsite.lua:2: in upvalue 'f'",
            &own,
            "\t...",
            "\t=x:1: in ?",
        ];
        assert_eq!(calls(&text.join("\n")), ["site.lua:2: in upvalue 'f'"]);
    }

    #[test]
    fn a_word_is_found_whole() {
        assert_eq!(word("jobs_x = jobs", "jobs"), Some(9..13));
        assert_eq!(word("jobs_x", "jobs"), None);
        assert_eq!(word("é jobs", "jobs"), Some(3..7));
        assert_eq!(word("x", ""), None);
    }
}
