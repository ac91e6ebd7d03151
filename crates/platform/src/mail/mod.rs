//! Mail: texts from templates, messages as RFC 5322 wants them, delivered to a folder of `.eml` files.
//!
//! A mail is named by an id that its sender gives, usually the id of the job that sends it. Sending the same id twice
//! is one mail: the folder keeps the first file, and a later way of delivery has the same Message-ID to go by.

mod folder;
mod header;
mod job;
mod message;
mod templates;

use std::{io, path::PathBuf};

use lettre::message::Mailbox;
use serde::Serialize;
use stoa_kernel::{Clock, Timestamp};

pub use self::{
    folder::Folder,
    job::SendMail,
    templates::{Rendered, Template},
};
use self::{message::Letter, templates::Templates};

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
    /// The server stopped before the mail was delivered.
    #[error("the server stopped before the mail was delivered")]
    Interrupted,
}

/// Where mails go.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// Each into a file of its own.
    Folder(Folder),
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
        Ok(Self { delivery, from: message::sender(from)?, templates: Templates::load(templates)?, clock })
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

    /// Sends the mail `id` to `to`. Once it returns the mail outlives a crash; sent again it is still one mail.
    pub async fn send(
        &self,
        id: &str,
        to: &str,
        template: &str,
        context: impl Serialize,
    ) -> Result<(), MailError> {
        let letter = Letter {
            id,
            from: &self.from,
            to: message::recipient(to)?,
            at: self.clock.now(),
            rendered: &self.templates.render(template, context)?,
        };
        let message = letter.compose()?;
        match &self.delivery {
            Delivery::Folder(folder) => {
                let (folder, id, at) = (folder.clone(), id.to_owned(), letter.at);
                off_thread(move || folder.write(&id, at, &message.formatted())).await
            }
        }
    }

    /// The texts that [`send`](Self::send) would send.
    pub fn preview(&self, template: &str, context: impl Serialize) -> Result<Rendered, MailError> {
        self.templates.render(template, context)
    }

    /// The newest `limit` mails that are kept here, newest first.
    pub async fn list(&self, limit: usize) -> Result<Vec<SentMail>, MailError> {
        let Delivery::Folder(folder) = self.delivery.clone();
        off_thread(move || folder.list(limit)).await
    }

    /// The mail `id` as it was sent, if it is kept here.
    pub async fn read(&self, id: &str) -> Result<Option<Vec<u8>>, MailError> {
        let (Delivery::Folder(folder), id) = (self.delivery.clone(), id.to_owned());
        off_thread(move || folder.read(&id)).await
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
