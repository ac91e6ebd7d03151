//! What somebody is told of themselves: asked by every client again and again, and changed seldom.
//!
//! The answer is kept as it was written, for a second at most, so that other nodes' changes are seen within one. A change
//! of this node is known at once: whoever writes a user's row touches its tag, and an answer whose reading began before
//! that is not given any more.

use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache;
use stoa_http::Reply;
use stoa_kernel::{Refusal, Timestamp, UserId};
use stoa_platform::cache::Generation;

use crate::{Accounts, account::UserView, store::users};

/// How long an answer is believed.
const LIFETIME: Duration = Duration::from_secs(1);
/// Answers that are kept.
const MOST: u64 = 20_000;

/// Answers by user; clones share them.
#[derive(Clone)]
pub(crate) struct OwnViews(Cache<UserId, OwnView>);

#[derive(Clone)]
struct OwnView {
    began: Generation,
    read_at: Timestamp,
    written: Bytes,
}

impl Default for OwnViews {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_live(LIFETIME).build())
    }
}

impl Accounts {
    /// The user of this id, as they see themselves.
    pub(crate) async fn own_view(&self, id: UserId) -> Result<Reply, Refusal> {
        let (signals, now) = (self.database().signals(), self.clock().now());
        let kept =
            self.own_views().0.get(&id).filter(|kept| {
                now.since(kept.read_at) < LIFETIME && signals.holds(kept.began, users::tag(id))
            });
        if let Some(OwnView { written, .. }) = kept {
            return Ok(Reply::written(written));
        }
        let began = signals.now();
        let view = UserView::own(self.user(id).await?);
        let written: Bytes = serde_json::to_vec(&view).map_err(Refusal::internal)?.into();
        self.own_views().0.insert(id, OwnView { began, read_at: now, written: written.clone() });
        Ok(Reply::written(written))
    }
}
