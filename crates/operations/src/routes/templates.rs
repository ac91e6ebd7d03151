//! `/api/admin/mail-templates`: what mails look like.

use axum::extract::State;
use serde::Serialize;
use stoa_http::{ListQuery, Outcome, PathParts, Permitted, Reply, foreign_cursor};
use stoa_kernel::{Cursor, CursorValue, Page, SortOrder};
use stoa_platform::mail::Template;
use utoipa::ToSchema;

use super::permitted::ReadsMails;
use crate::{Operations, OperationsError};

const ORDER: &str = "mail-templates:asc";

/// A kind of mail.
#[derive(Serialize, ToSchema)]
#[schema(as = MailTemplate)]
pub(crate) struct TemplateView {
    #[schema(example = "order_confirmation")]
    name: &'static str,
    /// The subject, with its places to be filled in.
    #[schema(example = "Thank you for your order {{ order.number }}")]
    subject: &'static str,
}

impl From<&Template> for TemplateView {
    fn from(template: &Template) -> Self {
        Self { name: template.name, subject: template.subject }
    }
}

/// A mail as somebody would get it, filled with a sample.
#[derive(Serialize, ToSchema)]
#[schema(as = MailPreview)]
pub(crate) struct PreviewView {
    name: String,
    subject: String,
    html: String,
    text: String,
}

/// All templates, by name.
#[utoipa::path(
    get, path = "/api/admin/mail-templates", tag = "Mails", operation_id = "listMailTemplates", params(ListQuery),
    security(("bearer" = [])), responses((status = 200, description = "A page of templates", body = Vec<TemplateView>)),
)]
pub(crate) async fn list(
    State(operations): State<Operations>,
    _: Permitted<ReadsMails>,
    query: ListQuery,
) -> Outcome {
    query.sort(&[("name", ())], ((), SortOrder::Asc))?;
    let after = match query.page.after() {
        Some(cursor) => cursor.text_in(ORDER).ok_or_else(foreign_cursor)?,
        None => "",
    };
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let all = operations.0.mailer.templates();
    let (skipped, wanted) = (size(query.page.offset()), size(query.page.limit).saturating_add(1));
    let rows = all.iter().filter(|template| template.name > after).skip(skipped).take(wanted);
    let rows: Vec<TemplateView> = rows.map(TemplateView::from).collect();
    let total = query.page.wants_total().then(|| u32::try_from(all.len()).unwrap_or(u32::MAX));
    let page = Page::from_rows(rows, query.page.limit, total, |last| Cursor {
        order: ORDER.into(),
        value: CursorValue::Text(last.name.to_owned()),
        id: uuid::Uuid::nil(),
    });
    Reply::page(&page, &query.page)
}

/// Show what a mail looks like, filled with a sample.
#[utoipa::path(
    get, path = "/api/admin/mail-templates/{name}/preview", tag = "Mails", operation_id = "previewMailTemplate",
    params(("name" = String, Path, description = "The template's name")), security(("bearer" = [])),
    responses((status = 200, description = "The mail in HTML and text", body = PreviewView)),
)]
pub(crate) async fn preview(
    State(operations): State<Operations>,
    _: Permitted<ReadsMails>,
    PathParts(name): PathParts<String>,
) -> Outcome {
    let filled = operations.0.mailer.preview_sample(&name).ok_or(OperationsError::UnknownTemplate)?;
    let filled = filled.map_err(OperationsError::from)?;
    Reply::ok(&PreviewView { name, subject: filled.subject, html: filled.html, text: filled.text })
}
