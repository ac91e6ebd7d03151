//! What somebody may do in a room.

use stoa_contracts::chat::{RoomKind, RoomRole};
use stoa_kernel::{Actor, Refusal, Timestamp, UserId};

use crate::{error::ChatError, room::Room};

/// Somebody who talks: who, and whether they keep order everywhere (`room:moderate`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Visitor {
    /// Who.
    pub user: UserId,
    /// Whether they may do what owners do in every room but those between two others.
    pub moderates: bool,
}

impl Visitor {
    /// A signed-in person: 401 for a guest, 403 for a machine.
    pub fn of(actor: &Actor) -> Result<Self, Refusal> {
        Ok(Self { user: actor.require_user()?.user, moderates: actor.may("room", "moderate") })
    }
}

/// Somebody's row in a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Membership {
    pub(crate) user: UserId,
    pub(crate) role: RoomRole,
    pub(crate) joined_at: Timestamp,
    pub(crate) read_seq: i64,
    pub(crate) muted_until: Option<Timestamp>,
    pub(crate) banned_at: Option<Timestamp>,
    pub(crate) last_sent_at: Option<Timestamp>,
}

impl Membership {
    /// A member who has just come in, and has read what was said before.
    pub(crate) fn new(user: UserId, role: RoomRole, room: &Room, at: Timestamp) -> Self {
        Self {
            user,
            role,
            joined_at: at,
            read_seq: room.last_seq,
            muted_until: None,
            banned_at: None,
            last_sent_at: None,
        }
    }
}

/// How much somebody has to say in a room, the least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Authority {
    /// Not in it.
    None,
    Member,
    Moderator,
    Owner,
    /// Whoever keeps order everywhere.
    House,
}

/// Somebody in front of a room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Standing {
    pub(crate) visitor: Visitor,
    pub(crate) room: Room,
    /// Their row, if there is one; also of one who was sent out.
    pub(crate) row: Option<Membership>,
}

impl Standing {
    /// Their row, while they are a member.
    pub(crate) fn member(&self) -> Option<&Membership> {
        self.row.as_ref().filter(|row| row.banned_at.is_none())
    }

    pub(crate) const fn is_banned(&self) -> bool {
        matches!(self.row, Some(Membership { banned_at: Some(_), .. }))
    }

    /// Whether they are in it. In the room for everybody that needs no row.
    pub(crate) fn is_inside(&self) -> bool {
        self.member().is_some() || (self.room.everybody && self.row.is_none())
    }

    /// Whether they may know of it and read it.
    pub(crate) fn sees(&self) -> bool {
        match self.room.kind {
            RoomKind::Public => true,
            RoomKind::Private => self.is_inside() || self.visitor.moderates,
            RoomKind::Direct => self.is_inside(),
        }
    }

    pub(crate) fn authority(&self) -> Authority {
        let role = match self.member() {
            Some(Membership { role: RoomRole::Owner, .. }) => Authority::Owner,
            Some(Membership { role: RoomRole::Moderator, .. }) => Authority::Moderator,
            Some(_) => Authority::Member,
            None if self.is_inside() => Authority::Member,
            None => Authority::None,
        };
        let everywhere = self.visitor.moderates && self.room.kind != RoomKind::Direct;
        if everywhere { Authority::House } else { role }
    }

    /// Whether they may do what this authority may: 403 otherwise.
    pub(crate) fn require(&self, least: Authority) -> Result<(), ChatError> {
        if self.authority() >= least { Ok(()) } else { Err(ChatError::forbidden()) }
    }

    /// Whether they may write: members who are not muted.
    pub(crate) fn require_voice(&self, now: Timestamp) -> Result<(), ChatError> {
        if self.is_banned() {
            return Err(ChatError::Banned);
        }
        if !self.is_inside() {
            return Err(ChatError::NotAMember);
        }
        match self.member().and_then(|row| row.muted_until).filter(|until| *until > now) {
            Some(until) => Err(ChatError::Muted(until)),
            None => Ok(()),
        }
    }

    /// Whether they may write once more, having written last at `last`. Who keeps order need not wait.
    pub(crate) fn require_patience(&self, last: Option<Timestamp>, now: Timestamp) -> Result<(), ChatError> {
        let slow = std::time::Duration::from_secs(self.room.slow_mode.into());
        if slow.is_zero() || self.authority() > Authority::Member {
            return Ok(());
        }
        match last.map(|last| last + slow).filter(|next| *next > now) {
            Some(next) => Err(ChatError::Slow(next.since(now))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn room(kind: RoomKind) -> Room {
        Room::opened(Uuid::nil().into(), kind, "Room".into(), NOW)
    }

    fn standing(kind: RoomKind, role: Option<RoomRole>, moderates: bool) -> Standing {
        let (user, room) = (Uuid::max().into(), room(kind));
        let row = role.map(|role| Membership::new(user, role, &room, NOW));
        Standing { visitor: Visitor { user, moderates }, room, row }
    }

    fn banned(mut standing: Standing) -> Standing {
        standing.row = standing.row.map(|row| Membership { banned_at: Some(NOW), ..row });
        standing
    }

    #[test]
    fn public_rooms_are_read_by_all_and_private_ones_by_members() {
        use RoomKind::{Direct, Private, Public};
        let member = Some(RoomRole::Member);
        for (kind, role, moderates, sees) in [
            (Public, None, false, true),
            (Private, None, false, false),
            (Private, member, false, true),
            (Private, None, true, true),
            (Direct, None, true, false),
            (Direct, member, false, true),
        ] {
            assert_eq!(standing(kind, role, moderates).sees(), sees, "{kind:?} {role:?} {moderates}");
        }
        assert!(!banned(standing(Private, member, false)).sees());
        assert!(banned(standing(Public, member, false)).sees());
    }

    #[test]
    fn authority_comes_of_the_role_or_of_the_house() {
        let authority = |role, moderates| standing(RoomKind::Public, role, moderates).authority();
        assert_eq!(authority(None, false), Authority::None);
        assert_eq!(authority(Some(RoomRole::Member), false), Authority::Member);
        assert_eq!(authority(Some(RoomRole::Moderator), false), Authority::Moderator);
        assert_eq!(authority(Some(RoomRole::Owner), false), Authority::Owner);
        assert_eq!(authority(None, true), Authority::House);
        let between_two = standing(RoomKind::Direct, Some(RoomRole::Member), true);
        assert_eq!(between_two.authority(), Authority::Member);
        assert_eq!(
            banned(standing(RoomKind::Public, Some(RoomRole::Owner), false)).authority(),
            Authority::None
        );
    }

    #[test]
    fn everybody_is_in_the_room_for_everybody() {
        let mut general = standing(RoomKind::Public, None, false);
        assert!(matches!(general.require_voice(NOW), Err(ChatError::NotAMember)));
        general.room.everybody = true;
        assert!(general.require_voice(NOW).is_ok());
        assert_eq!(general.authority(), Authority::Member);
        let mut sent_out = standing(RoomKind::Public, Some(RoomRole::Member), false);
        sent_out.room.everybody = true;
        assert!(matches!(banned(sent_out).require_voice(NOW), Err(ChatError::Banned)));
    }

    #[test]
    fn who_is_muted_is_silent_until_then() {
        let mut muted = standing(RoomKind::Public, Some(RoomRole::Member), false);
        muted.row = muted.row.map(|row| Membership { muted_until: Some(NOW), ..row });
        assert!(matches!(muted.require_voice(NOW - Duration::from_secs(1)), Err(ChatError::Muted(NOW))));
        assert!(muted.require_voice(NOW).is_ok());
    }

    #[test]
    fn members_wait_in_a_slow_room_and_moderators_do_not() {
        let mut member = standing(RoomKind::Public, Some(RoomRole::Member), false);
        member.room.slow_mode = 10;
        assert!(member.require_patience(None, NOW).is_ok());
        let soon = NOW + Duration::from_secs(4);
        let refused = member.require_patience(Some(NOW), soon).unwrap_err();
        assert!(matches!(refused, ChatError::Slow(wait) if wait == Duration::from_secs(6)));
        assert!(member.require_patience(Some(NOW), NOW + Duration::from_secs(10)).is_ok());
        member.row = member.row.map(|row| Membership { role: RoomRole::Moderator, ..row });
        assert!(member.require_patience(Some(NOW), soon).is_ok());
    }
}
