//! Measures the reading of a database: `database INDEX count|find|rows|verify [QUERY]`.

use std::path::Path;

use moonstack::base::{Result, Trouble};
use moonstack::spack::spec::Dialect;
use moonstack::spack::store::database::DatabaseText;
use moonstack::spack::store::query::Query;
use moonstack::spack::store::row::SpecRow;
use moonstack::spack::store::stores::Stores;
use moonstack::spack::text::hash::Verdict;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, index, what, rest @ ..] = arguments.as_slice() else {
        return Err(Trouble::usage("database INDEX count|find|rows|verify [QUERY]"));
    };
    let path = Path::new(index);
    let bytes = std::fs::read(path).map_err(|e| Trouble::io("read", path, e))?;
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
                serde_json::to_writer(&mut out, &row).map_err(|e| Trouble::usage(e.to_string()))?;
            }
        }
    }
    Ok(())
}
