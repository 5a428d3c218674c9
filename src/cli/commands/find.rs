//! `find`: installed specs, for people as lines, for programs as one array. The answer is written from the records
//! as they stand in the database, and only when all of it is there.

use std::io::Write as _;

use anstyle::AnsiColor;

use crate::base::parallel::pieces;
use crate::base::{Kind, Result, Trouble, words};
use crate::cli::args::Find;
use crate::cli::session::Session;
use crate::spack::read::find::{self, Asked, FindArgs, StateName};
use crate::spack::store::row::Row;
use crate::spack::store::stores::{StoreEntry, Stores};
use crate::term::plain::plain;
use crate::term::printer::Printer;

/// So few rows are not worth another thread.
const FEWEST: usize = 1000;
/// The answer is held in blocks of about so many bytes: one that grows with the store would be copied again and again.
const BLOCK: usize = 1 << 18;
/// What a row takes, hardly ever more.
const ROW: usize = 1 << 13;

pub async fn find(session: &Session, args: &Find) -> Result<u8> {
    let wanted = FindArgs {
        query: (!args.query.is_empty()).then(|| Asked::Words(args.query.clone())),
        explicit: (args.explicit || args.implicit).then_some(args.explicit),
        env: args.env.clone(),
        states: if args.missing { vec![StateName::Installed, StateName::Missing] } else { Vec::new() },
    };
    let style = Style::of(&session.printer, args);
    let work = find::found(session.cx.clone(), wanted, move |stores, entries| {
        Ok((entries.len(), style.pieces(stores, entries)?))
    });
    let work = session.scope.enter(session.scope.guard(work));
    let (count, pieces) = work.await.map_err(|t| session.ended(t))?;
    session.printer.write(|out| pieces.iter().try_for_each(|piece| out.write_all(piece)))?;
    if !session.printer.json {
        session.printer.note(&match count {
            0 => String::from("no installed spec matches"),
            n => words::count(n, "spec"),
        });
    }
    // As `grep`: nothing found is not a failure, but a caller may want to know.
    Ok(u8::from(count == 0 && !args.query.is_empty()))
}

/// How the answer is to look.
struct Style {
    json: bool,
    colour: bool,
    whole_hashes: bool,
    paths: bool,
}

impl Style {
    fn of(printer: &Printer, args: &Find) -> Style {
        Style { json: printer.json, colour: printer.out_colour, whole_hashes: args.long, paths: args.paths }
    }

    /// The whole answer in pieces, made on several threads where there is much of it.
    fn pieces(&self, stores: &Stores<'_>, entries: &[StoreEntry<'_, '_>]) -> Result<Vec<Vec<u8>>> {
        let pieces = pieces(entries, FEWEST, |chunk| self.piece(stores, chunk));
        let mut pieces: Vec<Vec<u8>> =
            pieces.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        if self.json {
            // Every row follows a comma; before the first the list begins instead.
            match pieces.first_mut().and_then(|piece| piece.first_mut()) {
                Some(first) => *first = b'[',
                None => pieces.push(b"[".to_vec()),
            }
            pieces.push(b"]\n".to_vec());
        }
        Ok(pieces)
    }

    fn piece(&self, stores: &Stores<'_>, entries: &[StoreEntry<'_, '_>]) -> Result<Vec<Vec<u8>>> {
        let mut blocks = Vec::new();
        let mut out = Vec::new();
        for entry in entries {
            if out.len() + ROW > out.capacity() {
                let full = std::mem::replace(&mut out, Vec::with_capacity(BLOCK));
                blocks.extend(Some(full).filter(|full| !full.is_empty()));
            }
            let node = entry.read_node()?;
            let row = Row::of_installed(stores, *entry, &node);
            if self.json {
                out.push(b',');
                serde_json::to_writer(&mut out, &row).map_err(unwritten)?;
            } else {
                self.line(&mut out, &row).map_err(unwritten)?;
            }
        }
        blocks.push(out);
        Ok(blocks)
    }

    /// `hash7 name@version+variants arch  prefix`.
    fn line(&self, out: &mut Vec<u8>, row: &Row<&str>) -> std::io::Result<()> {
        let hash = if self.whole_hashes { row.hash } else { row.hash.get(..7).unwrap_or(row.hash) };
        let mark = match (row.external.is_some(), row.installed, row.explicit) {
            (true, ..) => 'e',
            (_, false, _) => '-',
            (_, _, true) => 'x',
            _ => ' ',
        };
        if self.colour {
            let style = anstyle::Style::new().fg_color(Some(AnsiColor::BrightBlack.into())).bold();
            write!(out, "{mark} {style}{}{style:#} {}", plain(hash), plain(&row.spec))?;
        } else {
            write!(out, "{mark} {hash} {}", row.spec)?;
        }
        if self.paths {
            write!(out, "  {}", plain(row.prefix.unwrap_or_default()))?;
        }
        writeln!(out)
    }
}

fn unwritten(error: impl std::fmt::Display) -> Trouble {
    Trouble::new(Kind::Internal, format!("the answer cannot be written: {error}"))
}
