//! Removing what was in a closed room.

use serde::{Deserialize, Serialize};
use stoa_contracts::chat::RoomId;
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    jobs::{Handler, Job, JobContext},
};

use crate::{Chat, store::purge};

/// Messages or members removed in one transaction at most.
const SLICE: u32 = 256;

/// The job that removes what was in a closed room. It goes on where it stopped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PurgeRoom {
    pub(crate) room: RoomId,
}

impl Job for PurgeRoom {
    const QUEUE: &'static str = "maintenance";
    const KIND: &'static str = "purge-room";

    fn key(&self) -> Option<String> {
        Some(self.room.to_string())
    }
}

impl Chat {
    pub(crate) fn purge_handler(&self) -> Handler {
        let chat = self.clone();
        Handler::of::<PurgeRoom>(move |job: PurgeRoom, context: JobContext| {
            let chat = chat.clone();
            async move { Ok(chat.purge(job.room, &context.occasion()).await?) }
        })
    }

    async fn purge(&self, room: RoomId, occasion: &Occasion) -> Result<(), DatabaseError> {
        loop {
            let (chat, occasion) = (self.clone(), occasion.clone());
            let slice = move |tx: &mut Tx<'_>| {
                let removed = purge::messages(tx, room, SLICE)?;
                chat.files().let_go(tx, &occasion, &removed.carriers)?;
                Ok::<_, DatabaseError>(removed.count)
            };
            if self.database().write(slice).await? == 0 {
                break;
            }
        }
        while self.database().write(move |tx| purge::members(tx, room, SLICE)).await? > 0 {}
        self.database().write(move |tx: &mut Tx<'_>| purge::room(tx, room)).await
    }
}
