//! Finding files: one that somebody may read, one's own, those of a room.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use stoa_contracts::{
    chat::{MessageId, RoomId},
    files::{FileId, FileView, Visibility},
};
use stoa_kernel::{Actor, Page, PageRequest};
use stoa_platform::database::{Connection, DatabaseError};
use utoipa::ToSchema;

use crate::{
    Files,
    error::FileError,
    file::{File, Owner, State},
    kinds::Sort,
    store::{files, messages, pages},
};

/// A file as it was shown in a room.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SharedFile {
    #[serde(flatten)]
    file: FileView,
    /// The message that shows it.
    message_id: MessageId,
}

/// So many files of so many bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Sum {
    #[schema(minimum = 0)]
    count: u64,
    #[schema(minimum = 0)]
    size: u64,
}

/// What was shown in a room, in numbers.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FileStats)]
pub(crate) struct StatsView {
    /// How many files; one that was shown twice counts once.
    #[schema(minimum = 0)]
    total_files: u64,
    /// Their bytes.
    #[schema(minimum = 0)]
    total_size: u64,
    /// The same by what they are: `image`, `video`, `document`.
    by_type: BTreeMap<&'static str, Sum>,
}

impl Files {
    /// A file that `actor` may read; to others there is none. It is looked for even when what they came with proves it.
    pub(crate) async fn readable(
        &self,
        actor: &Actor,
        id: FileId,
        proven: bool,
    ) -> Result<Option<File>, DatabaseError> {
        let (messages, actor) = (Arc::clone(self.messages()), actor.clone());
        let now = self.0.platform.clock.now();
        let find = move |c: &mut Connection<'_>| {
            let found = files::find(c, id)?.filter(|file| file.state == State::Ready);
            let Some(file) = found.filter(|file| file.expires_at.is_none_or(|end| end > now)) else {
                return Ok(None);
            };
            let own = matches!(&actor, Actor::User(person) if file.owner == person.user.into());
            if file.visibility == Visibility::Public || own || proven {
                return Ok(Some(file));
            }
            let rooms = messages::rooms(c, id)?;
            let shown = !rooms.is_empty() && messages.may_read_any(c, &actor, &rooms)?;
            Ok(shown.then_some(file))
        };
        self.database().get(find).await
    }

    /// As [`Files::readable`], where its absence is a refusal.
    pub(crate) async fn file(&self, actor: &Actor, id: FileId) -> Result<File, FileError> {
        self.readable(actor, id, false).await?.ok_or(FileError::Unknown)
    }

    /// A page of somebody's files, the newest first. `None` when the cursor is of another list.
    pub(crate) async fn own_files(
        &self,
        owner: Owner,
        sort: Option<Sort>,
        page: PageRequest,
    ) -> Result<Option<Page<FileView>>, FileError> {
        let found = self.database().read(move |c| pages::own(c, owner, sort, &page)).await?;
        Ok(found.map(|page: Page<File>| page.map(|file| file.view(self.base()))))
    }

    /// A page of what was shown in a room, the newest first. `None` when the cursor is of another list.
    pub(crate) async fn media(
        &self,
        actor: Actor,
        room: String,
        sort: Option<Sort>,
        page: PageRequest,
    ) -> Result<Option<Page<SharedFile>>, FileError> {
        let files = self.clone();
        let found = move |c: &mut Connection<'_>| {
            let room = files.messages().readable(c, &actor, &room)?;
            Ok::<_, FileError>(pages::shown(c, room, sort, &page)?)
        };
        let shared = |shown: pages::Shown| SharedFile {
            file: shown.file.view(self.base()),
            message_id: shown.message,
        };
        Ok(self.database().read(found).await?.map(|page| page.map(shared)))
    }

    /// What was shown in a room, in numbers.
    pub(crate) async fn stats(&self, actor: Actor, room: String) -> Result<StatsView, FileError> {
        let files = self.clone();
        let sums = move |c: &mut Connection<'_>| {
            let room: RoomId = files.messages().readable(c, &actor, &room)?;
            Ok::<_, FileError>(pages::sums(c, room)?)
        };
        let mut stats = StatsView::default();
        stats.by_type.extend(Sort::ALL.map(|sort| (sort.name(), Sum::default())));
        for (kind, count, size) in self.database().read(sums).await? {
            let sum = stats.by_type.entry(kind.sort().name()).or_default();
            (sum.count, sum.size) = (sum.count + count, sum.size + size);
            stats.total_files += count;
            stats.total_size += size;
        }
        Ok(stats)
    }
}
