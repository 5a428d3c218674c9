//! What differs between two locks, a line a package. Packages that only follow what is below them are counted, unless
//! everything is asked for.

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value};

/// Of a row that says more than that something below it differs.
const OWN: &[&str] = &[
    "version",
    "variants",
    "compilers",
    "flags",
    "arch",
    "external",
    "namespace",
    "patches",
    "package_hash",
    "build_spec",
];

/// Wider names do not move the others to the right.
const WIDEST: usize = 28;

/// The lines of rows as `env.diff` gives them; none if they are others.
pub fn lines(items: &[Value], all: bool, colour: bool) -> Option<String> {
    let rows: Vec<Row<'_>> = items.iter().map(Row::of).collect::<Option<_>>()?;
    let shown: Vec<&Row<'_>> = rows.iter().filter(|row| all || !row.follows).collect();
    let names = shown.iter().map(|row| row.name.chars().count()).filter(|width| *width <= WIDEST);
    let width = names.max().unwrap_or_default();
    let mut out: Vec<String> = shown.iter().map(|row| row.line(width, all, colour)).collect();
    let folded = rows.len() - shown.len();
    if folded > 0 {
        let more = if shown.is_empty() { "" } else { " more" };
        let packages = if folded == 1 { "package" } else { "packages" };
        let mark = marked('~', colour);
        out.push(format!("{mark} {folded}{more} {packages} only by what is below (-v shows all)"));
    }
    Some(out.join("\n"))
}

struct Row<'v> {
    name: &'v str,
    mark: char,
    words: &'v str,
    /// The whole spec, where only one side has it.
    whole: Option<&'v str>,
    build_only: bool,
    follows: bool,
}

impl<'v> Row<'v> {
    fn of(item: &'v Value) -> Option<Row<'v>> {
        let map: &Map<String, Value> = item.as_object()?;
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        let (mark, whole) = match text("change")? {
            "added" => ('+', text("to")),
            "removed" => ('-', text("from")),
            "changed" => ('~', None),
            _ => return None,
        };
        Some(Row {
            name: text("name")?,
            mark,
            words: text("words")?,
            whole,
            build_only: map.get("build_only")?.as_bool()?,
            follows: mark == '~' && OWN.iter().all(|key| !map.contains_key(*key)),
        })
    }

    fn line(&self, width: usize, all: bool, colour: bool) -> String {
        let mark = marked(self.mark, colour);
        let note = if self.build_only { "  (only to build)" } else { "" };
        match self.whole.filter(|_| all) {
            Some(whole) => format!("{mark} {whole}{note}"),
            None => format!("{mark} {:<width$}  {}{note}", self.name, self.words),
        }
    }
}

fn marked(mark: char, colour: bool) -> String {
    let shade = match mark {
        '+' => AnsiColor::Green,
        '-' => AnsiColor::Red,
        _ => AnsiColor::Yellow,
    };
    let style = Style::new().fg_color(Some(shade.into())).bold();
    if colour { format!("{style}{mark}{style:#}") } else { mark.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_a_package() {
        let rows = [
            json!({ "name": "hdf5", "change": "changed", "words": "1.14.3 -> 1.14.5, +fortran", "build_only": false,
                "version": { "from": "1.14.3", "to": "1.14.5" } }),
            json!({ "name": "netcdf-c", "change": "changed", "words": "^hdf5 1.14.3 -> 1.14.5", "build_only": false,
                "dependencies": [] }),
            json!({ "name": "zstd", "change": "added", "words": "1.5 /abcdefg", "to": "zstd@1.5+shared /abcdefg",
                "build_only": true }),
            json!({ "name": "szip", "change": "removed", "words": "2.1 /hijklmn", "from": "szip@2.1 /hijklmn",
                "build_only": false }),
        ];
        let short = "~ hdf5  1.14.3 -> 1.14.5, +fortran\n+ zstd  1.5 /abcdefg  (only to build)\n\
            - szip  2.1 /hijklmn\n~ 1 more package only by what is below (-v shows all)";
        assert_eq!(lines(&rows, false, false).unwrap(), short);
        let full = "~ hdf5      1.14.3 -> 1.14.5, +fortran\n~ netcdf-c  ^hdf5 1.14.3 -> 1.14.5\n\
            + zstd@1.5+shared /abcdefg  (only to build)\n- szip@2.1 /hijklmn";
        assert_eq!(lines(&rows, true, false).unwrap(), full);
        assert_eq!(
            lines(&rows[1..2], false, false).unwrap(),
            "~ 1 package only by what is below (-v shows all)"
        );
        assert!(lines(&rows, false, true).unwrap().contains("\u{1b}[1m\u{1b}[32m+\u{1b}[0m zstd"));
        assert_eq!(lines(&[json!({ "name": "zlib", "change": "added" })], false, false), None);
    }
}
