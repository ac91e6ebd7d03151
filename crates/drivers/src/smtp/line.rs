//! One connection to a mail server: every step has its time, and a line that missed it is thrown away.
//!
//! A line on which an answer is still owed cannot be used again: the late answer would be taken for that to the next
//! command. So whoever gives up waiting drops the line.

use std::time::Duration;

use lettre::{
    address::Envelope,
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::ClientId,
    },
};
use stoa_platform::mail::{Parcel, Undelivered};
use tokio::time::timeout;

use super::{Security, SmtpServer};

/// How much longer than another step the other side may take to accept a message, which it may look through.
const LOOKING_THROUGH: u32 = 4;

/// What opening a line takes.
pub(super) struct Dialling {
    pub(super) server: SmtpServer,
    pub(super) tls: TlsParameters,
    pub(super) hello: ClientId,
    pub(super) step: Duration,
}

/// An open line, signed in.
pub(super) struct Line {
    connection: AsyncSmtpConnection,
    step: Duration,
    /// How many mails went over it.
    pub(super) carried: u32,
}

/// A failure that says nothing about the mail.
fn unavailable(doing: &str, error: &Error) -> Undelivered {
    Undelivered::Unavailable(format!("{doing}: {}", plain(error)))
}

/// lettre's words without its own file names and codes told twice.
fn plain(error: &Error) -> String {
    error.to_string().replace(char::is_control, " ")
}

impl Dialling {
    /// Connects, makes the line secret, signs in.
    pub(super) async fn open(&self) -> Result<Line, Undelivered> {
        let SmtpServer { host, port, security, credentials } = &self.server;
        let wrapped = (*security == Security::Tls).then(|| self.tls.clone());
        let address = (host.as_str(), *port);
        let connecting =
            AsyncSmtpConnection::connect_tokio1(address, Some(self.step), &self.hello, wrapped, None);
        let mut connection = self.step("connecting", connecting).await?;
        let upgrades = match security {
            Security::StartTls => true,
            Security::Opportunistic => connection.can_starttls(),
            Security::Tls | Security::Clear => false,
        };
        if upgrades {
            if !connection.can_starttls() {
                connection.abort().await;
                let told = "the server offers no STARTTLS, and nothing is sent in clear; `?tls=none` would";
                return Err(Undelivered::Unavailable(told.into()));
            }
            self.step("STARTTLS", connection.starttls(self.tls.clone(), &self.hello)).await?;
        }
        if let Some((user, password)) = credentials {
            if *security != Security::Clear && !connection.is_encrypted() {
                connection.abort().await;
                let told = "the server offers no STARTTLS, and a password is not sent in clear";
                return Err(Undelivered::Unavailable(told.into()));
            }
            let credentials = Credentials::new(user.clone(), password.clone());
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            self.step("signing in", connection.auth(&mechanisms, &credentials)).await?;
        }
        Ok(Line { connection, step: self.step, carried: 0 })
    }

    async fn step<T>(
        &self,
        doing: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Undelivered> {
        match timeout(self.step, work).await {
            Ok(done) => done.map_err(|error| unavailable(doing, &error)),
            Err(_) => Err(late(doing, self.step)),
        }
    }
}

fn late(doing: &str, step: Duration) -> Undelivered {
    Undelivered::Unavailable(format!("{doing}: no answer within {step:?}"))
}

impl Line {
    /// Whether the server still answers.
    pub(super) async fn answers(&mut self) -> bool {
        timeout(self.step, self.connection.test_connected()).await.unwrap_or(false)
    }

    /// Hands one parcel over. After a failure the line must be dropped.
    pub(super) async fn carry(&mut self, parcel: &Parcel) -> Result<(), Undelivered> {
        let Parcel { envelope, message } = parcel;
        self.announce(envelope).await?;
        let answer = timeout(self.step * LOOKING_THROUGH, self.connection.message(message)).await;
        match answer {
            Ok(taken) => taken.map_err(|error| answered("handing over the message", &error))?,
            Err(_) => return Err(late("handing over the message", self.step * LOOKING_THROUGH)),
        };
        self.carried += 1;
        Ok(())
    }

    async fn announce(&mut self, envelope: &Envelope) -> Result<(), Undelivered> {
        self.say("MAIL", Mail::new(envelope.from().cloned(), vec![])).await?;
        for recipient in envelope.to() {
            self.say("RCPT", Rcpt::new(recipient.clone(), vec![])).await?;
        }
        self.say("DATA", Data).await
    }

    async fn say(&mut self, name: &str, command: impl std::fmt::Display) -> Result<(), Undelivered> {
        match timeout(self.step, self.connection.command(command)).await {
            Ok(answer) => answer.map(drop).map_err(|error| answered(name, &error)),
            Err(_) => Err(late(name, self.step)),
        }
    }

    /// Says goodbye, not longer than a step.
    pub(super) async fn close(mut self) {
        let _ = timeout(self.step, self.connection.quit()).await;
    }
}

/// A 5xx refuses the mail, unless it is about who we are: then another try, with the settings mended, may do.
fn answered(doing: &str, error: &Error) -> Undelivered {
    let about_us = error.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538));
    if error.is_permanent() && !about_us {
        Undelivered::Refused(format!("{doing}: {}", plain(error)))
    } else {
        unavailable(doing, error)
    }
}
