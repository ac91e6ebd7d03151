//! Writing all products down, page by page in the order of their ids: no read lasts longer than a page, and what is made or
//! changed meanwhile is in the export or not, but never twice.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::channel;
use serde::Serialize;
use stoa_contracts::catalog::ProductId;
use stoa_kernel::Money;
use stoa_platform::database::{Connection, DatabaseError, Value};

use super::{Format, csv};
use crate::{
    Catalogue,
    product::{JsonText, Product, ProductStatus},
    slug::Slug,
    store::imports,
    variant::Variant,
};

/// Products to a page.
const PAGE: u32 = 500;
/// What is written is handed on at so many bytes, before the page is over.
const LARGE: usize = 1024 * 1024;
/// Pages that may wait for a slow client.
const WAITING: usize = 2;

/// An export of the whole catalogue.
pub(crate) struct Export;

impl Export {
    /// The body of an export; its pages are read as the client takes them.
    pub(crate) fn body(catalogue: &Catalogue, format: Format) -> Body {
        let (mut sender, body) = channel::Channel::<Bytes, DatabaseError>::new(WAITING);
        let catalogue = catalogue.clone();
        tokio::spawn(async move {
            let mut out = Vec::new();
            if format == Format::Csv {
                csv::write_header(&mut out);
            }
            let mut after = None;
            loop {
                let page = match catalogue.products_after(after).await {
                    Ok(page) => page,
                    Err(error) => {
                        // The client sees a body that breaks off, not one that looks whole.
                        tracing::error!(%error, "an export broke off");
                        return sender.abort(error);
                    }
                };
                after = page.last().map(|product| product.id);
                for product in &page {
                    write(&mut out, format, product);
                    if out.len() > LARGE && sender.send_data(std::mem::take(&mut out).into()).await.is_err() {
                        return;
                    }
                }
                let is_last = page.len() < PAGE as usize;
                if !out.is_empty() && sender.send_data(std::mem::take(&mut out).into()).await.is_err() {
                    // Nobody reads any more.
                    return;
                }
                if is_last {
                    return;
                }
            }
        });
        Body::new(body)
    }
}

impl Catalogue {
    async fn products_after(&self, after: Option<ProductId>) -> Result<Vec<Product>, DatabaseError> {
        let currency = self.currency();
        let read =
            move |connection: &mut Connection<'_>| imports::products_after(connection, after, PAGE, currency);
        self.0.database.read(read).await
    }
}

/// A product as a line of JSON: what an import takes, no more.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'p> {
    id: ProductId,
    name: &'p str,
    description: &'p str,
    price: Money,
    compare_at_price: Option<Money>,
    stock: i64,
    category: &'p Slug,
    status: ProductStatus,
    images: &'p JsonText,
    specifications: &'p JsonText,
    variants: &'p [Variant],
}

fn write(out: &mut Vec<u8>, format: Format, product: &Product) {
    match format {
        Format::Csv => write_record(out, product),
        Format::JsonLines => write_line(out, product),
    }
}

fn write_line(out: &mut Vec<u8>, product: &Product) {
    let line = Line {
        id: product.id,
        name: &product.name,
        description: &product.description,
        price: product.price,
        compare_at_price: product.compare_at_price,
        stock: product.stock,
        category: &product.category,
        status: product.status,
        images: &product.images,
        specifications: &product.specifications,
        variants: &product.variants,
    };
    // What is kept was JSON when it came, so it can be written; a vector takes everything. JSON that came with line breaks
    // between its parts must lose them, or it would be more lines than one.
    let Ok(text) = serde_json::to_string(&line) else { return };
    out.extend(text.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
    out.push(b'\n');
}

fn write_record(out: &mut Vec<u8>, product: &Product) {
    // As above: what is kept can be written.
    let Ok(variants) = serde_json::to_string(&product.variants) else { return };
    let earlier = product.compare_at_price.map(|price| price.to_string()).unwrap_or_default();
    csv::write_record(
        out,
        &[
            &product.id.to_string(),
            &product.name,
            &product.description,
            &product.price.to_string(),
            &earlier,
            &product.stock.to_string(),
            product.category.as_str(),
            product.status.name(),
            &text(&product.images),
            &text(&product.specifications),
            &variants,
        ],
    );
}

fn text(json: &JsonText) -> String {
    match Value::from(json) {
        Value::Text(text) => text.into_owned(),
        _ => String::new(),
    }
}
