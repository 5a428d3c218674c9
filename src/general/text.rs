//! `text`: what scripts need beyond Lua's own strings.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::argument::Size;
use crate::base::{Result, Trouble, nearest as near, words};
use crate::site::Cx;

/// Splits a text at each separator.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SplitArgs {
    /// The text.
    text: String,
    /// What stands between the parts, taken literally. Default: any white space, and no empty parts.
    separator: Option<String>,
    /// The most parts to make; the last one keeps the rest.
    limit: Option<u32>,
}

pub async fn split(_cx: Cx, args: SplitArgs) -> Result<Vec<String>> {
    let limit = args.limit.map_or(usize::MAX, |n| n as usize);
    if limit == 0 {
        return Err(Trouble::usage("'limit' must be above zero"));
    }
    match args.separator.as_deref() {
        Some("") => Err(Trouble::usage("'separator' is empty")),
        Some(separator) => Ok(args.text.splitn(limit, separator).map(str::to_owned).collect()),
        None => Ok(words_of(&args.text, limit)),
    }
}

fn words_of(text: &str, limit: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if parts.len() + 1 == limit {
            parts.push(rest.to_owned());
            break;
        }
        let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        parts.push(word.to_owned());
        rest = after.trim_start();
    }
    parts
}

/// Takes white space off both ends of a text.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct TrimArgs {
    /// The text.
    text: String,
}

pub async fn trim(_cx: Cx, args: TrimArgs) -> Result<String> {
    Ok(args.text.trim().to_owned())
}

/// Splits a text into its lines, without their ends.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct LinesArgs {
    /// The text.
    text: String,
}

pub async fn lines(_cx: Cx, args: LinesArgs) -> Result<Vec<String>> {
    Ok(args.text.lines().map(str::to_owned).collect())
}

/// Reads a size in words as bytes.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SizeArgs {
    /// Words such as `"4 GiB"`, or bytes.
    size: Size,
}

pub async fn size(_cx: Cx, args: SizeArgs) -> Result<u64> {
    Ok(args.size.0)
}

/// Writes bytes as words, such as `1.5 KiB`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SizeWordsArgs {
    /// The number of bytes.
    bytes: Size,
}

pub async fn size_words(_cx: Cx, args: SizeWordsArgs) -> Result<String> {
    Ok(words::size(args.bytes.0))
}

/// Finds the known name that is nearest to what was typed; none if none is near.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct NearestArgs {
    /// What was typed.
    typed: String,
    /// The names there are.
    known: Vec<String>,
}

pub async fn nearest(_cx: Cx, args: NearestArgs) -> Result<Option<String>> {
    Ok(near::nearest(&args.typed, args.known.iter().map(String::as_str)).map(str::to_owned))
}

/// Lays out rows in aligned columns.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct TableArgs {
    /// A list of rows, each a list of texts.
    rows: Vec<Vec<String>>,
    /// Names of the columns, above the rows.
    #[serde(default)]
    header: Vec<String>,
}

pub async fn table(_cx: Cx, args: TableArgs) -> Result<String> {
    let head = Some(args.header).filter(|h| !h.is_empty());
    let rows: Vec<Vec<String>> = head.into_iter().chain(args.rows).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|r| r.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let lines = rows.iter().map(|row| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::words_of;

    #[test]
    fn words_leave_no_empty_part_and_the_limit_keeps_the_rest() {
        assert_eq!(words_of("  a \t b\nc  ", usize::MAX), ["a", "b", "c"]);
        assert_eq!(words_of(" a  b c ", 2), ["a", "b c"]);
        assert!(words_of(" \n", 3).is_empty());
    }
}
