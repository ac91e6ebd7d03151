//! What accounts mean to sockets: a session that ends takes its sockets with it, and what somebody wants to be seen as is
//! told to those who are there.

use serde::{Deserialize, Serialize};
use stoa_contracts::accounts::{SessionEnded, UserStatusChanged};
use stoa_kernel::{Refusal, UserId};
use stoa_platform::{
    Occasion,
    events::{Event, HandlerError, StoredEvent},
};
use stoa_realtime::{Call, Done, Effect, Fault, Said, Sockets};

use crate::{Accounts, status::PresenceStatus};

/// A status, as a word or as a field of an object.
#[derive(Deserialize)]
#[serde(untagged)]
enum Wanted {
    Plain(PresenceStatus),
    Status { status: PresenceStatus },
}

/// `user-status-update`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusUpdate<'a> {
    user_id: UserId,
    status: &'a str,
}

impl Accounts {
    /// What accounts say and hear on sockets.
    pub(crate) fn sockets(&self) -> Sockets {
        let accounts = self.clone();
        Sockets::default()
            .on("user-status", move |call| {
                let accounts = accounts.clone();
                async move { accounts.be_seen_as(&call).await }
            })
            .act(SessionEnded::TYPE, session_ended)
            .act(UserStatusChanged::TYPE, status_changed)
    }

    async fn be_seen_as(&self, call: &Call) -> Result<Done, Fault> {
        call.actor().require("profile", "update")?;
        let wanted =
            call.read().map_err(|_| Fault::bad_payload("online, away, busy or offline is expected"))?;
        let (Wanted::Plain(status) | Wanted::Status { status }) = wanted;
        let occasion = Occasion::new(self.clock(), self.random(), call.actor());
        self.set_status(occasion, call.user(), status).await.map_err(Refusal::from)?;
        Ok(Done::plain())
    }
}

fn session_ended(event: &StoredEvent) -> Result<Vec<Effect>, HandlerError> {
    let SessionEnded { session_id, .. } = event.payload()?;
    Ok(vec![Effect::EndLogin(session_id)])
}

fn status_changed(event: &StoredEvent) -> Result<Vec<Effect>, HandlerError> {
    let UserStatusChanged { user_id, status } = event.payload()?;
    let said = Said::new("user-status-update", &StatusUpdate { user_id, status: &status })?;
    Ok(vec![Effect::Announce { key: format!("status:{user_id}"), said }])
}
