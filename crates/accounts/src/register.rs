//! Registering, and making users behind the surface.

use std::sync::Arc;

use serde_json::json;
use stoa_contracts::accounts::{UserCreated, UserRegistered};
use stoa_kernel::{Fields, Refusal, UserId};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events, jobs,
    mail::SendMail,
};

use crate::{
    Accounts,
    account::{EmailAddress, USER_ROLE, User, Username, person_name},
    audit::{Note, kind},
    client::Client,
    error::AccountError,
    open_session::{SessionKind, SignedInUser},
    password::HashedPassword,
    store::users::{self, NewRow},
    verify_email::ask_for_proof,
};

/// How many names are tried for one who brought none.
const NAME_ATTEMPTS: u32 = 12;

/// Who somebody will be: address, name and username, each checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    pub(crate) email: EmailAddress,
    pub(crate) name: String,
    pub(crate) username: ChosenUsername,
}

/// A username somebody chose, or one made for them, which may get a number behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ChosenUsername {
    Given(Username),
    Derived(Username),
}

impl Identity {
    /// Checks what was given; what is wrong is noted in `fields`.
    pub(crate) fn parse(
        email: &str,
        username: Option<&str>,
        name: Option<&str>,
        fields: &mut Fields,
    ) -> Option<Self> {
        let email = fields.take("email", EmailAddress::parse(email));
        let username = fields.take_given("username", username.map(Username::parse));
        let name = fields.take_given("name", name.map(person_name));
        let email = email?;
        if !fields.is_clean() {
            return None;
        }
        let called = name.clone().unwrap_or_else(|| {
            username.as_ref().map_or_else(|| email.local_part(), Username::as_str).to_owned()
        });
        let made_from = name.as_deref().unwrap_or_else(|| email.local_part());
        let username = username.map_or_else(
            || ChosenUsername::Derived(Username::derived_from(made_from)),
            ChosenUsername::Given,
        );
        Some(Self { email, name: called, username })
    }
}

/// A user to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewUser {
    pub(crate) identity: Identity,
    pub(crate) password: HashedPassword,
    pub(crate) role: String,
    pub(crate) verified: bool,
}

impl NewUser {
    /// Inserts the user under the first free name. The database decides who comes first.
    fn insert(&self, tx: &mut Tx<'_>, id: UserId, occasion: &Occasion) -> Result<User, AccountError> {
        for attempt in 0..NAME_ATTEMPTS {
            let username = self.identity.username.at(attempt, occasion);
            let row = NewRow {
                id,
                username: &username,
                name: &self.identity.name,
                email: &self.identity.email,
                verified: self.verified,
                password: &self.password,
                role: &self.role,
                at: occasion.at,
            };
            if let Some(user) = users::insert(tx, &row)? {
                return Ok(user);
            }
            if users::email_exists(tx, &self.identity.email)? {
                return Err(AccountError::EmailTaken);
            }
            if matches!(self.identity.username, ChosenUsername::Given(_)) {
                break;
            }
        }
        Err(AccountError::UsernameTaken)
    }
}

impl ChosenUsername {
    fn at(&self, attempt: u32, occasion: &Occasion) -> Username {
        match (self, attempt) {
            (Self::Given(name), _) | (Self::Derived(name), 0) => name.clone(),
            // Few digits at first, more when those are taken too.
            (Self::Derived(name), attempt) => {
                let digits = if attempt < 4 { 4 } else { 8 };
                name.numbered(occasion.random.below(10_u64.pow(digits)))
            }
        }
    }
}

impl Accounts {
    /// Registers somebody and signs them in; mails to welcome them and to verify the address are queued.
    pub(crate) async fn register(
        &self,
        occasion: Occasion,
        client: Client,
        identity: Identity,
        password: String,
        session: SessionKind,
    ) -> Result<SignedInUser, AccountError> {
        let password = self.passwords().hash(password).await?;
        let new = NewUser { identity, password, role: USER_ROLE.into(), verified: false };
        let id: UserId = occasion.id();
        let occasion = Occasion { actor: format!("user:{id}"), ..occasion };
        let opening = Arc::new(self.opening(session, &occasion));
        let now = occasion.at;
        let opens = Arc::clone(&opening);
        let user = self
            .database()
            .write(move |tx| {
                let user = new.insert(tx, id, &occasion)?;
                opens.open(tx, id, &client, &occasion)?;
                announce_registration(tx, &occasion, &user)?;
                Note::new(kind::REGISTERED, &occasion.actor).from(&client).write(tx, &occasion)?;
                Ok::<_, AccountError>(user)
            })
            .await?;
        tracing::info!(user.id = %user.id, "registered");
        self.opened(user, opening.id, &opening, now).await
    }

    /// Makes a user of any role behind the surface, whose address counts as verified. The password must meet the
    /// policy; the username is made from the address.
    pub async fn create_user(&self, role: &str, email: &str, password: &str) -> Result<UserId, Refusal> {
        let mut fields = Fields::default();
        let identity = Identity::parse(email, None, None, &mut fields);
        fields.take("password", self.settings().password_policy.check(password));
        let Some(identity) = identity.filter(|_| fields.is_clean()) else {
            return Err(fields.into_refusal());
        };
        let password = self.hash_password(password).await?;
        let occasion = Occasion::system(self.clock(), self.random(), "command");
        let new = NewUser { identity, password, role: role.to_owned(), verified: true };
        let id = occasion.id();
        let made = self.database().write(move |tx| create(tx, &occasion, None, &new, id)).await;
        Ok(made.map(|user| user.id)?)
    }

    /// The hash of a password, for [`Accounts::insert_user`].
    pub async fn hash_password(&self, password: &str) -> Result<HashedPassword, AccountError> {
        self.passwords().hash(password.to_owned()).await
    }

    /// Makes a user in a transaction of the caller's: for seeds, which give many users one hash that they made before.
    pub fn insert_user(
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        role: &str,
        email: &str,
        name: &str,
        password: &HashedPassword,
    ) -> Result<UserId, Refusal> {
        let mut fields = Fields::default();
        let Some(identity) = Identity::parse(email, None, Some(name), &mut fields) else {
            return Err(fields.into_refusal());
        };
        let new = NewUser { identity, password: password.clone(), role: role.to_owned(), verified: true };
        Ok(create(tx, occasion, None, &new, occasion.id()).map(|user| user.id)?)
    }
}

/// Makes a user in this transaction for somebody else.
pub(crate) fn create(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    client: Option<&Client>,
    new: &NewUser,
    id: UserId,
) -> Result<User, AccountError> {
    let user = match new.insert(tx, id, occasion) {
        Err(AccountError::Database(DatabaseError::ForeignKey)) => return Err(AccountError::NoSuchRole),
        inserted => inserted?,
    };
    events::append(tx, occasion, &UserCreated { user_id: id, email: user.email.clone() })?;
    let note = Note::new(kind::USER_CREATED, format!("user:{id}")).with(json!({"role": user.role}));
    let note = match client {
        Some(client) => note.from(client),
        None => note,
    };
    note.write(tx, occasion)?;
    Ok(user)
}

fn announce_registration(tx: &mut Tx<'_>, occasion: &Occasion, user: &User) -> Result<(), DatabaseError> {
    let registered = UserRegistered { user_id: user.id, email: user.email.clone(), name: user.name.clone() };
    events::append(tx, occasion, &registered)?;
    events::append(tx, occasion, &UserCreated { user_id: user.id, email: user.email.clone() })?;
    let welcome = SendMail::new(&user.email, "welcome", json!({"name": user.name}));
    jobs::enqueue(tx, occasion, &welcome)?;
    ask_for_proof(tx, occasion, user.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(email: &str, username: Option<&str>, name: Option<&str>) -> Result<Identity, Vec<String>> {
        let mut fields = Fields::default();
        let identity = Identity::parse(email, username, name, &mut fields);
        identity
            .ok_or_else(|| fields.into_refusal().fields.iter().map(|flaw| flaw.field.to_string()).collect())
    }

    #[test]
    fn what_is_not_given_is_made_from_what_is() {
        let named = parsed("ada@example.com", None, Some("Ada Lovelace")).unwrap();
        assert_eq!(named.username, ChosenUsername::Derived(Username::derived_from("ada.lovelace")));
        let bare = parsed("ada.l@example.com", None, None).unwrap();
        assert_eq!(bare.name, "ada.l");
        let chosen = parsed("ada@example.com", Some("Ada_L"), None).unwrap();
        assert_eq!(chosen.name, "Ada_L");
        assert_eq!(chosen.username, ChosenUsername::Given(Username::parse("Ada_L").unwrap()));
    }

    #[test]
    fn every_flaw_is_told_at_once() {
        assert_eq!(parsed("ada", Some("?"), Some("")).unwrap_err(), ["email", "username", "name"]);
    }
}
