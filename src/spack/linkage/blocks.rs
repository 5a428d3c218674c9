//! A file as the ELF reader takes it: a stream with a position, of which only the blocks that are asked for are read.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

use crate::world::fs::eyes::Parts;

/// Most files are answered by the first block, and one or two where their dynamic section is.
const BLOCK: u64 = 16 * 1024;

pub struct Blocks {
    parts: Box<dyn Parts>,
    size: u64,
    at: u64,
    held: BTreeMap<u64, Vec<u8>>,
}

impl Blocks {
    pub fn new(parts: Box<dyn Parts>) -> Blocks {
        Blocks { size: parts.size(), parts, at: 0, held: BTreeMap::new() }
    }

    fn block(&mut self, number: u64) -> io::Result<&[u8]> {
        if !self.held.contains_key(&number) {
            let mut bytes = vec![0; BLOCK as usize];
            let read = self.parts.read_at(&mut bytes, number.saturating_mul(BLOCK))?;
            bytes.truncate(read);
            self.held.insert(number, bytes);
        }
        Ok(self.held.get(&number).map(Vec::as_slice).unwrap_or_default())
    }
}

impl Read for Blocks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let at = self.at;
        let read = if buffer.len() as u64 > BLOCK {
            self.parts.read_at(buffer, at)?
        } else {
            let block = self.block(at / BLOCK)?;
            let mut rest = block.get((at % BLOCK) as usize..).unwrap_or_default();
            rest.read(buffer)?
        };
        self.at = at.saturating_add(read as u64);
        Ok(read)
    }
}

impl Seek for Blocks {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let moved = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = moved.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Eyes as _;
    use crate::world::fs::eyes::LiveEyes;

    #[test]
    fn any_part_is_what_the_file_has_there() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let bytes: Vec<u8> = (0..3 * BLOCK + 7).map(|i| (i * 31 % 251) as u8).collect();
        std::fs::write(file.path(), &bytes).unwrap();
        let mut blocks = Blocks::new(LiveEyes.open_parts(file.path()).unwrap());
        assert_eq!(blocks.seek(SeekFrom::End(0)).unwrap(), bytes.len() as u64);
        for (offset, length) in [(0, 4), (BLOCK - 2, 9), (5, 2 * BLOCK as usize), (3 * BLOCK, 7)] {
            blocks.seek(SeekFrom::Start(offset)).unwrap();
            let mut buffer = vec![0; length];
            blocks.read_exact(&mut buffer).unwrap();
            assert!(buffer == bytes[offset as usize..][..length], "{length} at {offset}");
        }
        blocks.seek(SeekFrom::Start(3 * BLOCK)).unwrap();
        assert!(blocks.read_exact(&mut [0; 8]).is_err(), "past the end");
    }
}
