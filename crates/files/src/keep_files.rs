//! Keeping files that have come, whichever way: the rows, then the objects, then the word that all is there.

use std::sync::Arc;

use stoa_contracts::{
    chat::MessageView,
    files::{FileId, FilePost, FileRoom, FileUploaded, FileView, Visibility, WithPicture},
};
use stoa_kernel::{Actor, Refusal};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events,
    failpoint::reach,
    jobs,
};

use crate::{
    Files,
    delete_file::RemoveObjects,
    error::FileError,
    file::{File, Owner, Part, State},
    prepare::{Arrival, Content, Prepared, Shape},
    store::{files, usage},
};

/// The places between the steps of keeping a file, for tests that die there.
pub const FAILPOINTS: [&str; 6] = [
    "file.received",
    "file.pending",
    "file.half_stored",
    "file.stored",
    "file.ready.before_commit",
    "file.ready",
];

/// How files are to be kept.
#[derive(Clone)]
pub(crate) struct Wish {
    pub(crate) actor: Actor,
    pub(crate) owner: Owner,
    /// The id of the one file, where it is known already.
    pub(crate) id: Option<FileId>,
    pub(crate) visibility: Option<Visibility>,
    pub(crate) shape: Shape,
    /// The room that is shown them, by id or slug.
    pub(crate) room: Option<String>,
    pub(crate) content: Option<String>,
    pub(crate) client_id: Option<String>,
    /// What is done besides in the transaction that makes them ready.
    pub(crate) then: Option<Arc<WithPicture>>,
}

impl Wish {
    /// Kept for somebody, and shown nowhere.
    pub(crate) fn of(actor: &Actor, owner: Owner) -> Self {
        Self {
            actor: actor.clone(),
            owner,
            id: None,
            visibility: None,
            shape: Shape::Usual,
            room: None,
            content: None,
            client_id: None,
            then: None,
        }
    }
}

/// Files that are kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) files: Vec<FileView>,
    /// The message that shows them.
    pub(crate) message: Option<MessageView>,
}

impl Files {
    /// Keeps files, all or none. It goes on when nobody waits for it any more.
    pub(crate) async fn keep(
        &self,
        occasion: Occasion,
        arrivals: Vec<Arrival>,
        wish: Wish,
    ) -> Result<Kept, FileError> {
        let files = self.clone();
        let kept = tokio::spawn(async move { files.keep_all(&occasion, arrivals, wish).await });
        kept.await.unwrap_or_else(|error| Err(Refusal::internal(error).into()))
    }

    async fn keep_all(
        &self,
        occasion: &Occasion,
        arrivals: Vec<Arrival>,
        wish: Wish,
    ) -> Result<Kept, FileError> {
        let room = self.room_to_show(occasion, &wish).await?;
        let mut prepared = Vec::with_capacity(arrivals.len());
        for arrival in arrivals {
            prepared.push(self.prepare(arrival, wish.shape).await?);
        }
        reach("file.received");
        let rows: Vec<File> = prepared.iter().map(|one| self.row(occasion, one, &wish, room)).collect();
        self.announce(occasion, rows.clone(), wish.owner).await?;
        reach("file.pending");
        let done = self.store_and_show(occasion, &rows, prepared, (wish, room)).await;
        if done.is_err() {
            self.give_up(occasion, rows).await;
        }
        done
    }

    /// The room that is to be shown the files, if whoever sends them may write there.
    async fn room_to_show(&self, occasion: &Occasion, wish: &Wish) -> Result<Option<FileRoom>, FileError> {
        let Some(name) = wish.room.clone() else { return Ok(None) };
        let (messages, actor, at) = (Arc::clone(self.messages()), wish.actor.clone(), occasion.at);
        let room = self.database().get(move |c| messages.writable(c, &actor, &name, at)).await?;
        Ok(Some(room))
    }

    fn row(&self, occasion: &Occasion, prepared: &Prepared, wish: &Wish, room: Option<FileRoom>) -> File {
        let usual =
            if room.is_some_and(|room| room.private) { Visibility::Private } else { Visibility::Public };
        let guests = (wish.owner == Owner::GUESTS).then(|| occasion.at + self.settings().guest_retention);
        File {
            id: wish.id.unwrap_or_else(|| occasion.id()),
            owner: wish.owner,
            state: State::Pending,
            visibility: wish.visibility.unwrap_or(usual),
            kind: prepared.kind,
            original_name: prepared.original_name.clone(),
            content_type: prepared.content_type.to_owned(),
            extension: prepared.extension.to_owned(),
            size: prepared.size,
            checksum: prepared.checksum.clone(),
            dimensions: prepared.dimensions,
            thumbnail_size: prepared.thumbnail.as_ref().map(|bytes| bytes.len() as u64),
            original: prepared.original.as_ref().map(|(spool, ending)| ((*ending).to_owned(), spool.size)),
            room: room.map(|room| room.id),
            created_at: occasion.at,
            uploaded_at: None,
            expires_at: guests,
        }
    }

    /// Notes what will be in the store, and takes room for it.
    async fn announce(&self, occasion: &Occasion, rows: Vec<File>, owner: Owner) -> Result<(), FileError> {
        let settings = self.settings();
        let quota = if owner == Owner::GUESTS { settings.guest_quota } else { settings.quota };
        let at = occasion.at;
        let bytes = rows.iter().map(File::stored_bytes).sum();
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let note = move |tx: &mut Tx<'_>| {
            if !usage::take(tx, owner, (count, bytes), quota)? {
                let used = usage::bytes(tx, owner)?;
                return Err(FileError::Quota { used, quota: quota.unwrap_or(u64::MAX) });
            }
            rows.iter().try_for_each(|row| Ok(files::insert(tx, row, at)?))
        };
        self.database().write(note).await
    }

    async fn store_and_show(
        &self,
        occasion: &Occasion,
        rows: &[File],
        prepared: Vec<Prepared>,
        (wish, room): (Wish, Option<FileRoom>),
    ) -> Result<Kept, FileError> {
        for (row, prepared) in rows.iter().zip(prepared) {
            self.store(row, prepared).await?;
        }
        reach("file.stored");
        let now = Occasion { at: self.0.platform.clock.now(), ..occasion.clone() };
        let kept = self.make_ready(now, rows.to_vec(), wish, room).await?;
        reach("file.ready");
        Ok(kept)
    }

    /// Puts all objects of a file into the store, what is served last.
    async fn store(&self, row: &File, prepared: Prepared) -> Result<(), FileError> {
        let storage = self.storage();
        if let Some((original, _)) = &prepared.original {
            let kind = row.kind.content_type();
            storage.put_file(&row.key(Part::Original)?, original.path(), kind).await?;
        }
        if let Some(thumbnail) = prepared.thumbnail {
            storage.put(&row.key(Part::Thumbnail)?, thumbnail, "image/webp").await?;
        }
        reach("file.half_stored");
        let key = row.key(Part::Main)?;
        match prepared.main {
            Content::Spooled(spool) => storage.put_file(&key, spool.path(), &row.content_type).await?,
            Content::Made(bytes) => storage.put(&key, bytes, &row.content_type).await?,
        }
        Ok(())
    }

    /// Says that the files are there, and does in the same transaction what depends on it.
    async fn make_ready(
        &self,
        occasion: Occasion,
        rows: Vec<File>,
        wish: Wish,
        room: Option<FileRoom>,
    ) -> Result<Kept, FileError> {
        let files = self.clone();
        let ready = move |tx: &mut Tx<'_>| {
            let views: Vec<FileView> = rows
                .iter()
                .map(|row| files.ready_one(tx, &occasion, row.clone()))
                .collect::<Result<_, FileError>>()?;
            if let (Some(then), Some(view)) = (&wish.then, views.first()) {
                then(tx, view)?;
            }
            let message = match room {
                Some(room) => Some(files.show(tx, &occasion, &wish, room, &views)?),
                None => None,
            };
            reach("file.ready.before_commit");
            Ok(Kept { files: views, message })
        };
        self.database().write(ready).await
    }

    fn ready_one(&self, tx: &mut Tx<'_>, occasion: &Occasion, row: File) -> Result<FileView, FileError> {
        if !files::move_on(tx, row.id, (State::Pending, State::Ready), occasion.at)? {
            let lost = format!("file {} took longer than files may and was cleared away", row.id);
            return Err(DatabaseError::Unavailable(lost).into());
        }
        let row = File { state: State::Ready, uploaded_at: Some(occasion.at), ..row };
        let uploaded = FileUploaded {
            file_id: row.id,
            user_id: row.owner.user(),
            filename: row.filename(),
            content_type: row.content_type.clone(),
            size: row.size,
            checksum: row.checksum.clone(),
        };
        events::append(tx, occasion, &uploaded)?;
        Ok(row.view(self.base()))
    }

    /// Posts the message that shows the files.
    fn show(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        wish: &Wish,
        room: FileRoom,
        views: &[FileView],
    ) -> Result<MessageView, FileError> {
        let names = || views.iter().map(|view| view.original_name.as_str()).collect::<Vec<_>>().join(", ");
        let post = FilePost {
            room: room.id,
            files: views.iter().map(|view| view.id).collect(),
            content: wish.content.clone().unwrap_or_else(names),
            client_id: wish.client_id.clone(),
        };
        Ok(self.messages().post(tx, occasion, &wish.actor, &post)?)
    }

    /// Takes back what was announced. If that fails too, the clean-up does it later.
    async fn give_up(&self, occasion: &Occasion, rows: Vec<File>) {
        let occasion = occasion.clone();
        let undo = move |tx: &mut Tx<'_>| {
            for row in &rows {
                if files::move_on(tx, row.id, (State::Pending, State::Deleted), occasion.at)? {
                    usage::give_back(tx, row.owner, row.stored_bytes())?;
                    jobs::enqueue(tx, &occasion, &RemoveObjects { file: row.id })?;
                }
            }
            Ok::<_, DatabaseError>(())
        };
        if let Err(error) = self.database().write(undo).await {
            tracing::warn!(%error, "files that could not be kept wait for the clean-up");
        }
    }
}
