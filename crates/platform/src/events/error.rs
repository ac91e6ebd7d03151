//! Why a handler could not deal with an event.

use std::{error::Error, fmt};

use crate::database::DatabaseError;

/// Why an event could not be handled. `?` makes one of any error; a failing database engine inside it is recognised
/// and is not held against the event.
pub struct HandlerError(Box<dyn Error + Send + Sync>);

impl HandlerError {
    /// A failure told in words.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into().into())
    }

    /// Whether the engine, not the event, is at fault.
    pub(crate) fn is_engine_failure(&self) -> bool {
        let mut cause: Option<&(dyn Error + 'static)> = Some(self.0.as_ref());
        while let Some(error) = cause {
            if let Some(database) = error.downcast_ref::<DatabaseError>() {
                return database.is_engine_failure();
            }
            cause = error.source();
        }
        false
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the order cannot be stored")]
    struct Wrapped(#[source] DatabaseError);

    #[test]
    fn a_failing_engine_is_seen_through_wrappers() {
        let lost = HandlerError::from(Wrapped(DatabaseError::Unavailable("gone".into())));
        assert!(lost.is_engine_failure());
        assert!(!HandlerError::from(DatabaseError::ForeignKey).is_engine_failure());
        assert!(!HandlerError::new("no such order").is_engine_failure());
        assert_eq!(lost.to_string(), "the order cannot be stored: database unavailable: gone");
    }
}
