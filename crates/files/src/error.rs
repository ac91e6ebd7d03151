//! How files say no: one enum, with stable codes.

use std::{io, time::Duration};

use stoa_http::Problem;
use stoa_kernel::{FieldError, Flaw, Refusal, RefusalKind};
use stoa_pictures::PictureError;
use stoa_platform::{
    database::DatabaseError, processor_pool::PoolError, scan::ScanError, storage::StorageError,
};

use crate::sign::LinkFlaw;

/// Why files cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// No such file, or none this person may know of.
    #[error("no such file")]
    Unknown,
    /// No such upload.
    #[error("no such upload")]
    UnknownUpload,
    /// Nothing has been sent for it yet.
    #[error("nothing was sent")]
    NotSent,
    /// Somebody completes it already.
    #[error("the upload is being completed")]
    BeingCompleted,
    /// There are as many as may be open at once.
    #[error("too many uploads are open")]
    TooManyOpen,
    /// A form field is not what it should be.
    #[error("the field {0} is invalid")]
    Field(&'static str, Flaw),
    /// The body is no form with files.
    #[error("not a multipart body")]
    NotMultipart,
    /// The body does not say where its parts end.
    #[error("no boundary")]
    NoBoundary,
    /// The body cannot be read as a form.
    #[error("malformed multipart body: {0}")]
    Malformed(String),
    /// It has more parts, or parts with longer heads, than any form needs.
    #[error("too many parts")]
    TooManyParts,
    /// It has more files than are taken at once.
    #[error("more than {0} files")]
    TooManyFiles(usize),
    /// The body ended early.
    #[error("the body ended early")]
    Incomplete,
    /// Nothing came for too long, or all of it took too long.
    #[error("the upload was too slow")]
    Slow,
    /// As many files are being received as may be at once.
    #[error("too many uploads at once")]
    Busy,
    /// Larger than a file may be.
    #[error("more than {0} bytes")]
    TooLarge(u64),
    /// Not as long as it was said to be.
    #[error("not as long as it was said to be")]
    OtherSize,
    /// It would be more than somebody may keep.
    #[error("over the quota")]
    Quota {
        /// What is kept already.
        used: u64,
        /// What may be.
        quota: u64,
    },
    /// It is nothing that is taken.
    #[error("files of this kind are not taken")]
    Kind,
    /// Its name says something else than its bytes.
    #[error("the name says otherwise")]
    Name,
    /// Its header says something else than its bytes.
    #[error("the header says otherwise")]
    Header,
    /// It holds something that could do harm.
    #[error("the scanner found {0}")]
    Infected(String),
    /// Nobody could look it through.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// It is no picture that can be shown.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A link that is no good.
    #[error("the link is no good")]
    Link(LinkFlaw),
    /// It is no picture, and another size of it was asked for.
    #[error("no picture")]
    NoRendition,
    /// A part of it was asked for that it does not have.
    #[error("no such range")]
    Range(u64),
    /// The file changed, or is another, than the one that was asked for.
    #[error("precondition failed")]
    Precondition,
    /// There is no room to receive it.
    #[error("no room on the disk")]
    DiskFull(#[source] io::Error),
    /// The disk failed.
    #[error("the disk failed: {0}")]
    Disk(#[source] io::Error),
    /// Too much is to be done for pictures.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Refused by what all routes share, or by chat.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<Problem> for FileError {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem.0)
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(error),
            _ => Self::Disk(error),
        }
    }
}

/// When to try again what there was no room for.
const FULL_FOR: Duration = Duration::from_mins(1);

impl From<FileError> for Refusal {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Unknown => Self::not_found("FILE_NOT_FOUND", "There is no such file."),
            FileError::UnknownUpload => Self::not_found("UPLOAD_NOT_FOUND", "There is no such upload."),
            FileError::NotSent => Self::conflict(
                "UPLOAD_NOT_SENT",
                "Nothing was sent for this upload yet. Send it, then complete it.",
            ),
            FileError::BeingCompleted => {
                Self::conflict("UPLOAD_IN_PROGRESS", "This upload is being completed already.")
            }
            FileError::TooManyOpen => Self::conflict(
                "TOO_MANY_UPLOADS",
                "You have too many uploads open. Complete some, or let them run out.",
            ),
            FileError::Field(field, flaw) => {
                Self::invalid(vec![FieldError::new(field, flaw.code, flaw.message)])
            }
            FileError::TooLarge(limit) => {
                Self::new(RefusalKind::TooLarge, "FILE_TOO_LARGE", "The file is too large.")
                    .with_fact("limit", limit)
            }
            FileError::OtherSize => Self::new(
                RefusalKind::Invalid,
                "SIZE_MISMATCH",
                "The file is not as long as it was said to be.",
            ),
            FileError::Quota { used, quota } => Self::new(
                RefusalKind::TooLarge,
                "QUOTA_EXCEEDED",
                "This is more than you may keep. Delete something first.",
            )
            .with_fact("used", used)
            .with_fact("quota", quota),
            FileError::Link(flaw) => flaw.refusal(),
            FileError::NoRendition => Self::new(
                RefusalKind::Invalid,
                "NOT_A_PICTURE",
                "Only pictures come in other sizes and shapes.",
            ),
            FileError::Range(size) => Self::new(
                RefusalKind::RangeNotSatisfiable,
                "RANGE_NOT_SATISFIABLE",
                "The file has no such part.",
            )
            .with_fact("size", size),
            FileError::Precondition => Self::new(
                RefusalKind::PreconditionFailed,
                "PRECONDITION_FAILED",
                "The file is not the one that was asked for.",
            ),
            FileError::Picture(error) => of_picture(error),
            FileError::Refused(refusal) => refusal,
            FileError::Scan(error) => error.into(),
            FileError::Pool(error) => error.into(),
            FileError::Storage(error) => error.into(),
            FileError::Database(error) => error.into(),
            error => of_body(error),
        }
    }
}

/// Refusals of what was sent, and failures of where it is received.
fn of_body(error: FileError) -> Refusal {
    match error {
        FileError::NotMultipart => {
            unsupported("UNSUPPORTED_MEDIA_TYPE", "Send files as multipart/form-data.")
        }
        FileError::NoBoundary => {
            Refusal::malformed("MISSING_BOUNDARY", "The multipart body names no boundary.")
        }
        FileError::Malformed(_) => {
            Refusal::malformed("MALFORMED_MULTIPART", "The body is not what multipart/form-data should be.")
        }
        FileError::TooManyParts => Refusal::malformed("TOO_MANY_PARTS", "The body has too many parts."),
        FileError::TooManyFiles(most) => Refusal::new(
            RefusalKind::Invalid,
            "TOO_MANY_FILES",
            format!("At most {most} files are taken at once."),
        )
        .with_fact("limit", most),
        FileError::Incomplete => {
            Refusal::malformed("INCOMPLETE_BODY", "The body of the request ended early.")
        }
        FileError::Slow => {
            Refusal::new(RefusalKind::Timeout, "REQUEST_TIMEOUT", "The request took too long.")
        }
        FileError::Kind => unsupported("FILE_TYPE_NOT_ALLOWED", "Files of this type are not taken."),
        FileError::Name => unsupported(
            "FILE_TYPE_MISMATCH",
            "The name of the file says that it is something else than it is.",
        ),
        FileError::Header => unsupported(
            "FILE_TYPE_MISMATCH",
            "The Content-Type of the file says that it is something else than it is.",
        ),
        FileError::Infected(_) => Refusal::new(
            RefusalKind::Invalid,
            "FILE_INFECTED",
            "The file holds something that could do harm.",
        ),
        FileError::DiskFull(_) => {
            let detail = "There is no room for this at the moment. Try again later.";
            let mut refusal = Refusal::new(RefusalKind::Unavailable, "STORAGE_FULL", detail);
            refusal.source = Some(error.into());
            refusal.with_retry_after(FULL_FOR)
        }
        FileError::Busy => Refusal::unavailable(error),
        error => Refusal::internal(error),
    }
}

fn unsupported(code: &'static str, detail: &'static str) -> Refusal {
    Refusal::new(RefusalKind::UnsupportedMediaType, code, detail)
}

/// What is wrong with a picture; what is wrong with us is not told.
fn of_picture(error: PictureError) -> Refusal {
    match error.code() {
        Some(code) => Refusal::new(RefusalKind::Invalid, code, "The picture cannot be taken.")
            .with_fact("reason", error.to_string()),
        None => Refusal::internal(error),
    }
}
