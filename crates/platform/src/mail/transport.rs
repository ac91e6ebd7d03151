//! The door to whatever carries mails away from here.

use std::pin::Pin;

use lettre::address::Envelope;

/// A message on its way to one recipient.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// From whom and to whom.
    pub envelope: Envelope,
    /// The message as RFC 5322 wants it, the same bytes' worth of headers at each try.
    pub message: Vec<u8>,
}

/// Why a parcel was not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Undelivered {
    /// It was refused, and will be again: the reason in the server's words.
    #[error("the mail was refused: {0}")]
    Refused(String),
    /// It could not be handed over now; another try may do.
    #[error("the mail could not be handed over: {0}")]
    Unavailable(String),
}

/// How a delivery ends.
pub type Delivered<'t> = Pin<Box<dyn Future<Output = Result<(), Undelivered>> + Send + 't>>;

/// Carries mails to somebody else's server. It may be given the same parcel twice when an answer was lost; the
/// Message-ID tells.
pub trait Transport: Send + Sync {
    /// Hands a parcel over; returns when the other side has taken it.
    fn deliver(&self, parcel: Parcel) -> Delivered<'_>;
}
