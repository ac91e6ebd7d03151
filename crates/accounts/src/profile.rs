//! One's own profile, and users as administrators see them.

use serde_json::json;
use stoa_contracts::accounts::UserUpdated;
use stoa_kernel::{
    Actor, Cursor, CursorValue, Fields, Page, PageRequest, Refusal, SortOrder, Timestamp, UserId,
    page::DEEPEST_ENTRY,
};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events,
};

use crate::{
    Accounts,
    account::{ADMIN_ROLE, User, Username, person_name},
    audit::{Note, kind},
    client::Client,
    error::AccountError,
    manage_users::{require_an_admin, require_cover},
    store::{
        roles,
        users::{self, Wanted},
    },
};

/// The ordering that cursors of the list of users belong to.
pub(crate) const fn order_name(order: SortOrder) -> &'static str {
    match order {
        SortOrder::Asc => "createdAt:asc",
        SortOrder::Desc => "createdAt:desc",
    }
}

/// What somebody changes of their profile.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct ProfileChange {
    name: Option<String>,
    username: Option<Username>,
}

impl ProfileChange {
    /// Checks what was given.
    pub(crate) fn parse(name: Option<&str>, username: Option<&str>) -> Result<Self, Refusal> {
        let mut fields = Fields::default();
        let name = fields.take_given("name", name.map(person_name));
        let username = fields.take_given("username", username.map(Username::parse));
        fields.finish()?;
        Ok(Self { name, username })
    }
}

impl Accounts {
    /// The user of this id.
    pub(crate) async fn user(&self, id: UserId) -> Result<User, AccountError> {
        let found = self.database().get(move |c| users::find(c, id)).await?;
        found.ok_or(AccountError::UnknownUser)
    }

    /// As [`Accounts::user`], with whether they are here, as others see it.
    pub(crate) async fn user_seen(&self, id: UserId) -> Result<User, AccountError> {
        let accounts = self.clone();
        let found = self.database().get(move |c| {
            let mut found = users::find(c, id)?;
            accounts.show_presence(c, found.iter_mut())?;
            Ok::<_, AccountError>(found)
        });
        found.await?.ok_or(AccountError::UnknownUser)
    }

    /// Changes somebody's own profile.
    pub(crate) async fn update_profile(
        &self,
        occasion: Occasion,
        user: UserId,
        change: ProfileChange,
    ) -> Result<User, AccountError> {
        let known = self.known_people().clone();
        self.database()
            .write(move |tx| {
                known.forget_after_commit(tx, user);
                let (name, username) = (change.name.as_deref(), change.username.as_ref());
                let changed = users::update_profile(tx, user, name, username, occasion.at)?;
                let changed = changed.ok_or(AccountError::UnknownUser)?;
                events::append(tx, &occasion, &UserUpdated { user_id: user })?;
                Ok(changed)
            })
            .await
    }

    /// A page of all users, by age.
    pub(crate) async fn list_users(
        &self,
        wanted: Wanted,
        page: PageRequest,
    ) -> Result<Page<User>, AccountError> {
        let (accounts, limit, order) = (self.clone(), page.limit, wanted.order);
        let (rows, total) = self
            .database()
            .read(move |c| {
                let mut rows = users::list(c, &wanted)?;
                accounts.show_presence(c, rows.iter_mut())?;
                let role = wanted.role.as_deref();
                let total =
                    if page.wants_total() { Some(users::count(c, role, DEEPEST_ENTRY)?) } else { None };
                Ok::<_, AccountError>((rows, total))
            })
            .await?;
        Ok(Page::from_rows(rows, limit, total, |user| Cursor {
            order: order_name(order).into(),
            value: CursorValue::Number(user.created_at.as_micros()),
            id: user.id.uuid(),
        }))
    }

    /// Gives a user another role and ends their sessions. Nobody gives more than they have themselves, unless they may
    /// change roles anyway; and the last admin stays one.
    pub(crate) async fn change_role(
        &self,
        occasion: Occasion,
        client: Client,
        actor: Actor,
        user: UserId,
        role: String,
    ) -> Result<User, AccountError> {
        let accounts = self.clone();
        self.database()
            .write(move |tx| {
                // Whoever takes the role from an admin waits for others who do, so that one is left.
                roles::lock(tx, ADMIN_ROLE)?;
                let wanted = roles::find(tx, &role)?.ok_or(AccountError::NoSuchRole)?;
                let old = users::find(tx, user)?.ok_or(AccountError::UnknownUser)?;
                require_cover(tx, &actor, &[&wanted.name, &old.role])?;
                let mut changed = set_role(tx, user, &role, occasion.at)?;
                require_an_admin(tx, &old.role)?;
                accounts.end_sessions(tx, &occasion, user, None)?;
                accounts.forget_keys(tx);
                accounts.show_presence(tx, std::iter::once(&mut changed))?;
                events::append(tx, &occasion, &UserUpdated { user_id: user })?;
                let note = Note::new(kind::ROLE_CHANGED, format!("user:{user}")).from(&client);
                note.with(json!({"from": old.role, "to": role})).write(tx, &occasion)?;
                Ok(changed)
            })
            .await
    }
}

fn set_role(tx: &mut Tx<'_>, user: UserId, role: &str, at: Timestamp) -> Result<User, AccountError> {
    match users::set_role(tx, user, role, at) {
        // The role was deleted a moment ago.
        Err(DatabaseError::ForeignKey) => Err(AccountError::NoSuchRole),
        changed => changed?.ok_or(AccountError::UnknownUser),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_tells_every_flaw() {
        let refusal = ProfileChange::parse(Some(""), Some("?")).unwrap_err();
        let fields: Vec<_> = refusal.fields.iter().map(|flaw| flaw.field.as_ref()).collect();
        assert_eq!(fields, ["name", "username"]);
        assert_eq!(ProfileChange::parse(None, None).unwrap(), ProfileChange::default());
    }
}
