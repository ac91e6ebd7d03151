//! What can go wrong in a database, told apart by what the caller can do about it.

use std::error::Error;

use stoa_kernel::Refusal;

/// Why a statement or a transaction failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DatabaseError {
    /// A unique constraint, named `<table>_<columns>_key` or by its index.
    #[error("unique constraint {0} violated")]
    Unique(String),
    /// A foreign key; SQLite does not say which.
    #[error("foreign key violated")]
    ForeignKey,
    /// A CHECK or NOT NULL rule.
    #[error("constraint {0} violated")]
    Check(String),
    /// Another transaction was in the way; running again may succeed.
    #[error("transaction conflict: {0}")]
    Conflict(String),
    /// The engine cannot serve now: queue full, connection lost, disk full.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// The connection was lost during COMMIT, so nobody knows; the idempotency key settles it.
    #[error("the outcome of a commit is unknown: {0}")]
    CommitUnknown(String),
    /// A stored value is not what the code expects.
    #[error("cannot decode a stored value: {0}")]
    Decode(String),
    /// A defect: wrong SQL, a wrong type, a panic in a transaction.
    #[error("{0}")]
    Defect(String),
}

impl DatabaseError {
    pub(super) fn stopped() -> Self {
        Self::Unavailable("the database has stopped".into())
    }

    pub(super) fn overloaded() -> Self {
        Self::Unavailable("too many transactions are waiting".into())
    }

    /// Whether this is the violation of the named unique constraint.
    pub fn is_unique(&self, constraint: &str) -> bool {
        matches!(self, Self::Unique(name) if name == constraint)
    }

    /// Whether the engine, not the statement, is at fault; such a failure says nothing about the work.
    pub fn is_engine_failure(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::CommitUnknown(_) | Self::Conflict(_))
    }
}

impl From<DatabaseError> for Refusal {
    fn from(error: DatabaseError) -> Self {
        if error.is_engine_failure() { Self::unavailable(error) } else { Self::internal(error) }
    }
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let rusqlite::Error::SqliteFailure(failure, message) = &error else {
            return Self::Defect(error.to_string());
        };
        let message = message.clone().unwrap_or_else(|| error.to_string());
        match failure.code {
            ErrorCode::ConstraintViolation => sqlite_constraint(failure.extended_code, &message),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Conflict(message),
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::OperationInterrupted => Self::Unavailable(message),
            _ => Self::Defect(message),
        }
    }
}

fn sqlite_constraint(extended_code: i32, message: &str) -> DatabaseError {
    use rusqlite::ffi;
    let subject = message.rsplit_once(": ").map_or(message, |(_, subject)| subject);
    match extended_code {
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY | ffi::SQLITE_CONSTRAINT_TRIGGER => DatabaseError::ForeignKey,
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            DatabaseError::Unique(sqlite_constraint_name(subject, extended_code))
        }
        _ => DatabaseError::Check(subject.to_owned()),
    }
}

/// SQLite names columns (`users.email, users.realm`) where PostgreSQL names the constraint (`users_email_realm_key`).
fn sqlite_constraint_name(subject: &str, extended_code: i32) -> String {
    if let Some(index) = subject.strip_prefix("index '") {
        return index.trim_end_matches('\'').to_owned();
    }
    let table = subject.split('.').next().unwrap_or_default();
    if extended_code != rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE {
        return format!("{table}_pkey");
    }
    let columns = subject.split(", ").filter_map(|column| column.split_once('.')).map(|(_, column)| column);
    columns.fold(table.to_owned(), |name, column| name + "_" + column) + "_key"
}

impl From<postgres::Error> for DatabaseError {
    fn from(error: postgres::Error) -> Self {
        use postgres::error::SqlState;
        let Some(failure) = error.as_db_error() else {
            let told =
                error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
            let ours = error.to_string().starts_with("error serializing parameter");
            return if ours { Self::Defect(told) } else { Self::Unavailable(told) };
        };
        let constraint = || failure.constraint().unwrap_or_default().to_owned();
        let message = failure.message().to_owned();
        let code = failure.code();
        match *code {
            SqlState::UNIQUE_VIOLATION => Self::Unique(constraint()),
            SqlState::FOREIGN_KEY_VIOLATION => Self::ForeignKey,
            SqlState::CHECK_VIOLATION => Self::Check(constraint()),
            SqlState::NOT_NULL_VIOLATION => Self::Check(failure.column().unwrap_or_default().to_owned()),
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Self::Conflict(message),
            _ if matches!(code.code().get(..2), Some("08" | "53" | "57" | "58" | "25")) => {
                Self::Unavailable(message)
            }
            _ => Self::Defect(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_constraints_get_the_names_postgres_gives() {
        let unique = rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE;
        assert_eq!(sqlite_constraint_name("users.email", unique), "users_email_key");
        assert_eq!(sqlite_constraint_name("t.a, t.b", unique), "t_a_b_key");
        assert_eq!(sqlite_constraint_name("index 'users_folded_key'", unique), "users_folded_key");
        let primary = rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY;
        assert_eq!(sqlite_constraint_name("users.id", primary), "users_pkey");
    }
}
