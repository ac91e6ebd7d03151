//! `/api/orders/{id}/invoice`.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use serde::Deserialize;
use stoa_contracts::ordering::OrderId;
use stoa_http::{PathParts, Problem, QueryPart, Reply};
use stoa_kernel::Refusal;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::guards::Reader;
use crate::{
    Ordering,
    invoice::{Invoice, InvoiceView, PAGE_POLICY},
};

pub(super) fn routes() -> OpenApiRouter<Ordering> {
    OpenApiRouter::new().routes(routes!(show))
}

/// How an invoice is wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// A page to look at and print, or JSON.
    #[serde(default)]
    #[param(inline)]
    format: Format,
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Html,
    Json,
}

/// Look at the invoice of an order, or print it.
///
/// There is one once the order is paid; it also tells what was given back. It is a page of its own that needs nothing
/// else, ready to be printed or kept as PDF by the browser.
#[utoipa::path(
    get, path = "/api/orders/{id}/invoice", tag = "Orders",
    params(("id" = String, Path, format = Uuid, description = "The order"), Wanted),
    responses(
        (status = 200, description = "The invoice", content((String = "text/html"), (InvoiceView = "application/json"))),
        (status = 404, description = "ORDER_NOT_FOUND; also for somebody else's"),
        (status = 409, description = "ORDER_NOT_PAID"),
    ),
    security(("bearer" = []))
)]
async fn show(
    State(ordering): State<Ordering>,
    Reader(scope): Reader,
    PathParts(id): PathParts<OrderId>,
    QueryPart(wanted): QueryPart<Wanted>,
) -> Result<Response, Problem> {
    let invoice = ordering.invoice(scope, id).await?;
    match wanted.format {
        Format::Json => Ok(Reply::ok(&InvoiceView::from(invoice))?.into_response()),
        Format::Html => page(&invoice),
    }
}

fn page(invoice: &Invoice) -> Result<Response, Problem> {
    let header = |text: &str| HeaderValue::from_str(text).map_err(Refusal::internal);
    let mut response = Html(invoice.page().map_err(Refusal::internal)?).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, header(&PAGE_POLICY)?);
    let name = format!("inline; filename=\"{}.html\"", invoice.number());
    headers.insert(header::CONTENT_DISPOSITION, header(&name)?);
    Ok(response)
}
