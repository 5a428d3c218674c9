//! What the loader reads of a program or library: which libraries it needs, where it looks for them, and which
//! versions it needs or defines. Only headers and the dynamic section are read, and nothing in them is believed.

use object::elf::{
    DF_1_NODEFLIB, DT_FLAGS_1, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, DT_STRSZ, DT_STRTAB, DT_VERDEF,
    DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM, DynamicTag, ET_DYN, ET_EXEC, FileHeader32, FileHeader64,
    PT_DYNAMIC, PT_INTERP, PT_LOAD, SHT_DYNAMIC, SHT_NOBITS,
};
use object::read::elf::{Dyn as _, FileHeader, ProgramHeader as _, SectionHeader as _};
use object::{Endianness, ReadCache, ReadRef, StringTable};

use super::blocks::Blocks;
use super::versions;
use crate::world::fs::eyes::Parts;

/// What a file is to the loader.
#[derive(Debug, Clone)]
pub enum Reading {
    /// Not ELF; `blank` when there is nothing in it, or zeros where something else should be.
    Foreign {
        blank: bool,
    },
    /// ELF that no loader loads as it is: objects, cores, debugging information.
    Apart,
    Object(Box<Object>),
    /// It begins as ELF, and is not whole.
    Damaged(String),
}

/// A file answers a need only if all of these are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    pub wide: bool,
    pub little: bool,
    pub machine: u16,
}

/// A program or shared library.
#[derive(Debug, Clone)]
pub struct Object {
    pub class: Class,
    /// It can be what another needs; else it is a program at a fixed address.
    pub shared: bool,
    pub interpreter: Option<String>,
    pub needed: Vec<String>,
    pub rpath: Option<String>,
    pub runpath: Option<String>,
    pub soname: Option<String>,
    /// The system's own folders are not for it.
    pub no_default: bool,
    pub needs_versions: Vec<versions::Need>,
    pub defines_versions: Vec<String>,
}

pub(super) type Data = ReadCache<Blocks>;
/// Why a file is taken for damaged, in the user's terms.
pub(super) type Part<T> = Result<T, String>;

const MAGIC: &[u8] = b"\x7fELF";
/// More than any linker writes; a damaged header could ask for anything.
const SEGMENTS: u32 = 4096;
const DYNAMIC: u64 = 1024 * 1024;

pub fn read(parts: Box<dyn Parts>) -> Reading {
    let size = parts.size();
    let data = ReadCache::new(Blocks::new(parts));
    let Ok(first) = (&data).read_bytes_at(0, size.min(16)) else {
        return Reading::Damaged("it cannot be read".to_owned());
    };
    if !first.starts_with(MAGIC) {
        return Reading::Foreign { blank: first.iter().all(|byte| *byte == 0) };
    }
    let read = match first.get(4) {
        Some(1) => header::<FileHeader32<Endianness>>(&data, size),
        Some(2) => header::<FileHeader64<Endianness>>(&data, size),
        _ => Err("its header is not whole".to_owned()),
    };
    read.unwrap_or_else(Reading::Damaged)
}

fn header<Elf: FileHeader<Endian = Endianness>>(data: &Data, size: u64) -> Part<Reading> {
    let broken = |_| "its header is not whole".to_owned();
    let header = Elf::parse(data).map_err(broken)?;
    let endian = header.endian().map_err(broken)?;
    let kind = header.e_type(endian);
    if kind != ET_DYN && kind != ET_EXEC {
        return Ok(Reading::Apart);
    }
    let file = File { data, size, endian, header };
    match file.object(kind == ET_DYN) {
        Ok(object) => Ok(Reading::Object(Box::new(object))),
        Err(_) if file.is_debugging() => Ok(Reading::Apart),
        Err(why) => Err(why),
    }
}

struct File<'d, Elf> {
    data: &'d Data,
    size: u64,
    endian: Endianness,
    header: &'d Elf,
}

/// The entries of the dynamic section that matter here.
#[derive(Default)]
struct Dynamic {
    needed: Vec<u64>,
    rpath: Option<u64>,
    runpath: Option<u64>,
    soname: Option<u64>,
    strings: Option<u64>,
    strings_size: u64,
    flags: u64,
    verneed: (u64, u64),
    verdef: (u64, u64),
}

impl<'d, Elf: FileHeader<Endian = Endianness>> File<'d, Elf> {
    fn segments(&self) -> Part<&'d [Elf::ProgramHeader]> {
        let count = self.header.phnum(self.endian, self.data).unwrap_or(u32::MAX);
        if count > SEGMENTS {
            return Err("its header is not whole".to_owned());
        }
        self.header.program_headers(self.endian, self.data).map_err(|_| self.cut())
    }

    fn cut(&self) -> String {
        format!("it is cut short ({} bytes are there)", self.size)
    }

    /// What the headers speak of lies inside the file.
    fn whole(&self, segments: &[Elf::ProgramHeader]) -> Part<()> {
        let inside = |offset: u64, size: u64| offset.checked_add(size).is_some_and(|end| end <= self.size);
        let loaded = segments.iter().filter(|segment| segment.p_type(self.endian) == PT_LOAD);
        if loaded.clone().count() == 0 {
            return Err("nothing of it would be loaded".to_owned());
        }
        for segment in loaded {
            let (offset, size) = segment.file_range(self.endian);
            if !inside(offset, size) {
                return Err(self.cut());
            }
        }
        let sections = self.header.e_shoff(self.endian).into();
        let count = u64::from(self.header.e_shnum(self.endian).max(1));
        if sections != 0 && !inside(sections, count * u64::from(self.header.e_shentsize(self.endian))) {
            return Err(self.cut());
        }
        Ok(())
    }

    /// Where in the file an address is.
    fn offset_of(&self, segments: &[Elf::ProgramHeader], address: u64) -> Option<u64> {
        segments.iter().filter(|segment| segment.p_type(self.endian) == PT_LOAD).find_map(|segment| {
            let (offset, size) = segment.file_range(self.endian);
            let within = address.checked_sub(segment.p_vaddr(self.endian).into())?;
            (within < size).then(|| offset.checked_add(within)).flatten()
        })
    }

    /// Debugging information in a file of its own keeps the headers of what it was taken from, without the content.
    fn is_debugging(&self) -> bool {
        let Ok(sections) = self.header.section_headers(self.endian, self.data) else { return false };
        let has = |kind| sections.iter().any(|section| section.sh_type(self.endian) == kind);
        !has(SHT_DYNAMIC) && has(SHT_NOBITS) && sections.len() > 3
    }

    fn object(&self, shared: bool) -> Part<Object> {
        let segments = self.segments()?;
        self.whole(segments)?;
        let mut object = Object {
            class: Class {
                wide: self.header.is_class_64(),
                little: self.header.is_little_endian(),
                machine: self.header.e_machine(self.endian).0,
            },
            shared,
            interpreter: self.interpreter(segments)?,
            needed: Vec::new(),
            rpath: None,
            runpath: None,
            soname: None,
            no_default: false,
            needs_versions: Vec::new(),
            defines_versions: Vec::new(),
        };
        // Statically linked, if it has none.
        if let Some(dynamic) = self.dynamic(segments)? {
            self.fill(&mut object, segments, &dynamic)?;
        }
        Ok(object)
    }

    fn interpreter(&self, segments: &[Elf::ProgramHeader]) -> Part<Option<String>> {
        let Some(segment) = segments.iter().find(|segment| segment.p_type(self.endian) == PT_INTERP) else {
            return Ok(None);
        };
        let (offset, size) = segment.file_range(self.endian);
        let name = self.data.read_bytes_at(offset, size.min(4096)).map_err(|()| self.cut())?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if !name.starts_with(b"/") {
            return Err("the name of its loader is not whole".to_owned());
        }
        Ok(Some(String::from_utf8_lossy(name).into_owned()))
    }

    fn dynamic(&self, segments: &[Elf::ProgramHeader]) -> Part<Option<Dynamic>> {
        let Some(segment) = segments.iter().find(|segment| segment.p_type(self.endian) == PT_DYNAMIC) else {
            return Ok(None);
        };
        if segment.file_range(self.endian).1 > DYNAMIC {
            return Err("its dynamic section is not whole".to_owned());
        }
        let entries = segment.dynamic(self.endian, self.data).map_err(|_| self.cut())?.unwrap_or_default();
        let mut found = Dynamic::default();
        for entry in entries {
            let (tag, value) = (entry.tag(self.endian), entry.val(self.endian));
            if tag == DynamicTag(0) {
                break;
            }
            match tag {
                DT_NEEDED => found.needed.push(value),
                DT_RPATH => found.rpath = Some(value),
                DT_RUNPATH => found.runpath = Some(value),
                DT_SONAME => found.soname = Some(value),
                DT_STRTAB => found.strings = Some(value),
                DT_STRSZ => found.strings_size = value,
                DT_FLAGS_1 => found.flags = value,
                DT_VERNEED => found.verneed.0 = value,
                DT_VERNEEDNUM => found.verneed.1 = value,
                DT_VERDEF => found.verdef.0 = value,
                DT_VERDEFNUM => found.verdef.1 = value,
                _ => {}
            }
        }
        Ok(Some(found))
    }

    fn fill(&self, object: &mut Object, segments: &[Elf::ProgramHeader], found: &Dynamic) -> Part<()> {
        let broken = || "its dynamic section is not whole".to_owned();
        let Some(address) = found.strings else {
            return if object.shared || !found.needed.is_empty() { Err(broken()) } else { Ok(()) };
        };
        let start = self.offset_of(segments, address).ok_or_else(broken)?;
        let end = start.checked_add(found.strings_size).filter(|end| *end <= self.size).ok_or_else(broken)?;
        let strings = StringTable::new(self.data, start, end);
        let text = |at: u64| -> Part<String> {
            let bytes = u32::try_from(at).ok().and_then(|at| strings.get(at).ok()).ok_or_else(broken)?;
            Ok(String::from_utf8_lossy(bytes).into_owned())
        };
        let named =
            |at: u64| text(at).and_then(|name| if name.is_empty() { Err(broken()) } else { Ok(name) });
        object.needed = found.needed.iter().copied().map(named).collect::<Part<_>>()?;
        object.runpath = found.runpath.map(text).transpose()?;
        // The one makes the other count for nothing.
        object.rpath = found.rpath.filter(|_| found.runpath.is_none()).map(text).transpose()?;
        object.soname = found.soname.map(text).transpose()?;
        object.no_default = found.flags & DF_1_NODEFLIB.0 != 0;
        let table = versions::Table { data: self.data, endian: self.endian, strings };
        let (address, count) = found.verneed;
        if let Some(offset) = (count > 0).then(|| self.offset_of(segments, address)).flatten() {
            object.needs_versions = table.needs(offset, count).ok_or_else(broken)?;
        }
        let (address, count) = found.verdef;
        if let Some(offset) = (count > 0).then(|| self.offset_of(segments, address)).flatten() {
            object.defines_versions = table.definitions(offset, count).ok_or_else(broken)?;
        }
        Ok(())
    }
}
