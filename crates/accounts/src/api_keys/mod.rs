//! API keys: how programs sign in. An administrator gives a key what it may do, where it may come from and how long it
//! lives; it can never do more than who made it may do at the time.

mod draft;
mod maker;
mod networks;
mod scopes;
mod use_key;

use serde_json::json;
use stoa_kernel::{
    Actor, Cursor, CursorValue, Page, PageRequest, Permission, SortOrder, page::DEEPEST_ENTRY,
};
use stoa_platform::{Occasion, database::Tx};
use uuid::Uuid;

use crate::{
    Accounts,
    audit::{Note, kind},
    client::Client,
    error::AccountError,
    store::{
        api_keys::{self, ApiKey, ApiKeyId},
        roles,
    },
};

pub(crate) use self::{
    draft::{KeyDraft, KeySecret},
    use_key::{KeyInUse, LastUses},
};

/// The ordering that cursors of the list of keys belong to.
pub(crate) const fn ordering(order: SortOrder) -> &'static str {
    match order {
        SortOrder::Asc => "createdAt:asc",
        SortOrder::Desc => "createdAt:desc",
    }
}

/// The permission that a kept scope stands for.
pub(crate) fn scope(text: &str) -> Option<Permission> {
    scopes::parse(text).ok()
}

impl Accounts {
    /// Makes a key. Its secret is answered here and never again.
    pub(crate) async fn create_api_key(
        &self,
        actor: Actor,
        client: Client,
        draft: KeyDraft,
    ) -> Result<(ApiKey, KeySecret), AccountError> {
        let beyond = scopes::beyond(&draft.scopes, &actor);
        let occasion = self.occasion(&actor);
        let secret = KeySecret::new(&occasion.random);
        let key = ApiKey {
            id: occasion.id(),
            prefix: secret.prefix.clone(),
            name: draft.name,
            scopes: draft.scopes.iter().map(scopes::written).collect(),
            networks: draft.networks,
            expires_at: draft.expires_at,
            created_at: occasion.at,
            created_by: occasion.actor.clone(),
            last_used_at: None,
        };
        let (made, hash, wanted) = (key.clone(), secret.hash, draft.scopes);
        self.database()
            .write(move |tx| {
                let granted = roles::all_permissions(tx)?;
                if let Some(scope) = wanted.iter().find(|scope| !scopes::is_known(scope, &granted)) {
                    return Err(AccountError::UnknownScope(scopes::written(scope)));
                }
                if !beyond.is_empty() {
                    return Err(AccountError::BeyondOwnScopes(beyond.clone()));
                }
                api_keys::insert(tx, &made, &hash)?;
                note_key(tx, &occasion, &client, kind::API_KEY_CREATED, &made)
            })
            .await?;
        Ok((key, secret))
    }

    /// A page of all keys by age.
    pub(crate) async fn list_api_keys(
        &self,
        order: SortOrder,
        after: Option<(i64, Uuid)>,
        page: PageRequest,
    ) -> Result<Page<ApiKey>, AccountError> {
        let limit = page.limit;
        let (rows, total) = self
            .database()
            .read(move |c| {
                let rows = api_keys::list(c, order, after, page.limit + 1, page.offset())?;
                let total = if page.wants_total() { Some(api_keys::count(c, DEEPEST_ENTRY)?) } else { None };
                Ok::<_, AccountError>((rows, total))
            })
            .await?;
        Ok(Page::from_rows(rows, limit, total, |key| Cursor {
            order: ordering(order).into(),
            value: CursorValue::Number(key.created_at.as_micros()),
            id: key.id.uuid(),
        }))
    }

    /// The key of this id.
    pub(crate) async fn api_key(&self, id: ApiKeyId) -> Result<ApiKey, AccountError> {
        let found = self.database().get(move |c| api_keys::find(c, id)).await?;
        found.ok_or(AccountError::UnknownApiKey)
    }

    /// Deletes a key: it is refused here at once, and within a second on every other node.
    pub(crate) async fn delete_api_key(
        &self,
        occasion: Occasion,
        client: Client,
        id: ApiKeyId,
    ) -> Result<(), AccountError> {
        let accounts = self.clone();
        self.database()
            .write(move |tx| {
                let key = api_keys::delete(tx, id)?.ok_or(AccountError::UnknownApiKey)?;
                // Keys that it made are refused as well.
                accounts.forget_keys(tx);
                note_key(tx, &occasion, &client, kind::API_KEY_DELETED, &key)
            })
            .await
    }
}

impl Accounts {
    /// Drops what this node remembers of keys once the transaction is committed: what their makers may do has changed.
    pub(crate) fn forget_keys(&self, tx: &mut Tx<'_>) {
        let known = self.api_keys().clone();
        tx.after_commit(move || known.clear());
    }
}

/// Writes down what was done to a key.
fn note_key(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    client: &Client,
    kind: &'static str,
    key: &ApiKey,
) -> Result<(), AccountError> {
    let details = json!({
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "allowedIps": key.networks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "expiresAt": key.expires_at,
    });
    let note = Note::new(kind, format!("api-key:{}", key.id)).from(client);
    Ok(note.with(details).write(tx, occasion)?)
}
