//! Why accounts refuses something, with stable codes.

use std::time::Duration;

use stoa_kernel::{FieldError, Flaw, Refusal, RefusalKind};
use stoa_platform::{database::DatabaseError, processor_pool::PoolError};

use crate::tokens::unauthenticated;

/// Why something about an account could not be done.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Another account has this address.
    #[error("the address is taken")]
    EmailTaken,
    /// Another account has this username.
    #[error("the username is taken")]
    UsernameTaken,
    /// Nobody has this identifier with this password.
    #[error("wrong identifier or password")]
    InvalidCredentials,
    /// The signed-in user's current password is another.
    #[error("the current password is wrong")]
    WrongPassword,
    /// Too many failures.
    #[error("locked after too many failures")]
    Locked {
        /// When to try again.
        retry_after: Duration,
    },
    /// Never given out, or its session has ended.
    #[error("the refresh token is not valid")]
    InvalidRefreshToken,
    /// Out of date.
    #[error("the refresh token has expired")]
    RefreshTokenExpired,
    /// Spent a moment ago by somebody who was quicker.
    #[error("the refresh token was spent a moment ago")]
    RefreshRaced,
    /// Spent before; the session is ended.
    #[error("the refresh token was used before")]
    RefreshTokenReused,
    /// Never mailed, used, ended, or out of date.
    #[error("the token of a mailed link is not valid")]
    InvalidMailedToken,
    /// There is nothing left to prove.
    #[error("the address is verified already")]
    AlreadyVerified,
    /// No live session of the user's own.
    #[error("no such session")]
    UnknownSession,
    /// No such user.
    #[error("no such user")]
    UnknownUser,
    /// No such role.
    #[error("no such role")]
    UnknownRole,
    /// A user cannot be given a role that does not exist.
    #[error("no role of that name to give")]
    NoSuchRole,
    /// A role of this name exists.
    #[error("the role exists")]
    RoleTaken,
    /// Users have this role.
    #[error("the role is in use")]
    RoleInUse,
    /// It belongs to Stoa.
    #[error("the role is built in")]
    BuiltInRole,
    /// Without it nobody could manage roles any more.
    #[error("admin must keep role:*")]
    AdminKeepsRoles,
    /// Without it nobody could administer any more.
    #[error("the last admin must stay one")]
    LastAdmin,
    /// No such API key.
    #[error("no such API key")]
    UnknownApiKey,
    /// A key's scope that no role speaks of.
    #[error("no role speaks of {0}")]
    UnknownScope(String),
    /// A key was to do more than its maker may.
    #[error("the maker does not have {}", .0.join(", "))]
    BeyondOwnScopes(Vec<String>),
    /// The giver has less than the role.
    #[error("the role allows more than its giver may")]
    BeyondOwnPermissions,
    /// A value is not what it must be.
    #[error("{field}: {}", flaw.message)]
    Invalid {
        /// Which value.
        field: &'static str,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// A password could not be hashed now.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// A password could not be hashed.
    #[error("a password could not be hashed")]
    Hashing(#[source] argon2::password_hash::Error),
    /// No key to sign with could be made.
    #[error("no signing key could be made")]
    SigningKey,
    /// A token could not be signed.
    #[error("a token could not be signed")]
    Signing(#[source] jsonwebtoken::errors::Error),
    /// The database failed.
    #[error(transparent)]
    Database(DatabaseError),
}

/// Unique constraints are told by name.
impl From<DatabaseError> for AccountError {
    fn from(error: DatabaseError) -> Self {
        if error.is_unique("users_email_folded_key") {
            Self::EmailTaken
        } else if error.is_unique("users_username_folded_key") {
            Self::UsernameTaken
        } else {
            Self::Database(error)
        }
    }
}

impl From<AccountError> for Refusal {
    fn from(error: AccountError) -> Self {
        use AccountError as E;
        match error {
            E::EmailTaken => Self::conflict("EMAIL_TAKEN", "An account with this e-mail address exists."),
            E::UsernameTaken => Self::conflict("USERNAME_TAKEN", "An account with this username exists."),
            E::InvalidCredentials => {
                unauthenticated("INVALID_CREDENTIALS", "Wrong e-mail, username or password.")
            }
            E::WrongPassword => Self::malformed("INVALID_CREDENTIALS", "The current password is wrong."),
            E::Locked { retry_after } => locked(retry_after),
            E::InvalidRefreshToken => {
                unauthenticated("INVALID_REFRESH_TOKEN", "The refresh token is not valid.")
            }
            E::RefreshTokenExpired => unauthenticated("TOKEN_EXPIRED", "The refresh token has expired."),
            E::RefreshRaced => {
                Self::conflict("REFRESH_RACED", "The refresh token was spent a moment ago; use the new pair.")
            }
            E::RefreshTokenReused => unauthenticated(
                "REFRESH_TOKEN_REUSED",
                "The refresh token was used before. The session is ended; sign in again.",
            ),
            E::InvalidMailedToken => {
                Self::malformed("INVALID_TOKEN", "The link is not valid, was used before, or is too old.")
            }
            E::AlreadyVerified => {
                Self::conflict("EMAIL_ALREADY_VERIFIED", "The e-mail address is verified already.")
            }
            E::UnknownSession => Self::not_found("SESSION_NOT_FOUND", "There is no such session of yours."),
            E::UnknownUser => Self::not_found("USER_NOT_FOUND", "There is no such user."),
            E::UnknownRole => Self::not_found("ROLE_NOT_FOUND", "There is no such role."),
            E::NoSuchRole => invalid("role", Flaw::new("UNKNOWN_ROLE", "There is no role of this name.")),
            E::RoleTaken => Self::conflict("ROLE_TAKEN", "A role of this name exists."),
            E::RoleInUse => Self::conflict("ROLE_IN_USE", "Users have this role; give them another first."),
            E::BuiltInRole => Self::conflict("BUILT_IN_ROLE", "This role is built in and cannot be deleted."),
            E::AdminKeepsRoles => Self::conflict(
                "ADMIN_KEEPS_ROLES",
                "The role admin must keep `*` on `role`, or nobody could mend it.",
            ),
            E::LastAdmin => {
                Self::conflict("LAST_ADMIN", "The last admin cannot be deleted or given another role.")
            }
            E::BeyondOwnPermissions => Self::forbidden(),
            E::UnknownApiKey => Self::not_found("API_KEY_NOT_FOUND", "There is no such API key."),
            E::UnknownScope(scope) => {
                let message = format!("There is no permission `{scope}`.");
                Self::invalid(vec![FieldError::new("scopes", "UNKNOWN", message)])
            }
            E::BeyondOwnScopes(scopes) => Self::forbidden().with_fact("scopes", scopes),
            E::Invalid { field, flaw } => invalid(field, flaw),
            E::Pool(error) => error.into(),
            E::Hashing(_) | E::SigningKey | E::Signing(_) => Self::internal(error),
            E::Database(error) => error.into(),
        }
    }
}

fn locked(retry_after: Duration) -> Refusal {
    let detail = "Too many failed attempts. The account is locked for a while.";
    Refusal::new(RefusalKind::TooMany, "ACCOUNT_LOCKED", detail).with_retry_after(retry_after)
}

fn invalid(field: &'static str, flaw: Flaw) -> Refusal {
    Refusal::invalid(vec![FieldError::new(field, flaw.code, flaw.message)])
}
