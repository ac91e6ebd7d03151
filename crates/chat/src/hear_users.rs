//! Following who comes to the house and who is gone.

use stoa_contracts::accounts::{UserCreated, UserDeleted};
use stoa_kernel::UserId;
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events::{Event, Follower, HandlerError, StartAt, StoredEvent},
};

use crate::{
    Chat, error::ChatError, find_room::enter_for_everybody, leave_room::forget, room::RoomKey, store::rooms,
};

impl Chat {
    /// Everybody gets a row in the rooms for everybody, from which on they have something to read there. From the
    /// beginning, so that whoever was there before chat was is in it too; who is older than the log gets theirs with the
    /// first thing they do.
    pub(crate) fn follower(&self) -> Follower {
        let chat = self.clone();
        let types = &[UserCreated::TYPE, UserDeleted::TYPE];
        Follower::new("chat", types, StartAt::Beginning, move |tx, event| chat.hear(tx, event))
    }

    fn hear(&self, tx: &mut Tx<'_>, event: &StoredEvent) -> Result<(), HandlerError> {
        let occasion = Occasion::system(&self.0.platform.clock, &self.0.platform.random, "chat");
        match event.kind.as_str() {
            UserCreated::TYPE => {
                let created: UserCreated = event.payload()?;
                for room in rooms::for_everybody(tx)? {
                    if let Some(mut room) = rooms::lock_room(tx, &RoomKey::Id(room))? {
                        enter_for_everybody(tx, &occasion, &mut room, created.user_id)?;
                    }
                }
            }
            UserDeleted::TYPE => {
                let deleted: UserDeleted = event.payload()?;
                forget_everywhere(tx, &occasion, deleted.user_id)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Somebody who is gone is in no room any more; what they said stays.
fn forget_everywhere(tx: &mut Tx<'_>, occasion: &Occasion, user: UserId) -> Result<(), DatabaseError> {
    for room in rooms::ids_with(tx, user)? {
        if let Some(room) = rooms::lock_room(tx, &RoomKey::Id(room))? {
            match forget(tx, occasion, room, user) {
                Ok(()) => {}
                Err(ChatError::Database(error)) => return Err(error),
                Err(error) => return Err(DatabaseError::Defect(error.to_string())),
            }
        }
    }
    Ok(())
}
