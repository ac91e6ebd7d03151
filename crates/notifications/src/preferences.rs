//! What somebody wants to be told, and how.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stoa_contracts::notifications::{Channel, Kind, Preferences};
use stoa_kernel::{Fields, Flaw, Refusal, UserId};
use stoa_platform::database::{Connection, DatabaseError};
use utoipa::ToSchema;

use crate::{Notifications, store::preferences};

/// By which way a kind comes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NotificationPreference)]
pub(crate) struct Preference {
    #[schema(inline)]
    kind: Kind,
    /// In the list of notifications.
    in_app: bool,
    /// By mail.
    mail: bool,
    /// The ways that cannot be changed: `inApp`, `mail`.
    fixed: Vec<&'static str>,
}

/// Everything somebody wants to be told, kind by kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = NotificationPreferences)]
pub(crate) struct PreferencesView {
    preferences: Vec<Preference>,
}

/// A change of one kind; what is left out stays.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NotificationPreferenceChange)]
pub(crate) struct PreferenceChange {
    #[schema(inline)]
    kind: Kind,
    in_app: Option<bool>,
    mail: Option<bool>,
}

/// What somebody wants to be told from now on; kinds that are left out stay as they are.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NotificationPreferencesChange)]
pub(crate) struct PreferencesChange {
    #[schema(max_items = 50)]
    preferences: Vec<PreferenceChange>,
}

/// A choice to be kept.
pub(crate) type Choice = (Kind, Channel, bool);

/// More entries than kinds can only repeat themselves.
const MOST_CHANGES: usize = 50;
const TOO_MANY: Flaw = Flaw::new("TOO_MANY", "At most 50 entries.");
const FIXED: Flaw = Flaw::new("FIXED", "This cannot be changed: it protects you, or it comes no other way.");

impl PreferencesChange {
    /// The choices made, or every one that cannot be.
    pub(crate) fn checked(&self) -> Result<Vec<Choice>, Refusal> {
        let mut flaws = Fields::default();
        flaws.check("preferences", self.preferences.len() <= MOST_CHANGES, TOO_MANY);
        let mut choices = Vec::new();
        for (index, change) in self.preferences.iter().take(MOST_CHANGES).enumerate() {
            for (channel, wanted) in [(Channel::InApp, change.in_app), (Channel::Mail, change.mail)] {
                let Some(wanted) = wanted else { continue };
                let usual = usually(change.kind, channel);
                let fine = wanted == usual || !is_fixed(change.kind, channel);
                flaws.check(format!("preferences[{index}].{}", channel.as_str()), fine, FIXED);
                if !is_fixed(change.kind, channel) {
                    choices.push((change.kind, channel, wanted));
                }
            }
        }
        flaws.finish()?;
        Ok(choices)
    }
}

/// What holds for those who chose nothing.
const fn usually(kind: Kind, channel: Channel) -> bool {
    kind.comes_by(channel)
}

const fn is_fixed(kind: Kind, channel: Channel) -> bool {
    kind.is_certain(channel) || !kind.comes_by(channel)
}

/// Whether it holds, given what somebody chose, if they did.
pub(crate) fn holds(kind: Kind, channel: Channel, chosen: Option<bool>) -> bool {
    if is_fixed(kind, channel) { usually(kind, channel) } else { chosen.unwrap_or(usually(kind, channel)) }
}

impl PreferencesView {
    pub(crate) fn of(chosen: &[Choice]) -> Self {
        let chosen: BTreeMap<(Kind, Channel), bool> =
            chosen.iter().map(|(kind, channel, wanted)| ((*kind, *channel), *wanted)).collect();
        let view = |kind: Kind| {
            let wants = |channel| holds(kind, channel, chosen.get(&(kind, channel)).copied());
            let fixed =
                [Channel::InApp, Channel::Mail].into_iter().filter(|channel| is_fixed(kind, *channel));
            Preference {
                kind,
                in_app: wants(Channel::InApp),
                mail: wants(Channel::Mail),
                fixed: fixed.map(Channel::as_str).collect(),
            }
        };
        Self { preferences: Kind::ALL.iter().copied().map(view).collect() }
    }
}

impl Preferences for Notifications {
    fn wants(
        &self,
        connection: &mut Connection<'_>,
        user: UserId,
        kind: Kind,
        channel: Channel,
    ) -> Result<bool, DatabaseError> {
        preferences::wants(connection, user, kind, channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: Kind, in_app: Option<bool>, mail: Option<bool>) -> PreferencesChange {
        PreferencesChange { preferences: vec![PreferenceChange { kind, in_app, mail }] }
    }

    #[test]
    fn what_is_certain_cannot_be_switched_off() {
        let refused = change(Kind::Security, Some(false), Some(false)).checked().unwrap_err();
        let fields: Vec<_> = refused.fields.iter().map(|field| field.field.as_ref()).collect();
        assert_eq!(fields, ["preferences[0].mail"]);
        assert!(change(Kind::Announcement, Some(false), None).checked().is_err());
        assert!(change(Kind::Announcement, None, Some(true)).checked().is_err(), "it never comes by mail");
        assert_eq!(change(Kind::Security, None, Some(true)).checked().unwrap(), []);
    }

    #[test]
    fn choices_hold_where_one_may_choose() {
        let choices = change(Kind::OrderShipped, Some(true), Some(false)).checked().unwrap();
        assert_eq!(
            choices,
            [(Kind::OrderShipped, Channel::InApp, true), (Kind::OrderShipped, Channel::Mail, false)]
        );
        assert!(!holds(Kind::OrderShipped, Channel::Mail, Some(false)));
        assert!(holds(Kind::OrderShipped, Channel::Mail, None));
        assert!(holds(Kind::Security, Channel::Mail, Some(false)), "also if the table says otherwise");
    }

    #[test]
    fn every_kind_is_shown_with_what_is_fixed() {
        let view = PreferencesView::of(&[(Kind::LowStock, Channel::InApp, false)]);
        assert_eq!(view.preferences.len(), Kind::ALL.len());
        let of = |kind| view.preferences.iter().find(|preference| preference.kind == kind).unwrap();
        assert!(!of(Kind::LowStock).in_app && of(Kind::LowStock).mail);
        assert_eq!(of(Kind::Security).fixed, ["mail"]);
        assert_eq!(of(Kind::Announcement).fixed, ["inApp", "mail"]);
    }
}
