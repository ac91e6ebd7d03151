//! `/api/admin/mails`: what became of each mail.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use stoa_http::{ListQuery, Outcome, PathParts, Permitted, QueryPart, Reply, foreign_cursor};
use stoa_kernel::{SortOrder, Timestamp};
use stoa_platform::{
    database::Connection,
    mail::records::{self, MailId, MailRecord, MailState},
};
use utoipa::{IntoParams, ToSchema};

use super::permitted::ReadsMails;
use crate::{Operations, OperationsError};

/// Where a mail stands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MailState)]
pub(crate) enum StateView {
    /// It was handed over, or kept as a file.
    Sent,
    /// It was given up; its job is a dead letter, or was deleted.
    Failed,
    /// It will be tried again.
    Waiting,
}

impl From<MailState> for StateView {
    fn from(state: MailState) -> Self {
        match state {
            MailState::Sent => Self::Sent,
            MailState::Failed => Self::Failed,
            MailState::Waiting => Self::Waiting,
        }
    }
}

impl From<StateView> for MailState {
    fn from(state: StateView) -> Self {
        match state {
            StateView::Sent => Self::Sent,
            StateView::Failed => Self::Failed,
            StateView::Waiting => Self::Waiting,
        }
    }
}

/// A mail, without what it says.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Mail)]
pub(crate) struct MailView {
    /// Its id, which is that of the job that sends it.
    id: MailId,
    to: String,
    subject: String,
    /// The template it was made from.
    #[schema(example = "order_confirmation")]
    template: String,
    #[schema(inline)]
    state: StateView,
    /// How often it was tried.
    attempts: u32,
    /// Why the last try failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
    /// When it was first tried.
    at: Timestamp,
}

impl From<MailRecord> for MailView {
    fn from(mail: MailRecord) -> Self {
        let MailRecord { id, to, subject, template, state, attempts, error, at } = mail;
        Self { id, to, subject, template, state: state.into(), attempts, error, at }
    }
}

/// A mail, with what it says where that is kept.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MailDetails)]
pub(crate) struct DetailsView {
    #[serde(flatten)]
    mail: MailView,
    /// The message as it was written to its file. Not there when mails go to another server: they hold links that open
    /// accounts, and are kept nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message: Option<String>,
}

/// Which mails.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MailFilters {
    /// Only those that stand so.
    #[param(inline)]
    state: Option<StateView>,
}

/// Mails that were sent, given up or will be tried again, newest first, as long as they are remembered.
#[utoipa::path(
    get, path = "/api/admin/mails", tag = "Mails", operation_id = "listMails", params(ListQuery, MailFilters),
    security(("bearer" = [])), responses((status = 200, description = "A page of mails", body = Vec<MailView>)),
)]
pub(crate) async fn list(
    State(operations): State<Operations>,
    _: Permitted<ReadsMails>,
    query: ListQuery,
    QueryPart(filters): QueryPart<MailFilters>,
) -> Outcome {
    query.sort(&[("at", ())], ((), SortOrder::Desc))?;
    let (state, request) = (filters.state.map(MailState::from), query.page.clone());
    let read = move |c: &mut Connection<'_>| records::list(c, state, &request);
    let page = operations.0.database.read(read).await?.ok_or_else(foreign_cursor)?;
    Reply::page(&page.map(MailView::from), &query.page)
}

/// Show a mail; where mails are kept as files, with what it says.
#[utoipa::path(
    get, path = "/api/admin/mails/{id}", tag = "Mails", operation_id = "getMail",
    params(("id" = MailId, Path, description = "The mail's id")), security(("bearer" = [])),
    responses((status = 200, description = "The mail", body = DetailsView)),
)]
pub(crate) async fn show(
    State(operations): State<Operations>,
    _: Permitted<ReadsMails>,
    PathParts(id): PathParts<MailId>,
) -> Outcome {
    let found = operations.0.database.get(move |c: &mut Connection<'_>| records::find(c, id)).await?;
    let mail = found.ok_or(OperationsError::UnknownMail)?;
    let kept = operations.0.mailer.read(&id.to_string()).await.map_err(OperationsError::from)?;
    let message = kept.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Reply::ok(&DetailsView { mail: mail.into(), message })
}
