//! Reads a database in one of several ways, to be timed from outside:
//! `cargo bench --bench database -- INDEX count|find|rows|verify [QUERY]`. Without words, a recorded one is counted.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use moonstack::spack::spec::Dialect;
use moonstack::spack::store::database::DatabaseText;
use moonstack::spack::store::query::Query;
use moonstack::spack::store::row::SpecRow;
use moonstack::spack::store::stores::Stores;
use moonstack::spack::text::hash::Verdict;

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/spack-1.1.0/index.json");

fn main() -> Result<()> {
    // Cargo adds a word of its own.
    let mut words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if words.is_empty() {
        words = vec![RECORDED.to_owned(), "count".to_owned()];
    }
    let [index, what, rest @ ..] = words.as_slice() else {
        bail!("database INDEX count|find|rows|verify [QUERY]");
    };
    let path = Path::new(index);
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {index}"))?;
    let text = DatabaseText::from_bytes(path, bytes)?;
    let stores = Stores::new(text.parse()?, Vec::new());
    let query = Query::parse(&rest.join(" "), Dialect::Direct)?;
    match what.as_str() {
        "count" => println!("{}", stores.entries().count()),
        "find" => println!("{}", query.run(&stores, None)?.len()),
        "verify" => {
            let lying = stores.entries().filter(|entry| entry.record.verify() != Verdict::Match);
            println!("{} do not match", lying.count());
        }
        _ => {
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            for entry in query.run(&stores, None)? {
                let row = SpecRow::of_entry(&stores, entry)?;
                serde_json::to_writer(&mut out, &row)?;
            }
        }
    }
    Ok(())
}
