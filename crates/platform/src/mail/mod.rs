//! Mail: texts from templates, messages as RFC 5322 wants them, kept in a folder as `.eml` files or handed to a
//! [`Transport`].
//!
//! A mail is named by an id that its sender gives, the id of the job that sends it. Sending the same id twice is one
//! mail: the folder keeps the first file, what is recorded as sent is not sent again, and where the answer of another
//! server was lost the same Message-ID tells it that it had the mail already.

mod folder;
mod header;
mod job;
mod message;
mod prune;
pub mod records;
mod templates;
mod transport;

use std::{io, path::PathBuf, sync::Arc};

use lettre::message::Mailbox;
use serde::Serialize;
use stoa_kernel::{Clock, Timestamp};

pub use self::{
    folder::Folder,
    job::SendMail,
    prune::PruneMails,
    templates::{Rendered, Template},
    transport::{Delivered, Parcel, Transport, Undelivered},
};
use self::{
    message::Letter,
    records::{MailId, MailState},
    templates::Templates,
};
use crate::{
    database::{Database, DatabaseError},
    metrics::{Counter, Metrics},
};

/// The most of another server's words that is kept.
const MOST_REASON: usize = 300;

/// Why a mail was not sent, or none can be.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// An address that mail cannot be sent to, or from.
    #[error("{0:?} is not an address for mail")]
    BadAddress(String),
    /// An id that cannot name a file and a message.
    #[error("{0:?} cannot be the id of a mail: 1 to 128 letters, digits, `-` and `_`")]
    BadId(String),
    /// No template has this name.
    #[error("there is no mail template {0:?}")]
    UnknownTemplate(String),
    /// A template is wrong in itself, or misses a value.
    #[error("mail template {name:?} cannot be used")]
    Template {
        /// The template's name.
        name: String,
        /// What is wrong, and in which line.
        source: minijinja::Error,
    },
    /// The message could not be put together.
    #[error("the mail could not be built")]
    Message(#[from] lettre::error::Error),
    /// The folder could not be read or written.
    #[error("the mail folder {} failed", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The other server did not take it.
    #[error(transparent)]
    Undelivered(#[from] Undelivered),
    /// What became of the mail could not be recorded.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The server stopped before the mail was delivered.
    #[error("the server stopped before the mail was delivered")]
    Interrupted,
}

impl MailError {
    /// Whether trying again is in vain: no address, template or refusal gets better by waiting.
    pub const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::BadAddress(_)
                | Self::BadId(_)
                | Self::UnknownTemplate(_)
                | Self::Template { .. }
                | Self::Message(_)
                | Self::Undelivered(Undelivered::Refused(_))
        )
    }
}

/// An error with its causes, on one line.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.replace(char::is_control, " ").chars().take(MOST_REASON).collect()
}

/// Where mails go.
#[derive(Clone)]
pub enum Delivery {
    /// Each into a file of its own.
    Folder(Folder),
    /// To another server.
    Transport(Arc<dyn Transport>),
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder) => f.debug_tuple("Folder").field(folder).finish(),
            Self::Transport(_) => f.write_str("Transport"),
        }
    }
}

/// A mail that was sent, as listed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SentMail {
    /// The id it was sent under.
    pub id: String,
    /// Whom it went to.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its date, to the second.
    pub sent_at: Timestamp,
}

/// Sends mails made from templates.
pub struct Mailer {
    delivery: Delivery,
    from: Mailbox,
    templates: Templates,
    clock: Clock,
    records: Option<Database>,
    counts: Counts,
}

/// What became of mails, as figures.
struct Counts {
    sent: Counter,
    failed: Counter,
    postponed: Counter,
}

impl Counts {
    fn new(metrics: &Metrics) -> Self {
        let about = "Mails, by what became of them.";
        let counter = |outcome| metrics.counter("stoa_mails_total", about, &[("outcome", outcome)]);
        Self { sent: counter("sent"), failed: counter("failed"), postponed: counter("postponed") }
    }
}

impl Mailer {
    /// A mailer that delivers to `delivery` in the name of `from` (`shop@example.com` or `Shop <shop@example.com>`).
    /// Fails when a template cannot be read.
    pub fn new(
        delivery: Delivery,
        from: &str,
        templates: &[Template],
        clock: Clock,
    ) -> Result<Self, MailError> {
        Ok(Self {
            delivery,
            from: message::sender(from)?,
            templates: Templates::load(templates)?,
            clock,
            records: None,
            counts: Counts::new(&Metrics::off()),
        })
    }

    /// The same mailer, which records in `database` what becomes of each mail; ids must then be those of jobs.
    pub fn recording(self, database: &Database) -> Self {
        Self { records: Some(database.clone()), ..self }
    }

    /// The same mailer, which counts what becomes of mails.
    pub fn measured(self, metrics: &Metrics) -> Self {
        Self { counts: Counts::new(metrics), ..self }
    }

    /// A mailer that keeps each mail as a file in `dir`, which is made if it is not there.
    pub fn to_folder(
        dir: impl Into<PathBuf>,
        from: &str,
        templates: &[Template],
        clock: Clock,
    ) -> Result<Self, MailError> {
        Self::new(Delivery::Folder(Folder::open(dir)?), from, templates, clock)
    }

    /// Sends the mail `id` to `to`. Once it returns the mail outlives a crash here; sent again it is still one mail.
    pub async fn send(
        &self,
        id: &str,
        to: &str,
        template: &str,
        context: impl Serialize,
    ) -> Result<(), MailError> {
        let sent = self.attempt(id, to, template, context).await;
        let count = match &sent {
            Ok(()) => &self.counts.sent,
            Err(error) if error.is_final() => &self.counts.failed,
            Err(_) => &self.counts.postponed,
        };
        count.increment(1);
        sent
    }

    async fn attempt(
        &self,
        id: &str,
        to: &str,
        template: &str,
        context: impl Serialize,
    ) -> Result<(), MailError> {
        let rendered = &self.templates.render(template, context)?;
        let to = message::recipient(to)?;
        let letter = Letter { id, from: &self.from, to, at: self.clock.now(), rendered };
        match &self.records {
            None => self.deliver(&letter).await,
            Some(database) => self.deliver_recorded(database, &letter, template).await,
        }
    }

    async fn deliver_recorded(
        &self,
        database: &Database,
        letter: &Letter<'_>,
        template: &str,
    ) -> Result<(), MailError> {
        let id: MailId = letter.id.parse().map_err(|_| MailError::BadId(letter.id.to_owned()))?;
        let (to, subject) = (letter.to.to_string(), letter.rendered.subject.clone());
        let (template, now) = (template.to_owned(), letter.at);
        let begin = database.write(move |tx| records::begin(tx, id, (&to, &subject, &template), now));
        if !begin.await? {
            return Ok(());
        }
        let delivered = self.deliver(letter).await;
        let (state, reason) = match &delivered {
            Ok(()) => (MailState::Sent, None),
            Err(error) if error.is_final() => (MailState::Failed, Some(told(error))),
            Err(error) => (MailState::Waiting, Some(told(error))),
        };
        let end = database.write(move |tx| records::end(tx, id, state, reason.as_deref())).await;
        delivered?;
        Ok(end?)
    }

    async fn deliver(&self, letter: &Letter<'_>) -> Result<(), MailError> {
        let message = letter.compose()?;
        match &self.delivery {
            Delivery::Folder(folder) => {
                let (folder, id, at) = (folder.clone(), letter.id.to_owned(), letter.at);
                off_thread(move || folder.write(&id, at, &message.formatted())).await
            }
            Delivery::Transport(transport) => {
                let parcel = Parcel { envelope: message.envelope().clone(), message: message.formatted() };
                Ok(transport.deliver(parcel).await?)
            }
        }
    }

    /// The texts that [`send`](Self::send) would send.
    pub fn preview(&self, template: &str, context: impl Serialize) -> Result<Rendered, MailError> {
        self.templates.render(template, context)
    }

    /// Every template, by name.
    pub fn templates(&self) -> &[Template] {
        self.templates.all()
    }

    /// A template's texts filled with its sample; `None` when there is none of this name.
    pub fn preview_sample(&self, name: &str) -> Option<Result<Rendered, MailError>> {
        self.templates.sample(name)
    }

    /// Whether mails are kept here as files, where they can be read again.
    pub const fn keeps_files(&self) -> bool {
        matches!(self.delivery, Delivery::Folder(_))
    }

    /// The newest `limit` mails that are kept here as files, newest first; none where they go to another server.
    pub async fn list(&self, limit: usize) -> Result<Vec<SentMail>, MailError> {
        match self.delivery.clone() {
            Delivery::Folder(folder) => off_thread(move || folder.list(limit)).await,
            Delivery::Transport(_) => Ok(Vec::new()),
        }
    }

    /// The mail `id` as it was sent, if it is kept here.
    pub async fn read(&self, id: &str) -> Result<Option<Vec<u8>>, MailError> {
        match (self.delivery.clone(), id.to_owned()) {
            (Delivery::Folder(folder), id) => off_thread(move || folder.read(&id)).await,
            (Delivery::Transport(_), _) => Ok(None),
        }
    }

    async fn remove_files(&self, ids: Vec<MailId>) -> Result<(), MailError> {
        match self.delivery.clone() {
            Delivery::Folder(folder) => {
                let ids: Vec<String> = ids.iter().map(MailId::to_string).collect();
                off_thread(move || folder.remove(&ids)).await
            }
            Delivery::Transport(_) => Ok(()),
        }
    }
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer").field("delivery", &self.delivery).finish_non_exhaustive()
    }
}

/// Files block, so they are never touched on a thread that serves requests.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MailError> + Send + 'static,
) -> Result<T, MailError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(MailError::Interrupted))
}

#[cfg(test)]
mod tests;
