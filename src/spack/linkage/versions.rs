//! The versions of symbols that a file needs of others, and those that it defines.

use object::elf::{VER_FLG_BASE, VER_FLG_WEAK, Verdaux, Verdef, Vernaux, Verneed};
use object::{Endianness, ReadRef as _, StringTable};

use super::elf::Data;

/// What is needed of one library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// As the need for the library itself is written.
    pub library: String,
    pub versions: Vec<String>,
}

/// Entries are linked by offsets: a damaged table must come to an end.
const ENTRIES: usize = 100_000;

pub struct Table<'d> {
    pub data: &'d Data,
    pub endian: Endianness,
    pub strings: StringTable<'d, &'d Data>,
}

impl Table<'_> {
    fn text(&self, at: u32) -> Option<String> {
        let bytes = self.strings.get(at).ok()?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    /// Nothing when the table is damaged.
    pub fn needs(&self, mut offset: u64, count: u64) -> Option<Vec<Need>> {
        let (mut out, mut entries) = (Vec::new(), 0);
        for _ in 0..count {
            let need: &Verneed<Endianness> = self.data.read_at(offset).ok()?;
            let mut at = offset.checked_add(need.vn_aux.get(self.endian).into())?;
            let mut versions = Vec::new();
            for _ in 0..need.vn_cnt.get(self.endian) {
                entries += 1;
                let one: &Vernaux<Endianness> = self.data.read_at(at).ok().filter(|_| entries < ENTRIES)?;
                // A weak one may be missing.
                if !one.vna_flags.get(self.endian).contains(VER_FLG_WEAK) {
                    versions.push(self.text(one.vna_name.get(self.endian))?);
                }
                match one.vna_next.get(self.endian) {
                    0 => break,
                    next => at = at.checked_add(next.into())?,
                }
            }
            out.push(Need { library: self.text(need.vn_file.get(self.endian))?, versions });
            match need.vn_next.get(self.endian) {
                0 => break,
                next => offset = offset.checked_add(next.into())?,
            }
        }
        Some(out)
    }

    /// The same for what it defines, without the entry that only names the file.
    pub fn definitions(&self, mut offset: u64, count: u64) -> Option<Vec<String>> {
        let mut out = Vec::new();
        for _ in 0..count.min(ENTRIES as u64) {
            let one: &Verdef<Endianness> = self.data.read_at(offset).ok()?;
            if !one.vd_flags.get(self.endian).contains(VER_FLG_BASE) {
                let at = offset.checked_add(one.vd_aux.get(self.endian).into())?;
                let name: &Verdaux<Endianness> = self.data.read_at(at).ok()?;
                out.push(self.text(name.vda_name.get(self.endian))?);
            }
            match one.vd_next.get(self.endian) {
                0 => break,
                next => offset = offset.checked_add(next.into())?,
            }
        }
        Some(out)
    }
}
