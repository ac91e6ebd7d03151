//! `/.well-known/jwks.json`: the public keys by which others verify access tokens. It stands outside `/api`, so it has no
//! version and one shape.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use stoa_http::Problem;
use stoa_kernel::Refusal;

use crate::{Accounts, signing_keys::PublicKey};

/// Verifiers may keep the list for less time than a key is published before it signs.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=300");

#[derive(Serialize)]
struct KeyList {
    keys: Vec<PublicKey>,
}

pub(super) async fn public_keys(State(accounts): State<Accounts>) -> Result<Response, Problem> {
    let now = accounts.clock().now();
    let keys = accounts.public_keys(now).await.map_err(Refusal::from)?;
    Ok(([(header::CACHE_CONTROL, KEPT)], axum::Json(KeyList { keys })).into_response())
}
