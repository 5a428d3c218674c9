//! Aligned tables without lines: easy to read, easy to cut with other tools.

use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};

/// Rows under headers. With a width, long cells wrap; without one, each row is one line.
pub fn table(headers: &[String], rows: &[Vec<String>], width: Option<u16>, colour: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headers.iter().map(|h| {
        let cell = Cell::new(h);
        if colour { cell.add_attribute(Attribute::Bold) } else { cell }
    }));
    if colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    match width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width.max(20)),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    for row in rows {
        // A line break within a cell would tear rows apart where each must be one line.
        table.add_row(
            row.iter().map(|c| if width.is_none() { c.replace(['\n', '\r'], " ") } else { c.clone() }),
        );
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<String> = table.lines().map(|l| l.trim_end().to_owned()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn columns_line_up() {
        let rows = [strings(&["zlib", "1.3"]), strings(&["hdf5-long", "1.14\nx"])];
        let text = table(&strings(&["name", "version"]), &rows, None, false);
        assert_eq!(text, "name       version\nzlib       1.3\nhdf5-long  1.14 x");
    }

    #[test]
    fn a_narrow_terminal_wraps() {
        let rows = [strings(&["zlib", &"word ".repeat(20)])];
        let text = table(&strings(&["name", "doc"]), &rows, Some(40), false);
        assert!(text.lines().count() > 2 && text.lines().all(|l| l.chars().count() <= 40), "{text}");
    }
}
