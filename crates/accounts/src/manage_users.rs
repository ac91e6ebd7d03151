//! Users made, changed and deleted by those who may.
//!
//! Nobody manages somebody who may more than they do, or a clerk who may change users would take an admin's address and
//! ask for a new password.

use serde_json::json;
use stoa_contracts::accounts::{UserDeleted, UserUpdated};
use stoa_kernel::{Actor, Fields, Refusal, Timestamp, UserId};
use stoa_platform::{Occasion, database::Tx, events};

use crate::{
    Accounts,
    account::{ADMIN_ROLE, EmailAddress, User, Username, person_name},
    audit::{Note, kind},
    client::Client,
    error::AccountError,
    register::{NewUser, create},
    store::{resets, roles, users},
    verify_email::ask_for_proof,
};

/// What an administrator changes of a user; what is absent stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct UserChange {
    email: Option<EmailAddress>,
    username: Option<Username>,
    name: Option<String>,
    email_verified: Option<bool>,
}

impl UserChange {
    /// Checks what was given.
    pub(crate) fn parse(
        email: Option<&str>,
        username: Option<&str>,
        name: Option<&str>,
        email_verified: Option<bool>,
    ) -> Result<Self, Refusal> {
        let mut fields = Fields::default();
        let email = fields.take_given("email", email.map(EmailAddress::parse));
        let username = fields.take_given("username", username.map(Username::parse));
        let name = fields.take_given("name", name.map(person_name));
        fields.finish()?;
        Ok(Self { email, username, name, email_verified })
    }

    /// The user as they are after it. Another address is not proved unless that is said too.
    fn apply(&self, old: &User, at: Timestamp) -> User {
        let mut user = old.clone();
        if let Some(name) = &self.name {
            user.name.clone_from(name);
        }
        if let Some(username) = &self.username {
            username.as_str().clone_into(&mut user.username);
        }
        if let Some(email) = &self.email {
            if !email.as_str().eq_ignore_ascii_case(&old.email) {
                user.email_verified_at = None;
            }
            email.as_str().clone_into(&mut user.email);
        }
        match self.email_verified {
            Some(true) => user.email_verified_at = user.email_verified_at.or(Some(at)),
            Some(false) => user.email_verified_at = None,
            None => {}
        }
        user.updated_at = at;
        user
    }

    /// The names of what is given, for the audit log: values that were personal yesterday are not kept for ever.
    fn given(&self) -> Vec<&'static str> {
        let given = [
            ("email", self.email.is_some()),
            ("username", self.username.is_some()),
            ("name", self.name.is_some()),
            ("emailVerified", self.email_verified.is_some()),
        ];
        given.into_iter().filter_map(|(name, given)| given.then_some(name)).collect()
    }
}

impl Accounts {
    /// Makes a user, in this transaction. Whoever is not known to read mail at the address is asked to prove it.
    pub(crate) fn add_user(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        client: &Client,
        actor: &Actor,
        new: &NewUser,
        id: UserId,
    ) -> Result<User, AccountError> {
        roles::find(tx, &new.role)?.ok_or(AccountError::NoSuchRole)?;
        require_cover(tx, actor, &[&new.role])?;
        let mut user = create(tx, occasion, Some(client), new, id)?;
        if !new.verified {
            ask_for_proof(tx, occasion, id)?;
        }
        self.show_presence(tx, std::iter::once(&mut user))?;
        Ok(user)
    }

    /// Changes who a user is. Another address ends the links that were mailed to the old one.
    pub(crate) async fn update_user(
        &self,
        occasion: Occasion,
        client: Client,
        actor: Actor,
        id: UserId,
        change: UserChange,
    ) -> Result<User, AccountError> {
        let accounts = self.clone();
        self.database()
            .write(move |tx| {
                let old = users::lock(tx, id)?.ok_or(AccountError::UnknownUser)?;
                require_cover(tx, &actor, &[&old.role])?;
                let mut user = change.apply(&old, occasion.at);
                users::rewrite(tx, &user)?;
                accounts.known_people().forget_after_commit(tx, id);
                if !user.email.eq_ignore_ascii_case(&old.email) {
                    resets::end(tx, id, occasion.at)?;
                    if user.email_verified_at.is_none() {
                        ask_for_proof(tx, &occasion, id)?;
                    }
                }
                events::append(tx, &occasion, &UserUpdated { user_id: id })?;
                let note = Note::new(kind::USER_UPDATED, format!("user:{id}")).from(&client);
                note.with(json!({"changed": change.given()})).write(tx, &occasion)?;
                accounts.show_presence(tx, std::iter::once(&mut user))?;
                Ok(user)
            })
            .await
    }

    /// Deletes a user and ends their sessions; what they ordered stays. The last admin stays too.
    pub(crate) async fn delete_user(
        &self,
        occasion: Occasion,
        client: Client,
        actor: Actor,
        id: UserId,
    ) -> Result<(), AccountError> {
        let accounts = self.clone();
        self.database()
            .write(move |tx| {
                // Whoever takes an admin away waits for others who do, so that one is left.
                roles::lock(tx, ADMIN_ROLE)?;
                let user = users::lock(tx, id)?.ok_or(AccountError::UnknownUser)?;
                require_cover(tx, &actor, &[&user.role])?;
                accounts.end_sessions(tx, &occasion, id, None)?;
                users::delete(tx, id)?;
                accounts.forget_keys(tx);
                accounts.known_people().forget_after_commit(tx, id);
                require_an_admin(tx, &user.role)?;
                events::append(tx, &occasion, &UserDeleted { user_id: id })?;
                let note = Note::new(kind::USER_DELETED, format!("user:{id}")).from(&client);
                Ok(note.with(json!({"role": user.role})).write(tx, &occasion)?)
            })
            .await
    }
}

/// Asks that `actor` may do all that these roles allow, or may change roles anyway.
pub(crate) fn require_cover(tx: &mut Tx<'_>, actor: &Actor, touched: &[&str]) -> Result<(), AccountError> {
    if actor.may("role", "update") {
        return Ok(());
    }
    for role in touched {
        let allowed = roles::permissions(tx, role)?;
        if !allowed.iter().all(|one| actor.may(&one.resource, &one.action)) {
            return Err(AccountError::BeyondOwnPermissions);
        }
    }
    Ok(())
}

/// Asks that an admin is left after one with the role `lost` is none any more; the caller holds the lock of that role.
pub(crate) fn require_an_admin(tx: &mut Tx<'_>, lost: &str) -> Result<(), AccountError> {
    if lost == ADMIN_ROLE && users::count_in_role(tx, ADMIN_ROLE)? == 0 {
        return Err(AccountError::LastAdmin);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stoa_kernel::Random;

    use super::*;
    use crate::store::testing::{now, user};

    fn change(email: Option<&str>, verified: Option<bool>) -> UserChange {
        UserChange::parse(email, None, None, verified).unwrap()
    }

    #[test]
    fn every_flaw_is_told_at_once() {
        let refusal = UserChange::parse(Some("bob"), Some("?"), Some(""), None).unwrap_err();
        let fields: Vec<_> = refusal.fields.iter().map(|flaw| flaw.field.as_ref()).collect();
        assert_eq!(fields, ["email", "username", "name"]);
    }

    #[test]
    fn another_address_is_not_proved_unless_told() {
        let proved = User { email_verified_at: Some(now()), ..user("bob", &Random::seeded(1), now()) };
        let later = now() + Duration::from_secs(1);
        let at = |change: &UserChange| change.apply(&proved, later).email_verified_at;
        assert_eq!(at(&change(None, None)), Some(now()));
        assert_eq!(at(&change(Some("BOB@example.com"), None)), Some(now()), "only the case is another");
        assert_eq!(at(&change(Some("rob@example.com"), None)), None);
        assert_eq!(at(&change(Some("rob@example.com"), Some(true))), Some(later));
        assert_eq!(at(&change(None, Some(true))), Some(now()));
        assert_eq!(at(&change(None, Some(false))), None);
    }
}
