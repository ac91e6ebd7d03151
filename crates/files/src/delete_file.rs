//! Deleting: the row says that a file is gone, and a job removes its objects.

use serde::{Deserialize, Serialize};
use stoa_contracts::{
    chat::MessageId,
    files::{FileDeleted, FileId, FileWithdrawn},
};
use stoa_kernel::Actor;
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events,
    failpoint::reach,
    jobs::{self, Handler, Job, JobContext},
};
use uuid::Uuid;

use crate::{
    Files,
    error::FileError,
    file::{File, Owner, State},
    store::{files, messages, usage},
};

/// The places between the steps of deleting a file, for tests that die there.
pub const FAILPOINTS: [&str; 5] = [
    "file.deleted.before_commit",
    "file.deleted",
    "file.half_removed",
    "file.removed",
    "file.forgotten.before_commit",
];

/// The job that removes the objects of a deleted file, then its row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RemoveObjects {
    pub(crate) file: FileId,
}

impl Job for RemoveObjects {
    const QUEUE: &'static str = "files";
    const KIND: &'static str = "remove-file-objects";
    /// A store may be away for a while; what is left then the clean-up queues again.
    const MAX_ATTEMPTS: u32 = 8;

    fn key(&self) -> Option<String> {
        Some(self.file.to_string())
    }
}

/// Deletes a file that is there, with what follows of it.
pub(crate) fn delete(tx: &mut Tx<'_>, occasion: &Occasion, file: &File) -> Result<(), DatabaseError> {
    if !files::move_on(tx, file.id, (State::Ready, State::Deleted), occasion.at)? {
        return Ok(());
    }
    usage::give_back(tx, file.owner, file.stored_bytes())?;
    for room in messages::let_go_of(tx, file.id)? {
        events::append(tx, occasion, &FileWithdrawn { room, file_id: file.id })?;
    }
    let deleted = FileDeleted { file_id: file.id, user_id: file.owner.user(), filename: file.filename() };
    events::append(tx, occasion, &deleted)?;
    jobs::enqueue(tx, occasion, &RemoveObjects { file: file.id }).map(drop)
}

impl Files {
    /// Deletes a file of `owner`, or those that one of their messages carries, by the id of either. The message that a
    /// file was sent for goes with it.
    pub(crate) async fn delete(
        &self,
        occasion: Occasion,
        actor: Actor,
        owner: Owner,
        id: Uuid,
    ) -> Result<(), FileError> {
        let all = self.clone();
        let work = move |tx: &mut Tx<'_>| {
            let of_message = messages::files_of(tx, &[id.into()])?.remove(&id.into());
            let (wanted, carriers) = if let Some(carried) = of_message {
                (carried, vec![MessageId::from(id)])
            } else {
                let file = files::find(tx, id.into())?.filter(|file| file.state == State::Ready);
                let file = file.ok_or(FileError::Unknown)?;
                let sent_for =
                    if file.room.is_some() { messages::carriers(tx, file.id)? } else { Vec::new() };
                (vec![file], sent_for)
            };
            if wanted.iter().any(|file| file.owner != owner) {
                return Err(FileError::Unknown);
            }
            for message in carriers {
                all.take_back(tx, &occasion, &actor, message)?;
            }
            for file in &wanted {
                delete(tx, &occasion, file)?;
            }
            reach("file.deleted.before_commit");
            Ok(())
        };
        self.database().write(work).await?;
        reach("file.deleted");
        Ok(())
    }

    /// Deletes a message. One that may not be deleted by `actor`, because they have left its room, stays without its file.
    fn take_back(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        actor: &Actor,
        message: MessageId,
    ) -> Result<(), DatabaseError> {
        use stoa_kernel::RefusalKind::{Forbidden, NotFound, Unauthenticated};
        match self.messages().take_back(tx, occasion, actor, message) {
            Err(refusal) if !matches!(refusal.kind, Forbidden | NotFound | Unauthenticated) => {
                Err(DatabaseError::Unavailable(refusal.to_string()))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn removal_handler(&self) -> Handler {
        let files = self.clone();
        Handler::of::<RemoveObjects>(move |job: RemoveObjects, _: JobContext| {
            let files = files.clone();
            async move { Ok(files.remove_objects(job.file).await?) }
        })
    }

    /// Removes the objects of a deleted file, and then its row.
    async fn remove_objects(&self, id: FileId) -> Result<(), FileError> {
        let found = self.database().get(move |c| files::find(c, id)).await?;
        let Some(file) = found.filter(|file| file.state == State::Deleted) else { return Ok(()) };
        for (part, _) in file.parts() {
            self.storage().delete(&file.key(part)?).await?;
            reach("file.half_removed");
        }
        self.remove_renditions(&file).await?;
        reach("file.removed");
        let forget = move |tx: &mut Tx<'_>| {
            files::forget(tx, id)?;
            reach("file.forgotten.before_commit");
            Ok::<_, DatabaseError>(())
        };
        Ok(self.database().write(forget).await?)
    }
}
