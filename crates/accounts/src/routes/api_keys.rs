//! `/api/admin/api-keys`: keys for programs.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use stoa_http::{Json, ListQuery, Outcome, PathParts, Permitted, Reply, foreign_cursor};
use stoa_kernel::{SortOrder, Timestamp};
use utoipa::ToSchema;

use super::permitted::{CreatesApiKeys, DeletesApiKeys, ReadsApiKeys};
use crate::{
    Accounts,
    api_keys::{self, KeyDraft},
    client::Client,
    store::api_keys::{ApiKey, ApiKeyId},
};

/// A key by which a program signs in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ApiKey)]
pub(crate) struct ApiKeyView {
    id: ApiKeyId,
    /// The key itself, for `X-API-Key`; only in the answer that made it, so keep it well.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// What the key begins with, to tell it from others.
    #[schema(example = "stoa_3kQv9x")]
    prefix: String,
    name: String,
    /// What the key may do.
    #[schema(example = json!(["product:*", "order:update"]))]
    scopes: Vec<String>,
    /// Where it may be used from; anywhere when empty.
    #[schema(example = json!(["203.0.113.0/24"]))]
    allowed_ips: Vec<String>,
    /// When it ends, if it does.
    expires_at: Option<Timestamp>,
    created_at: Timestamp,
    /// Who made it: `user:<id>` or `key:<id>`.
    created_by: String,
    /// When it was used last, to the minute.
    last_used_at: Option<Timestamp>,
}

impl ApiKeyView {
    fn of(kept: ApiKey, key: Option<String>) -> Self {
        Self {
            id: kept.id,
            key,
            prefix: kept.prefix,
            name: kept.name,
            scopes: kept.scopes,
            allowed_ips: kept.networks.iter().map(ToString::to_string).collect(),
            expires_at: kept.expires_at,
            created_at: kept.created_at,
            created_by: kept.created_by,
            last_used_at: kept.last_used_at,
        }
    }
}

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewApiKey)]
pub(crate) struct CreateApiKeyBody {
    #[schema(min_length = 1, max_length = 100, example = "till")]
    name: String,
    /// Permissions, `resource:action` or `resource:*`; none that the caller does not have.
    #[schema(min_items = 1, max_items = 100, example = json!(["product:*", "order:update"]))]
    scopes: Vec<String>,
    /// Addresses and networks (CIDR) it may be used from; anywhere when empty.
    #[serde(default)]
    #[schema(max_items = 100, example = json!(["203.0.113.0/24"]))]
    allowed_ips: Vec<String>,
    /// When it ends; never, unless given.
    expires_at: Option<Timestamp>,
}

/// Make a key. The answer shows it, and nothing ever will again; so an `Idempotency-Key` is not taken here.
#[utoipa::path(
    post, path = "/api/admin/api-keys", tag = "admin", request_body = CreateApiKeyBody, security(("bearer" = []), ("apiKey" = [])),
    responses((status = 201, description = "The key", body = ApiKeyView))
)]
pub(crate) async fn create(
    State(accounts): State<Accounts>,
    Permitted { actor, .. }: Permitted<CreatesApiKeys>,
    client: Client,
    Json(body): Json<CreateApiKeyBody>,
) -> Outcome {
    let CreateApiKeyBody { name, scopes, allowed_ips, expires_at } = body;
    let now = accounts.clock().now();
    let draft = KeyDraft::parse(&name, &scopes, &allowed_ips, expires_at, now)?;
    let (kept, secret) = accounts.create_api_key(actor, client, draft).await?;
    let path = format!("/api/admin/api-keys/{}", kept.id);
    Ok(Reply::created(&ApiKeyView::of(kept, Some(secret.text)))?.at(&path))
}

/// All keys, the latest first.
#[utoipa::path(
    get, path = "/api/admin/api-keys", tag = "admin", params(ListQuery), security(("bearer" = []), ("apiKey" = [])),
    responses((status = 200, description = "A page of keys", body = Vec<ApiKeyView>))
)]
pub(crate) async fn list(
    State(accounts): State<Accounts>,
    _: Permitted<ReadsApiKeys>,
    list: ListQuery,
) -> Outcome {
    let ((), order) = list.sort(&[("createdAt", ())], ((), SortOrder::Desc))?;
    let after = match list.page.after() {
        Some(cursor) => {
            Some((cursor.number_in(api_keys::ordering(order)).ok_or_else(foreign_cursor)?, cursor.id))
        }
        None => None,
    };
    let found = accounts.list_api_keys(order, after, list.page.clone()).await?;
    Reply::page(&found.map(|key| ApiKeyView::of(key, None)), &list.page)
}

/// A key, without what only its maker saw.
#[utoipa::path(
    get, path = "/api/admin/api-keys/{id}", tag = "admin", params(("id" = ApiKeyId, Path)), security(("bearer" = []), ("apiKey" = [])),
    responses((status = 200, description = "The key", body = ApiKeyView))
)]
pub(crate) async fn read(
    State(accounts): State<Accounts>,
    _: Permitted<ReadsApiKeys>,
    PathParts(id): PathParts<ApiKeyId>,
) -> Outcome {
    Reply::ok(&ApiKeyView::of(accounts.api_key(id).await?, None))
}

/// Delete a key; it is refused everywhere within a second.
#[utoipa::path(
    delete, path = "/api/admin/api-keys/{id}", tag = "admin", params(("id" = ApiKeyId, Path)), security(("bearer" = []), ("apiKey" = [])),
    responses((status = 204, description = "Deleted"))
)]
pub(crate) async fn delete(
    State(accounts): State<Accounts>,
    Permitted { actor, .. }: Permitted<DeletesApiKeys>,
    client: Client,
    PathParts(id): PathParts<ApiKeyId>,
) -> Outcome {
    accounts.delete_api_key(accounts.occasion(&actor), client, id).await?;
    Ok(Reply::no_content())
}
