//! What accounts publishes, and what may be asked of it.

use serde::{Deserialize, Serialize};
use stoa_kernel::{SessionId, UserId};
use stoa_platform::{
    database::{Connection, DatabaseError},
    events::Event,
};
use utoipa::ToSchema;

/// Where mail for a user goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The address.
    pub email: String,
    /// How the person is called.
    pub name: String,
}

/// Questions to accounts.
pub trait Accounts: Send + Sync {
    /// Where mail for `user` goes; `None` when there is no such user.
    fn contact(
        &self,
        connection: &mut Connection<'_>,
        user: UserId,
    ) -> Result<Option<Contact>, DatabaseError>;
}

/// Somebody as everybody sees them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// The user's id.
    pub id: UserId,
    /// The name by which others mention them.
    pub username: String,
    /// How they are called.
    pub name: String,
    /// Their picture, if they have one.
    pub avatar_url: Option<String>,
}

impl Person {
    /// Stands for somebody whose account is gone.
    pub fn gone(id: UserId) -> Self {
        Self { id, username: "deleted".into(), name: "Deleted user".into(), avatar_url: None }
    }
}

/// Questions about people, for many at once.
pub trait People: Send + Sync {
    /// Those of `users` who are there, in any order.
    fn people(&self, connection: &mut Connection<'_>, users: &[UserId])
    -> Result<Vec<Person>, DatabaseError>;

    /// Another number whenever it may be that somebody is called otherwise on this node than before.
    fn edition(&self) -> u64;

    /// Those who have one of these usernames, given in lower case.
    fn called(
        &self,
        connection: &mut Connection<'_>,
        usernames: &[&str],
    ) -> Result<Vec<(String, UserId)>, DatabaseError>;
}

/// Questions about who may do what.
pub trait Staff: Send + Sync {
    /// Those whose role allows `action` on `resource`, `most` at most.
    fn holders(
        &self,
        connection: &mut Connection<'_>,
        resource: &str,
        action: &str,
        most: u32,
    ) -> Result<Vec<UserId>, DatabaseError>;
}

macro_rules! user_event {
    ($(#[$doc:meta])* $name:ident = $kind:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The user.
            pub user_id: UserId,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Event for $name {
            const TYPE: &'static str = $kind;

            fn topic(&self) -> String {
                format!("user:{}", self.user_id)
            }

            fn aggregate(&self) -> String {
                format!("user:{}", self.user_id)
            }
        }
    };
}

user_event! {
    /// Somebody registered.
    UserRegistered = "auth.user_registered" {
        /// Their address.
        email: String,
        /// Their name.
        name: String,
    }
}
user_event! {
    /// Somebody signed in.
    LoginSucceeded = "auth.login_success" {
        /// The client's address.
        address: String,
    }
}
user_event! {
    /// A login session was ended: by signing out, by a change of password or role, by whoever manages users. One that runs
    /// out is not told of.
    SessionEnded = "auth.session_ended" {
        /// The session.
        session_id: SessionId,
    }
}
user_event! {
    /// A password was changed; every refresh token of the user is revoked.
    PasswordChanged = "auth.password_changed" {}
}
user_event! {
    /// A spent refresh token came back; its family is revoked.
    TokenReused = "auth.token_reused" {
        /// The client's address.
        address: String,
    }
}
user_event! {
    /// A user was made.
    UserCreated = "user.created" {
        /// Their address.
        email: String,
    }
}
user_event! {
    /// A user's profile or role changed.
    UserUpdated = "user.updated" {}
}
user_event! {
    /// Somebody chose what to be seen as.
    UserStatusChanged = "user.status_changed" {
        /// As what: `online`, `away`, `busy` or `offline`.
        status: String,
    }
}
user_event! {
    /// A user was deleted.
    UserDeleted = "user.deleted" {}
}

/// A sign-in failed; the identifier may belong to nobody.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginFailed {
    /// What was given as address or username.
    pub identifier: String,
    /// The client's address.
    pub address: String,
}

impl Event for LoginFailed {
    const TYPE: &'static str = "auth.login_failed";

    fn topic(&self) -> String {
        "security".into()
    }

    fn aggregate(&self) -> String {
        format!("login:{}", self.identifier)
    }
}

/// An identifier failed too often and is locked for a while, whether it exists or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountLocked {
    /// What was given as address or username.
    pub identifier: String,
}

impl Event for AccountLocked {
    const TYPE: &'static str = "auth.account_locked";

    fn topic(&self) -> String {
        "security".into()
    }

    fn aggregate(&self) -> String {
        format!("login:{}", self.identifier)
    }
}
