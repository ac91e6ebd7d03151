//! Clearing away what nobody waits for any more: uploads that came to nothing, files whose time is over, what deleting left
//! behind, and files of people who are gone.

use std::time::Duration;

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use stoa_contracts::{accounts::UserDeleted, files::FileId};
use stoa_kernel::Timestamp;
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Tx},
    events::{Event, Follower, HandlerError, StartAt, StoredEvent},
    jobs::{self, Handler, Job, JobContext, Schedule},
};

use crate::{
    Files,
    delete_file::{RemoveObjects, delete},
    error::FileError,
    file::{Owner, State, incoming_key},
    spool::blocking,
    store::{files, uploads, usage},
};

/// How long a file may take from its row to its readiness, and its objects to their removal. Longer than an upload may.
const LEFT_AFTER: Duration = Duration::from_hours(1);
/// Rows changed in one transaction at most.
const SLICE: u32 = 200;

/// The job that clears away what was left, by the rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CleanUpFiles {}

impl Job for CleanUpFiles {
    const QUEUE: &'static str = "files";
    const KIND: &'static str = "cleanup-files";

    fn key(&self) -> Option<String> {
        Some("all".into())
    }
}

/// The job that clears away what was left, by the store: pictures made of files that are gone, drafts of interrupted puts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SweepStore {}

impl Job for SweepStore {
    const QUEUE: &'static str = "files";
    const KIND: &'static str = "sweep-file-store";

    fn key(&self) -> Option<String> {
        Some("all".into())
    }
}

/// The job that deletes the files of somebody who is gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ForgetOwner {
    owner: stoa_kernel::UserId,
}

impl Job for ForgetOwner {
    const QUEUE: &'static str = "files";
    const KIND: &'static str = "forget-file-owner";

    fn key(&self) -> Option<String> {
        Some(self.owner.to_string())
    }
}

impl Files {
    pub(crate) fn clean_up_handler(&self) -> Handler {
        let files = self.clone();
        Handler::of::<CleanUpFiles>(move |_: CleanUpFiles, context: JobContext| {
            let files = files.clone();
            async move { Ok(files.clean_up(&context.occasion()).await?) }
        })
    }

    pub(crate) fn clean_up_schedule() -> Schedule {
        Schedule::of("cleanup-files", "*/15 * * * *", CleanUpFiles {})
    }

    pub(crate) fn sweep_handler(&self) -> Handler {
        let files = self.clone();
        Handler::of::<SweepStore>(move |_: SweepStore, _: JobContext| {
            let files = files.clone();
            async move { Ok(files.sweep_store().await?) }
        })
    }

    pub(crate) fn sweep_schedule() -> Schedule {
        Schedule::of("sweep-file-store", "23 3 * * *", SweepStore {})
    }

    pub(crate) fn forget_owner_handler(&self) -> Handler {
        let files = self.clone();
        Handler::of::<ForgetOwner>(move |job: ForgetOwner, context: JobContext| {
            let files = files.clone();
            async move { Ok(files.forget_owner(job.owner.into(), &context.occasion()).await?) }
        })
    }

    /// Hears who is gone.
    pub(crate) fn follower(&self) -> Follower {
        let files = self.clone();
        Follower::new("files", &[UserDeleted::TYPE], StartAt::Head, move |tx, event| files.hear(tx, event))
    }

    fn hear(&self, tx: &mut Tx<'_>, event: &StoredEvent) -> Result<(), HandlerError> {
        let deleted: UserDeleted = event.payload()?;
        let occasion = Occasion::system(&self.0.platform.clock, &self.0.platform.random, "files");
        jobs::enqueue(tx, &occasion, &ForgetOwner { owner: deleted.user_id })?;
        Ok(())
    }

    async fn clean_up(&self, occasion: &Occasion) -> Result<(), FileError> {
        let before = occasion.at - LEFT_AFTER;
        self.give_up_pending(occasion, before).await?;
        self.remove_again(occasion, before).await?;
        self.expire(occasion).await?;
        self.forget_uploads(occasion.at).await?;
        let spool = self.spool().clone();
        blocking(move || spool.sweep(false)).await?;
        Ok(())
    }

    /// Files whose objects never came: whoever sent them was told so, or is gone.
    async fn give_up_pending(&self, occasion: &Occasion, before: Timestamp) -> Result<(), FileError> {
        self.in_slices(
            occasion,
            move |c, _| files::left_in(c, State::Pending, before, SLICE),
            |tx, occasion, id| {
                let Some(file) = files::lock(tx, id)? else { return Ok(()) };
                if files::move_on(tx, id, (State::Pending, State::Deleted), occasion.at)? {
                    usage::give_back(tx, file.owner, file.stored_bytes())?;
                    jobs::enqueue(tx, occasion, &RemoveObjects { file: id })?;
                }
                Ok(())
            },
        )
        .await
    }

    /// Deleted files whose job was given up, because the store was away for too long.
    async fn remove_again(&self, occasion: &Occasion, before: Timestamp) -> Result<(), FileError> {
        self.in_slices(
            occasion,
            move |c, _| files::left_in(c, State::Deleted, before, SLICE),
            |tx, occasion, id| {
                // From now on it is new again, so that each is taken once.
                files::move_on(tx, id, (State::Deleted, State::Deleted), occasion.at)?;
                jobs::enqueue(tx, occasion, &RemoveObjects { file: id }).map(drop)
            },
        )
        .await
    }

    async fn expire(&self, occasion: &Occasion) -> Result<(), FileError> {
        self.in_slices(occasion, |c, occasion| files::expired(c, occasion.at, SLICE), delete_one).await
    }

    pub(crate) async fn forget_owner(&self, owner: Owner, occasion: &Occasion) -> Result<(), FileError> {
        self.in_slices(occasion, move |c, _| files::shown_nowhere(c, owner, SLICE), delete_one).await
    }

    /// Finds files and does something with each, a slice to a transaction, until none is found.
    async fn in_slices(
        &self,
        occasion: &Occasion,
        find: impl Fn(&mut Connection<'_>, &Occasion) -> Result<Vec<FileId>, DatabaseError>
        + Send
        + Clone
        + 'static,
        each: fn(&mut Tx<'_>, &Occasion, FileId) -> Result<(), DatabaseError>,
    ) -> Result<(), FileError> {
        loop {
            let (find, occasion) = (find.clone(), occasion.clone());
            let slice = move |tx: &mut Tx<'_>| {
                let found = find(tx, &occasion)?;
                found.iter().try_for_each(|id| each(tx, &occasion, *id))?;
                Ok::<_, DatabaseError>(found.len())
            };
            if self.database().write(slice).await? == 0 {
                return Ok(());
            }
        }
    }

    /// Uploads past this server that were never completed, and what was sent for them.
    async fn forget_uploads(&self, now: Timestamp) -> Result<(), FileError> {
        loop {
            let over = self.database().read(move |c| uploads::expired(c, now, SLICE)).await?;
            for id in &over {
                // First the object: while the row is there somebody knows of it.
                self.storage().delete(&incoming_key(*id)?).await?;
            }
            if over.is_empty() {
                return Ok(());
            }
            let forget = move |tx: &mut Tx<'_>| over.iter().try_for_each(|id| uploads::delete(tx, *id));
            self.database().write(forget).await?;
        }
    }

    /// Pictures that were made of a file while it was deleted, and what interrupted puts left.
    async fn sweep_store(&self) -> Result<(), FileError> {
        self.storage().sweep().await?;
        let mut made = self.storage().list("renditions");
        while let Some(object) = made.try_next().await? {
            let of = object.key.as_str().split('/').nth(4).and_then(|id| id.parse::<FileId>().ok());
            let there = match of {
                Some(id) => self.database().get(move |c| files::find(c, id)).await?.is_some(),
                None => false,
            };
            if !there {
                self.storage().delete(&object.key).await?;
            }
        }
        self.sweep_incoming().await
    }

    /// What was sent to an address whose upload is over. The row comes before the address, so nobody waits for it.
    async fn sweep_incoming(&self) -> Result<(), FileError> {
        let mut sent = self.storage().list("incoming");
        while let Some(object) = sent.try_next().await? {
            let of = object.key.as_str().split('/').nth(1).and_then(|id| id.parse::<FileId>().ok());
            let open = match of {
                Some(id) => self.database().get(move |c| uploads::exists(c, id)).await?,
                None => false,
            };
            if !open {
                self.storage().delete(&object.key).await?;
            }
        }
        Ok(())
    }
}

fn delete_one(tx: &mut Tx<'_>, occasion: &Occasion, id: FileId) -> Result<(), DatabaseError> {
    match files::lock(tx, id)? {
        Some(file) => delete(tx, occasion, &file),
        None => Ok(()),
    }
}
