//! A mail to be sent later, queued in the transaction that wants it sent.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Mailer;
use crate::jobs::{Handler, Job, JobContext};

/// Sends one mail. Its id is that of the job, so a job that runs again sends no second one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SendMail {
    /// Whom to.
    pub to: String,
    /// Which template.
    pub template: String,
    /// What is filled in.
    pub context: serde_json::Value,
}

impl Job for SendMail {
    const QUEUE: &'static str = "emails";
    const KIND: &'static str = "send-mail";
}

impl SendMail {
    /// A mail from `template` with `context` filled in.
    pub fn new(to: impl Into<String>, template: &str, context: serde_json::Value) -> Self {
        Self { to: to.into(), template: template.to_owned(), context }
    }

    /// What sends them.
    pub fn handler(mailer: Arc<Mailer>) -> Handler {
        Handler::of::<Self>(move |mail: Self, context: JobContext| {
            let mailer = Arc::clone(&mailer);
            async move { Ok(mailer.send(&context.id.to_string(), &mail.to, &mail.template, &mail.context).await?) }
        })
    }
}
