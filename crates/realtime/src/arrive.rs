//! A client signs in: afresh, or taking up the session that it had.
//!
//! Recovery, in this order: is the session known, this user's, of this life of the log and of a login that lives; claim
//! it, so that no other socket has it; may the user still hear what it heard; subscribe, holding back what is told live,
//! which fixes the place up to which the log must be read; read what was missed up to there. Then the client is told
//! what it missed, and after it what was held back.

use std::{net::IpAddr, sync::Arc};

use serde::Serialize;
use sha2::{Digest, Sha256};
use stoa_kernel::{Actor, Credentials, Refusal, SignedIn, UserId};
use stoa_platform::events::Offset;

use crate::{
    Dialect, Hub, Topic,
    ledger::Change,
    line::Line,
    peer::{Identity, Peer},
    store::{self, Kept, KeptSeat, KeptSubscription, SessionHash},
    topics::{Subscription, Wanted},
    utterance::Utterance,
    whisper::said,
};

/// How often, and for how long, a node waits that is behind what the client has heard from another.
const BEHIND_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);
const BEHIND_TRIES: usize = 100;

/// What a client shows when it comes.
#[derive(Clone, Default)]
pub(crate) struct Arrival {
    /// An access token.
    pub(crate) token: Option<String>,
    /// The secret of the session that it had.
    pub(crate) session: Option<String>,
    /// The last offset that it heard.
    pub(crate) offset: Option<String>,
}

/// A client that has come.
pub(crate) struct Arrived {
    pub(crate) peer: Arc<Peer>,
    /// The secret of the session that it has now.
    pub(crate) session: String,
    /// What it is sent first, in order: what it missed, and that it is signed in.
    pub(crate) first: Vec<Arc<Utterance>>,
}

/// Signed in.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Authenticated<'a> {
    user_id: UserId,
    recovered: bool,
    /// Only where the protocol has no place for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
}

pub(crate) fn hash_of(secret: &str) -> SessionHash {
    Sha256::digest(secret).into()
}

impl Hub {
    /// Signs a client in. `secret` is what its session will be known by if it is a new one.
    pub(crate) async fn arrive(
        &self,
        line: &Line,
        arrival: &Arrival,
        client: IpAddr,
        secret: &str,
    ) -> Result<Arrived, Refusal> {
        let shown = match &arrival.token {
            Some(token) => Some(self.0.authenticator.authenticate(Credentials::Bearer(token), client).await),
            None => None,
        };
        let person = match &shown {
            Some(Ok(actor)) => Some(actor.require_user()?.clone()),
            _ => None,
        };
        if let Some(session) = arrival.session.as_deref()
            && let Some(arrived) = self.recover(line, arrival, session, person.as_ref()).await?
        {
            return Ok(arrived);
        }
        match (shown, person) {
            (Some(Err(refusal)), _) => Err(refusal),
            (_, Some(person)) => self.begin(line, &person, secret).await,
            (_, None) => Err(Refusal::authentication_required()),
        }
    }

    async fn begin(&self, line: &Line, person: &SignedIn, secret: &str) -> Result<Arrived, Refusal> {
        let home = !line.is_websocket();
        let identity =
            Identity { user: person.user, login: person.session, session: hash_of(secret), claim: 0 };
        let looked_at = self.heard();
        let topics = if home { self.home_of(person.user).await? } else { Vec::new() };
        let peer = Peer::new(self, self.next_number(), line.clone(), identity, home);
        let new = Kept {
            user: person.user,
            login: person.session,
            epoch: self.0.epoch.get().cloned().unwrap_or_default(),
            since: self.heard(),
            claim: 0,
            seat: KeptSeat { home, subscriptions: Vec::new() },
            alive_until: self.alive_until(),
        };
        let session = peer.session;
        self.0.ledger.write(Change::Begin(session, new)).await?;
        self.add(&peer);
        let heard = self.register_all(&peer, by_itself(person.user, home, topics));
        if home && heard > looked_at {
            self.look_at_home_again(&peer).await?;
        }
        self.0.measures.arrived("new");
        let first = self.greeting(&peer, secret, false, heard).into_iter().collect();
        Ok(Arrived { peer, session: secret.to_owned(), first })
    }

    /// Takes up a session; nothing when that cannot be done, and the client begins anew.
    pub(crate) async fn recover(
        &self,
        line: &Line,
        arrival: &Arrival,
        secret: &str,
        person: Option<&SignedIn>,
    ) -> Result<Option<Arrived>, Refusal> {
        let session = hash_of(secret);
        let Some((kept, person)) = self.claimable(session, person).await? else { return Ok(None) };
        let Some(offset) = self.offset_of(arrival, &kept).await? else {
            self.0.measures.arrived("offset_gone");
            return Ok(None);
        };
        let (seen, login, alive_until) = (kept.claim, person.session, self.alive_until());
        if !self.0.ledger.write(Change::Claim { session, seen, login, alive_until }).await? {
            return Ok(None);
        }
        let identity = Identity { user: person.user, login: person.session, session, claim: kept.claim + 1 };
        let peer = Peer::new(self, self.next_number(), line.clone(), identity, kept.seat.home);
        let wanted = self.still_heard(&person, &kept.seat).await?;
        self.add(&peer);
        // What is read for one waits in memory until it is sent, so not everybody's is read at once.
        let _turn = self.0.recoveries.acquire().await.map_err(Refusal::internal)?;
        let Ok((mut first, heard)) = self.missed(&peer, &kept, wanted, offset).await? else {
            self.0.measures.arrived("too_much");
            self.remove(&peer);
            return Ok(None);
        };
        self.0.measures.arrived("recovered");
        first.extend(self.greeting(&peer, secret, true, heard));
        Ok(Some(Arrived { peer, session: secret.to_owned(), first }))
    }

    /// The session, if whoever comes may have it. A token that has run out does not matter, one of somebody else does.
    async fn claimable(
        &self,
        session: SessionHash,
        person: Option<&SignedIn>,
    ) -> Result<Option<(Kept, SignedIn)>, Refusal> {
        let found = self.0.platform.database.get(move |c| store::find(c, session)).await?;
        let now = self.0.platform.clock.now();
        let Some(kept) = found.filter(|kept| kept.alive_until > now) else {
            self.0.measures.arrived("session_gone");
            return Ok(None);
        };
        let epoch_fits = self.0.epoch.get().is_some_and(|epoch| *epoch == kept.epoch);
        if !epoch_fits || person.is_some_and(|person| person.user != kept.user) {
            self.0.measures.arrived("not_theirs");
            return Ok(None);
        }
        match self.0.authenticator.of_session(kept.login).await {
            Ok(Actor::User(owner)) => Ok(Some((kept, person.cloned().unwrap_or(owner)))),
            Ok(_) => Ok(None),
            Err(refusal) if refusal.kind == stoa_kernel::RefusalKind::Unauthenticated => {
                self.0.measures.arrived("login_ended");
                Ok(None)
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// The place after which events were missed; nothing when it is no place of this log, or forgotten.
    async fn offset_of(&self, arrival: &Arrival, kept: &Kept) -> Result<Option<i64>, Refusal> {
        match &arrival.offset {
            None => self.reachable(kept.since).await,
            Some(offset) => match offset.parse::<Offset>() {
                Ok(offset) if offset.epoch == kept.epoch && offset.pos >= kept.since => {
                    self.reachable(offset.pos).await
                }
                _ => Ok(None),
            },
        }
    }

    /// The place itself, if everything after it is in the log and it is not beyond what there is.
    pub(crate) async fn reachable(&self, pos: i64) -> Result<Option<i64>, Refusal> {
        // Another node may have been quicker than this one.
        for _ in 0..BEHIND_TRIES {
            if self.heard() >= pos {
                break;
            }
            let head = self.0.platform.database.read(stoa_platform::events::head).await?;
            if head.pos < pos {
                return Ok(None);
            }
            tokio::time::sleep(BEHIND_PAUSE).await;
        }
        let oldest = self.0.platform.database.get(stoa_platform::events::oldest).await?;
        let kept_from = oldest.map_or(0, |oldest| oldest - 1);
        Ok((kept_from <= pos && pos <= self.heard()).then_some(pos))
    }

    /// What of the session's subscriptions its user may still hear.
    async fn still_heard(
        &self,
        person: &SignedIn,
        seat: &KeptSeat,
    ) -> Result<Vec<KeptSubscription>, Refusal> {
        let actor = Arc::new(Actor::User(person.clone()));
        let mut heard = Vec::with_capacity(seat.subscriptions.len());
        for subscription in &seat.subscriptions {
            let topic = Topic::from(subscription.topic.as_str());
            let Some(permit) = self.0.sockets.permitting.get(topic.kind()) else { continue };
            if permit(Arc::clone(&actor), topic).await? {
                heard.push(subscription.clone());
            }
        }
        Ok(heard)
    }

    /// From now on the socket hears who comes and goes.
    pub(crate) fn hear_presence(&self, peer: &Arc<Peer>) {
        let topic = Topic::from(Topic::PRESENCE);
        if !peer.seat.lock().subscriptions.contains_key(&topic) {
            self.register(peer, Wanted { topic, dialect: Dialect::Rooms, name: None, by_itself: true });
        }
    }

    /// Somebody may have come into a room, or been sent out of one, between the look at their rooms and being subscribed.
    pub(crate) async fn look_at_home_again(&self, peer: &Arc<Peer>) -> Result<(), Refusal> {
        let home = self.home_of(peer.user).await?;
        let heard: Vec<Topic> = {
            let seat = peer.seat.lock();
            let by_home = |one: &&Arc<Subscription>| one.by_itself && one.dialect == Dialect::Rooms;
            seat.subscriptions.values().filter(by_home).map(|one| one.topic.clone()).collect()
        };
        for topic in heard.iter().filter(|topic| topic.as_str() != Topic::PRESENCE && !home.contains(topic)) {
            self.drop_subscription(peer, topic);
        }
        for topic in home.into_iter().filter(|topic| !heard.contains(topic)) {
            self.register(peer, Wanted { topic, dialect: Dialect::Rooms, name: None, by_itself: true });
        }
        Ok(())
    }

    pub(crate) async fn home_of(&self, user: UserId) -> Result<Vec<Topic>, Refusal> {
        let mut topics = Vec::new();
        for home in &self.0.sockets.homes {
            topics.extend(home(user).await?);
        }
        topics.truncate(self.settings().subscriptions);
        Ok(topics)
    }

    /// That the client is signed in, with the place up to which it has everything.
    fn greeting(&self, peer: &Peer, secret: &str, recovered: bool, heard: i64) -> Option<Arc<Utterance>> {
        let session = peer.is_websocket().then_some(secret);
        let said = said("authenticated", &Authenticated { user_id: peer.user, recovered, session })?;
        Some(Arc::new(Utterance::durable(said, self.offset(heard))))
    }
}

/// What a signed-in socket hears without having named it.
pub(crate) fn by_itself(user: UserId, speaks_rooms: bool, home: Vec<Topic>) -> Vec<(Wanted, Option<i64>)> {
    let unnamed = |dialect| move |topic| (Wanted { topic, dialect, name: None, by_itself: true }, None);
    let personal = [Topic::from(Topic::SYSTEM), Topic::of_user(user)];
    let presence = speaks_rooms.then(|| Topic::from(Topic::PRESENCE));
    let shop = personal.into_iter().map(unnamed(Dialect::Shop));
    shop.chain(presence.into_iter().chain(home).map(unnamed(Dialect::Rooms))).collect()
}
