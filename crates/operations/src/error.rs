//! How operations says no: one enum, with stable codes.

use stoa_kernel::Refusal;
use stoa_platform::{database::DatabaseError, mail::MailError};

/// Why something cannot be shown or put right.
#[derive(Debug, thiserror::Error)]
pub enum OperationsError {
    /// No such mail, or it is forgotten.
    #[error("no such mail")]
    UnknownMail,
    /// No such template.
    #[error("no such mail template")]
    UnknownTemplate,
    /// No such job, or it is done.
    #[error("no such job")]
    UnknownJob,
    /// The job waits or runs.
    #[error("the job is not dead")]
    JobNotDead,
    /// Another job is there for the same thing.
    #[error("the same job is waiting already")]
    JobQueuedAgain,
    /// A mail or a template cannot be read.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<OperationsError> for Refusal {
    fn from(error: OperationsError) -> Self {
        match error {
            OperationsError::UnknownMail => {
                Self::not_found("MAIL_NOT_FOUND", "There is no mail with this id.")
            }
            OperationsError::UnknownTemplate => {
                Self::not_found("MAIL_TEMPLATE_NOT_FOUND", "There is no mail template of this name.")
            }
            OperationsError::UnknownJob => {
                Self::not_found("JOB_NOT_FOUND", "There is no unfinished job with this id.")
            }
            OperationsError::JobNotDead => {
                Self::conflict("JOB_NOT_DEAD", "This job was not given up: it waits or runs.")
            }
            OperationsError::JobQueuedAgain => Self::conflict(
                "JOB_QUEUED_AGAIN",
                "Another job for the same thing is waiting or running already.",
            ),
            OperationsError::Mail(error) => Self::internal(error),
            OperationsError::Database(error) => error.into(),
        }
    }
}
