//! Colours for a line of Lua.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};

use super::lex::{Kind, tokens};

/// The line with colours; the same text, the same width.
pub fn highlight(line: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(line.len() * 2);
    let mut done = 0;
    for token in tokens(line) {
        let Some(style) = style(token.kind) else { continue };
        out.push_str(&line[done..token.range.start]);
        out.push_str(&format!("{style}{}{style:#}", &line[token.range.clone()]));
        done = token.range.end;
    }
    if done == 0 {
        return Cow::Borrowed(line);
    }
    out.push_str(&line[done..]);
    Cow::Owned(out)
}

fn style(kind: Kind) -> Option<Style> {
    let colour = match kind {
        Kind::Keyword => AnsiColor::Magenta,
        Kind::Number => AnsiColor::Cyan,
        Kind::Text | Kind::OpenText => AnsiColor::Green,
        Kind::Comment => AnsiColor::BrightBlack,
        Kind::Name | Kind::Mark => return None,
    };
    Some(Style::new().fg_color(Some(colour.into())))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_text_stays() {
        for line in ["local s = \"é\" -- x", "", "a.b", "'open", "1 + [[x]] y"] {
            let shown = super::highlight(line);
            assert_eq!(anstream::adapter::strip_str(&shown).to_string(), line);
        }
        assert!(super::highlight("return 1").contains("\x1b["));
    }
}
