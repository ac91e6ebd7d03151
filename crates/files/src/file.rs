//! What a file is: its row, what it is called in addresses, and where its objects are.

use std::fmt;

use stoa_contracts::{
    chat::RoomId,
    files::{FileId, FileView, OwnedFile, Visibility},
};
use stoa_kernel::{Timestamp, UserId};
use stoa_platform::storage::{ObjectKey, StorageError};
use uuid::Uuid;

use crate::kinds::Kind;

/// Where a file is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Its objects are on their way into the store.
    Pending,
    /// It is there.
    Ready,
    /// Its objects are on their way out of the store.
    Deleted,
}

impl State {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Deleted => "deleted",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Ready, Self::Deleted].into_iter().find(|state| state.as_str() == text)
    }
}

/// Whose a file is, as it is kept: a user's id, or the nil one for guests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Owner(Uuid);

impl Owner {
    /// All guests together.
    pub(crate) const GUESTS: Self = Self(Uuid::nil());

    pub(crate) fn user(self) -> Option<UserId> {
        (!self.0.is_nil()).then(|| self.0.into())
    }

    pub(crate) const fn uuid(self) -> Uuid {
        self.0
    }

    pub(crate) const fn stored(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl From<UserId> for Owner {
    fn from(user: UserId) -> Self {
        Self(user.uuid())
    }
}

/// A file as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct File {
    pub(crate) id: FileId,
    pub(crate) owner: Owner,
    pub(crate) state: State,
    pub(crate) visibility: Visibility,
    /// What was sent; what is served may be something else.
    pub(crate) kind: Kind,
    pub(crate) original_name: String,
    pub(crate) content_type: String,
    pub(crate) extension: String,
    pub(crate) size: u64,
    pub(crate) checksum: String,
    pub(crate) dimensions: Option<(u32, u32)>,
    pub(crate) thumbnail_size: Option<u64>,
    /// Ending and length of what was sent, where it is kept beside what is served.
    pub(crate) original: Option<(String, u64)>,
    /// The room it was sent to.
    pub(crate) room: Option<RoomId>,
    pub(crate) created_at: Timestamp,
    pub(crate) uploaded_at: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
}

impl File {
    /// The bytes of all its objects.
    pub(crate) fn stored_bytes(&self) -> u64 {
        let original = self.original.as_ref().map_or(0, |(_, size)| *size);
        self.size + self.thumbnail_size.unwrap_or(0) + original
    }

    /// What it is called in addresses.
    pub(crate) fn filename(&self) -> String {
        self.name(Part::Main).to_string()
    }

    pub(crate) fn name(&self, part: Part) -> StoredName {
        let extension = match part {
            Part::Main => self.extension.clone(),
            Part::Thumbnail => "webp".into(),
            Part::Original => self.original.as_ref().map_or_else(String::new, |(ending, _)| ending.clone()),
        };
        StoredName { id: self.id, part, extension }
    }

    /// The parts it has.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (Part, u64)> {
        let thumbnail = self.thumbnail_size.map(|size| (Part::Thumbnail, size));
        let original = self.original.as_ref().map(|(_, size)| (Part::Original, *size));
        [Some((Part::Main, self.size)), thumbnail, original].into_iter().flatten()
    }

    /// Where a part of it is in the store.
    pub(crate) fn key(&self, part: Part) -> Result<ObjectKey, StorageError> {
        ObjectKey::parse(&format!("{}/{}", day(self.created_at), self.name(part)))
    }

    /// The folder of what is made of it on demand.
    pub(crate) fn renditions(&self) -> String {
        format!("renditions/{}/{}", day(self.created_at), self.id)
    }

    /// As others see it; links begin with `base`.
    pub(crate) fn view(&self, base: &str) -> FileView {
        let url = |part| format!("{base}/files/{}", self.name(part));
        FileView {
            id: self.id,
            filename: self.filename(),
            original_name: self.original_name.clone(),
            url: url(Part::Main),
            thumbnail_url: self.thumbnail_size.map(|_| url(Part::Thumbnail)),
            size: self.size,
            content_type: self.content_type.clone(),
            width: self.dimensions.map(|(width, _)| width),
            height: self.dimensions.map(|(_, height)| height),
            checksum: self.checksum.clone(),
            visibility: self.visibility,
            created_at: self.created_at,
            uploaded_at: self.uploaded_at.unwrap_or(self.created_at),
        }
    }

    pub(crate) fn owned(&self, base: &str) -> OwnedFile {
        OwnedFile { owner: self.owner.user(), file: self.view(base) }
    }
}

fn day(at: Timestamp) -> String {
    at.to_datetime().format("%Y/%m/%d").to_string()
}

/// Where what was sent to the store past this server waits to be completed.
pub(crate) fn incoming_key(id: FileId) -> Result<ObjectKey, StorageError> {
    ObjectKey::parse(&format!("incoming/{id}"))
}

/// An object of a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Part {
    /// What is served.
    Main,
    /// A small picture of it.
    Thumbnail,
    /// What was sent, where that is another.
    Original,
}

/// The name of an object in addresses: `<id>.<ending>`, `<id>_thumb.webp`, `<id>_original.<ending>`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct StoredName {
    pub(crate) id: FileId,
    pub(crate) part: Part,
    pub(crate) extension: String,
}

impl StoredName {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (stem, extension) = text.split_once('.')?;
        let (id, part) = match stem.split_once('_') {
            None => (stem, Part::Main),
            Some((id, "thumb")) => (id, Part::Thumbnail),
            Some((id, "original")) => (id, Part::Original),
            Some(_) => return None,
        };
        // Written as we write it, so that each has one address.
        let id: FileId = id.parse().ok().filter(|parsed: &FileId| parsed.to_string() == id)?;
        Some(Self { id, part, extension: extension.to_owned() })
    }
}

impl fmt::Display for StoredName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            Part::Main => "",
            Part::Thumbnail => "_thumb",
            Part::Original => "_original",
        };
        write!(f, "{}{part}.{}", self.id, self.extension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_no_other_way() {
        let id = "0198c2d1-0000-7000-8000-000000000001";
        for (tail, part) in
            [(".pdf", Part::Main), ("_thumb.webp", Part::Thumbnail), ("_original.jpg", Part::Original)]
        {
            let text = format!("{id}{tail}");
            let name = StoredName::parse(&text).unwrap();
            assert_eq!((name.part, name.to_string()), (part, text));
        }
        for odd in
            ["x.pdf", "0198C2D1-0000-7000-8000-000000000001.pdf", "0198c2d1000070008000000000000001.pdf"]
        {
            assert_eq!(StoredName::parse(odd), None, "{odd}");
        }
        assert_eq!(StoredName::parse(id), None);
        assert_eq!(StoredName::parse(&format!("{id}_small.webp")), None);
    }
}
