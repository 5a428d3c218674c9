//! The store of objects below the state folder, each named by the SHA-256 of its content and written once. Objects
//! are our own book-keeping: a plan keeps them to itself, and only the snapshot that names them is a change.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::packing::{self, Packed};
use crate::base::{Kind, Result, Trouble, digest};
use crate::site::Cx;
use crate::world::Action;

/// The SHA-256 of an object's content.
pub type ObjectId = String;

/// Whether a text can be the name of an object.
pub fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

pub struct Objects<'a>(pub &'a Cx);

impl Objects<'_> {
    pub fn root(&self) -> PathBuf {
        self.0.site.state.join("snapshots/objects")
    }

    fn place(&self, id: &str) -> PathBuf {
        let (head, rest) = id.split_at_checked(2).unwrap_or(("", id));
        self.root().join(head).join(format!("{rest}.zst"))
    }

    /// Writes an object unless it is there. `near` names one that is likely to be similar.
    pub async fn put(&self, bytes: Vec<u8>, near: Option<&str>) -> Result<ObjectId> {
        let id = digest::bytes(&bytes);
        // One that is damaged is written again, so that a new snapshot never rests on it.
        if self.get(&id).is_ok() {
            return Ok(id);
        }
        // Differences are taken to objects that stand alone, so that none needs more than one other.
        let base = match near.filter(|near| *near != id) {
            Some(near) => self.base_of(near).unwrap_or_default().or_else(|| Some(near.to_owned())),
            None => None,
        };
        let base = base.and_then(|base| Some((self.get(&base).ok()?, base)));
        let place = self.place(&id);
        let file = packing::pack(&bytes, base.as_ref().map(|(bytes, id)| (id.as_str(), bytes.as_slice())))
            .map_err(|e| Trouble::io("pack", &place, e))?;
        if let Some(folder) = place.parent().filter(|folder| !self.0.world.eyes.finds_folder(folder)) {
            self.0.world.keep(Action::MakeFolder { path: folder.to_owned() }).await?;
        }
        self.0.world.keep(Action::WriteFile { path: place, bytes: file, mode: None, varies: false }).await?;
        Ok(id)
    }

    /// The content, checked against the name.
    pub fn get(&self, id: &str) -> Result<Vec<u8>> {
        self.get_within(id, true)
    }

    fn get_within(&self, id: &str, may_need_base: bool) -> Result<Vec<u8>> {
        let file = self.file(id)?;
        let packed = self.parsed(id, &file)?;
        let base = match packed.base {
            Some(base) if may_need_base && is_id(base) => Some(self.get_within(base, false)?),
            Some(_) => return Err(self.damaged(id, "it is a difference to a difference")),
            None => None,
        };
        let bytes =
            packing::unpack(&packed, base.as_deref()).map_err(|e| self.damaged(id, &e.to_string()))?;
        if digest::bytes(&bytes) == id {
            Ok(bytes)
        } else {
            Err(self.damaged(id, "its content is not what its name says"))
        }
    }

    pub fn text(&self, id: &str) -> Result<String> {
        String::from_utf8(self.get(id)?).map_err(|_| self.damaged(id, "it is not UTF-8 text"))
    }

    /// The object that this one is a difference to.
    pub fn base_of(&self, id: &str) -> Result<Option<ObjectId>> {
        let file = self.file(id)?;
        Ok(self.parsed(id, &file)?.base.map(str::to_owned))
    }

    /// Bytes on disk.
    pub fn size(&self, id: &str) -> u64 {
        self.0.world.eyes.stat(&self.place(id)).map_or(0, |stat| stat.size)
    }

    fn file(&self, id: &str) -> Result<Vec<u8>> {
        if !is_id(id) {
            return Err(Trouble::new(Kind::Corrupt, format!("'{id}' is not the name of an object")));
        }
        self.0.world.eyes.read_own(&self.place(id)).map_err(|trouble| {
            if trouble.is(Kind::NotFound) { self.damaged(id, "it is gone") } else { trouble }
        })
    }

    fn parsed<'f>(&self, id: &str, file: &'f [u8]) -> Result<Packed<'f>> {
        packing::parse(file).ok_or_else(|| self.damaged(id, "it does not begin as an object does"))
    }

    fn damaged(&self, id: &str, why: &str) -> Trouble {
        let path = self.place(id).display().to_string();
        Trouble::new(Kind::Corrupt, format!("the stored object {path} is damaged: {why}"))
            .hint(
                "`moonstack snapshot verify` lists the snapshots that need it; an export of them has it too",
            )
            .fact("path", path)
            .fact("object", id)
    }

    /// Removes what none of `kept` needs, directly or as a base. Gives the bytes that this frees.
    pub async fn sweep(&self, kept: &BTreeSet<ObjectId>) -> Result<u64> {
        let eyes = &*self.0.world.eyes;
        let mut needed = kept.clone();
        // An object that cannot be read names no base; what else there is stays, so nothing that may help goes.
        for id in kept {
            match self.base_of(id) {
                Ok(base) => needed.extend(base),
                Err(_) => return Ok(0),
            }
        }
        let mut freed = 0;
        if !eyes.is_folder(&self.root())? {
            return Ok(0);
        }
        for head in eyes.list(&self.root())? {
            let folder = self.root().join(&head);
            for name in eyes.list(&folder)? {
                let id = format!("{head}{}", name.strip_suffix(".zst").unwrap_or(&name));
                if is_id(&id) && !needed.contains(&id) {
                    freed += self.size(&id);
                    self.0.world.keep(Action::RemovePath { path: folder.join(&name) }).await?;
                }
            }
        }
        Ok(freed)
    }
}
