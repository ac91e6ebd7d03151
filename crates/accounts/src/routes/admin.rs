//! `/api/admin`: the audit log and the roles.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use stoa_http::{
    Idempotent, Json, ListQuery, Outcome, PathParts, Permitted, QueryPart, Reply, foreign_cursor,
};
use stoa_kernel::{Permission, Refusal, SortOrder, Timestamp};
use utoipa::{IntoParams, ToSchema};

use super::{
    fixed_order,
    permitted::{CreatesRoles, DeletesRoles, ReadsAudit, ReadsRoles, UpdatesRoles},
};
use crate::{
    Accounts, audit,
    client::Client,
    roles::{self, RoleDraft},
    store::{
        audit::{AuditId, Entry, Wanted},
        roles::Role,
    },
};

/// An entry of the audit log.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
pub(crate) struct AuditView {
    id: AuditId,
    at: Timestamp,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(example = "auth.login_failed")]
    kind: String,
    /// Who did it: `user:<id>`, `key:<name>`, `guest` or `system:<part>`.
    actor: String,
    /// To whom or what it was done.
    subject: String,
    address: Option<String>,
    user_agent: Option<String>,
    /// More about it, depending on the type.
    #[schema(value_type = Option<Object>)]
    details: Option<Box<RawValue>>,
}

impl From<Entry> for AuditView {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            kind: entry.kind,
            actor: entry.actor,
            subject: entry.subject,
            address: entry.address,
            user_agent: entry.user_agent,
            details: entry.details.and_then(|details| RawValue::from_string(details).ok()),
        }
    }
}

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditFilters {
    /// Who did it, e.g. `user:<id>`.
    actor: Option<String>,
    /// What was done.
    #[serde(rename = "type")]
    #[param(rename = "type", example = "auth.login_failed")]
    kind: Option<String>,
    /// Not before this moment.
    from: Option<Timestamp>,
    /// Before this moment.
    to: Option<Timestamp>,
}

/// A role with what it allows.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Role)]
pub(crate) struct RoleView {
    name: String,
    /// Whether it belongs to Stoa and cannot be deleted.
    built_in: bool,
    permissions: Vec<Permission>,
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        Self { name: role.name, built_in: role.built_in, permissions: role.permissions }
    }
}

/// A role to be made.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewRole)]
pub(crate) struct CreateRoleBody {
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z0-9-]+$", example = "shift-lead")]
    name: String,
    #[schema(max_items = 200)]
    permissions: Vec<Permission>,
}

/// What a role is to allow from now on.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RoleChange)]
pub(crate) struct UpdateRoleBody {
    #[schema(max_items = 200)]
    permissions: Vec<Permission>,
}

/// What matters to security, the newest first unless told.
#[utoipa::path(
    get, path = "/api/admin/audit", tag = "admin", params(ListQuery, AuditFilters), security(("bearer" = [])),
    responses((status = 200, description = "A page of the audit log", body = Vec<AuditView>))
)]
pub(crate) async fn audit_log(
    State(accounts): State<Accounts>,
    _: Permitted<ReadsAudit>,
    list: ListQuery,
    QueryPart(filters): QueryPart<AuditFilters>,
) -> Outcome {
    let ((), order) = list.sort(&[("at", ())], ((), SortOrder::Desc))?;
    let after = match list.page.after() {
        Some(cursor) => {
            Some((cursor.number_in(audit::order_name(order)).ok_or_else(foreign_cursor)?, cursor.id))
        }
        None => None,
    };
    let AuditFilters { actor, kind, from, to } = filters;
    let entries =
        accounts.audit_log(Wanted { actor, kind, from, to, order, after }, list.page.clone()).await?;
    Reply::page(&entries.map(AuditView::from), &list.page)
}

/// All roles, by name.
#[utoipa::path(
    get, path = "/api/admin/roles", tag = "admin", params(ListQuery), security(("bearer" = [])),
    responses((status = 200, description = "A page of roles", body = Vec<RoleView>))
)]
pub(crate) async fn list_roles(
    State(accounts): State<Accounts>,
    _: Permitted<ReadsRoles>,
    list: ListQuery,
) -> Outcome {
    fixed_order(&list, "name")?;
    let after = match list.page.after() {
        Some(cursor) => Some(cursor.text_in(roles::ORDER).ok_or_else(foreign_cursor)?.to_owned()),
        None => None,
    };
    let found = accounts.list_roles(after, list.page.clone()).await?;
    Reply::page(&found.map(RoleView::from), &list.page)
}

/// Make a role.
#[utoipa::path(
    post, path = "/api/admin/roles", tag = "admin", request_body = CreateRoleBody, security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, description = "The role", body = RoleView), (status = 409, description = "The name is taken"))
)]
pub(crate) async fn create_role(
    State(accounts): State<Accounts>,
    Permitted { actor, .. }: Permitted<CreatesRoles>,
    client: Client,
    Idempotent { body, once }: Idempotent<CreateRoleBody>,
) -> Outcome {
    let draft = RoleDraft::parse(&body.name, body.permissions)?;
    let occasion = accounts.occasion(&actor);
    let (database, clock) = (accounts.database().clone(), accounts.clock().clone());
    once.run(&database, &clock, move |tx| {
        let role = accounts.create_role(tx, &occasion, &client, &draft)?;
        let path = format!("/api/admin/roles/{}", role.name);
        let reply = Reply::created(&RoleView::from(role)).map_err(|problem| problem.0)?;
        Ok::<_, Refusal>(reply.at(&path))
    })
    .await
}

/// A role.
#[utoipa::path(
    get, path = "/api/admin/roles/{name}", tag = "admin", params(("name" = String, Path)), security(("bearer" = [])),
    responses((status = 200, description = "The role", body = RoleView))
)]
pub(crate) async fn read_role(
    State(accounts): State<Accounts>,
    _: Permitted<ReadsRoles>,
    PathParts(name): PathParts<String>,
) -> Outcome {
    Reply::ok(&RoleView::from(accounts.role(name).await?))
}

/// Replace what a role allows; it holds within a second everywhere.
#[utoipa::path(
    put, path = "/api/admin/roles/{name}", tag = "admin", params(("name" = String, Path)), request_body = UpdateRoleBody,
    security(("bearer" = [])),
    responses((status = 200, description = "The role", body = RoleView), (status = 409, description = "admin must keep `*` on `role`"))
)]
pub(crate) async fn update_role(
    State(accounts): State<Accounts>,
    Permitted { actor, .. }: Permitted<UpdatesRoles>,
    client: Client,
    PathParts(name): PathParts<String>,
    Json(body): Json<UpdateRoleBody>,
) -> Outcome {
    let draft = RoleDraft::parse(&name, body.permissions)?;
    let role = accounts.update_role(accounts.occasion(&actor), client, draft).await?;
    Reply::ok(&RoleView::from(role))
}

/// Delete a role that nobody has.
#[utoipa::path(
    delete, path = "/api/admin/roles/{name}", tag = "admin", params(("name" = String, Path)), security(("bearer" = [])),
    responses((status = 204, description = "Deleted"), (status = 409, description = "Built in, or in use"))
)]
pub(crate) async fn delete_role(
    State(accounts): State<Accounts>,
    Permitted { actor, .. }: Permitted<DeletesRoles>,
    client: Client,
    PathParts(name): PathParts<String>,
) -> Outcome {
    accounts.delete_role(accounts.occasion(&actor), client, name).await?;
    Ok(Reply::no_content())
}
