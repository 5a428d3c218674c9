//! How deep and how large a value is, before it is followed: what is nested without end, or shares its parts so often
//! that it is endless written out, would take all memory or the whole stack.

use mlua::{Table, Value};

use crate::base::{Kind, Result, Trouble};

/// As deep as JSON is read, too.
const DEPTH: usize = 128;
/// Keys and items, those of a table that stands in several places counted in each.
const SIZE: usize = 4_000_000;

/// Whether a table, or one within it, has items and also names or gaps, which reading it as a list would drop
/// without a word. One that is too deep or too large is refused.
pub fn is_mixed(table: &Table) -> Result<bool> {
    let (mut mixed, mut count) = (false, 0);
    let mut next = vec![(table.clone(), 1)];
    while let Some((table, depth)) = next.pop() {
        if depth > DEPTH {
            return Err(Trouble::new(
                Kind::Limit,
                format!("a table is nested more than {DEPTH} deep, or contains itself"),
            ));
        }
        let items = table.raw_len() as i64;
        for (key, value) in table.pairs::<Value, Value>().flatten() {
            count += 1;
            mixed |= items > 0 && !matches!(key, Value::Integer(n) if (1..=items).contains(&n));
            if let Value::Table(within) = value {
                next.push((within, depth + 1));
            }
        }
        if count > SIZE {
            return Err(Trouble::new(
                Kind::Limit,
                format!("a table has more than {SIZE} items, or its parts stand in so many places"),
            ));
        }
    }
    Ok(mixed)
}
