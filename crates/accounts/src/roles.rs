//! Roles and what they allow.

use std::sync::Arc;

use serde_json::json;
use stoa_kernel::{
    Cursor, CursorValue, Fields, Flaw, Page, PageRequest, Permission, Permissions, Refusal, Timestamp,
};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
};

use crate::{
    Accounts,
    account::ADMIN_ROLE,
    audit::{Note, kind},
    client::Client,
    error::AccountError,
    store::roles::{self, Role},
};

/// The ordering that cursors of the list of roles belong to.
pub(crate) const ORDER: &str = "name:asc";

const LONGEST_NAME: usize = 64;
const MOST_PERMISSIONS: usize = 200;

/// A role as somebody wants it, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RoleDraft {
    name: String,
    permissions: Vec<Permission>,
}

impl RoleDraft {
    /// Checks what was given.
    pub(crate) fn parse(name: &str, permissions: Vec<Permission>) -> Result<Self, Refusal> {
        let mut fields = Fields::default();
        fields.check("name", is_slug(name), Flaw::new("INVALID_NAME", "Use 1 to 64 of a-z, 0-9 and `-`."));
        if permissions.len() > MOST_PERMISSIONS {
            fields.refuse("permissions", Flaw::new("TOO_MANY", "A role has at most 200 permissions."));
        }
        for (index, permission) in permissions.iter().enumerate() {
            let flaw = Flaw::new("INVALID_PERMISSION", "Use 1 to 64 of a-z, 0-9 and `-`.");
            fields.check(format!("permissions.{index}.resource"), is_slug(&permission.resource), flaw);
            let action = &permission.action;
            let flaw = Flaw::new("INVALID_PERMISSION", "Use 1 to 64 of a-z, 0-9 and `-`, or `*` for all.");
            fields.check(format!("permissions.{index}.action"), action == "*" || is_slug(action), flaw);
        }
        fields.finish()?;
        Ok(Self { name: name.to_owned(), permissions })
    }

    /// `admin` must be able to mend roles, or nobody could.
    fn keeps_admin_able(&self) -> bool {
        let all = |permission: &Permission| permission.resource == "role" && permission.action == "*";
        self.name != ADMIN_ROLE || self.permissions.iter().any(all)
    }
}

fn is_slug(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

impl Accounts {
    /// What a role allows at present; read at most a second ago.
    pub(crate) async fn permissions_of(
        &self,
        role: &Arc<str>,
        now: Timestamp,
    ) -> Result<Arc<Permissions>, DatabaseError> {
        if let Some(known) = self.roles().get(role, now) {
            return Ok(known);
        }
        let name = Arc::clone(role);
        let read = self.database().get(move |c| roles::permissions(c, &name)).await?;
        let permissions = Arc::new(Permissions::from_iter(read));
        self.roles().put(Arc::clone(role), Arc::clone(&permissions), now);
        Ok(permissions)
    }

    /// A page of all roles, by name.
    pub(crate) async fn list_roles(
        &self,
        after: Option<String>,
        page: PageRequest,
    ) -> Result<Page<Role>, AccountError> {
        let limit = page.limit;
        let (rows, total) = self
            .database()
            .read(move |c| {
                let after = after.as_deref().unwrap_or_default();
                let rows = roles::list(c, after, page.limit + 1, page.offset())?;
                let total = if page.wants_total() { Some(roles::count(c)?) } else { None };
                Ok::<_, AccountError>((rows, total))
            })
            .await?;
        Ok(Page::from_rows(rows, limit, total, |role| Cursor {
            order: ORDER.into(),
            value: CursorValue::Text(role.name.clone()),
            id: uuid::Uuid::nil(),
        }))
    }

    /// The role of this name.
    pub(crate) async fn role(&self, name: String) -> Result<Role, AccountError> {
        let found = self.database().get(move |c| roles::find(c, &name)).await?;
        found.ok_or(AccountError::UnknownRole)
    }

    /// Makes a role, in this transaction.
    pub(crate) fn create_role(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        client: &Client,
        draft: &RoleDraft,
    ) -> Result<Role, AccountError> {
        if !roles::insert(tx, &draft.name)? {
            return Err(AccountError::RoleTaken);
        }
        roles::set_permissions(tx, &draft.name, &draft.permissions)?;
        self.note_role(tx, occasion, client, kind::ROLE_CREATED, &draft.name, &draft.permissions)?;
        roles::find(tx, &draft.name)?.ok_or(AccountError::UnknownRole)
    }

    /// Replaces what a role allows.
    pub(crate) async fn update_role(
        &self,
        occasion: Occasion,
        client: Client,
        draft: RoleDraft,
    ) -> Result<Role, AccountError> {
        if !draft.keeps_admin_able() {
            return Err(AccountError::AdminKeepsRoles);
        }
        let accounts = self.clone();
        self.database()
            .write(move |tx| {
                roles::lock(tx, &draft.name)?.ok_or(AccountError::UnknownRole)?;
                roles::set_permissions(tx, &draft.name, &draft.permissions)?;
                let (kind, name) = (kind::ROLE_UPDATED, &draft.name);
                accounts.note_role(tx, &occasion, &client, kind, name, &draft.permissions)?;
                roles::find(tx, name)?.ok_or(AccountError::UnknownRole)
            })
            .await
    }

    /// Deletes a role that nobody has.
    pub(crate) async fn delete_role(
        &self,
        occasion: Occasion,
        client: Client,
        name: String,
    ) -> Result<(), AccountError> {
        let accounts = self.clone();
        self.database()
            .write(move |tx| {
                if roles::lock(tx, &name)?.ok_or(AccountError::UnknownRole)? {
                    return Err(AccountError::BuiltInRole);
                }
                roles::delete(tx, &name).map_err(|error| match error {
                    DatabaseError::ForeignKey => AccountError::RoleInUse,
                    error => error.into(),
                })?;
                Ok(accounts.note_role(tx, &occasion, &client, kind::ROLE_DELETED, &name, &[])?)
            })
            .await
    }

    /// Writes a change of a role down, and drops it from this node's cache once committed.
    fn note_role(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        client: &Client,
        kind: &'static str,
        role: &str,
        permissions: &[Permission],
    ) -> Result<(), DatabaseError> {
        let note = Note::new(kind, format!("role:{role}")).from(client);
        note.with(json!({"permissions": permissions})).write(tx, occasion)?;
        self.forget_keys(tx);
        let (known, role) = (self.roles().clone(), role.to_owned());
        tx.after_commit(move || known.forget(role.as_str()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission(resource: &str, action: &str) -> Permission {
        Permission { resource: resource.into(), action: action.into() }
    }

    #[test]
    fn names_and_permissions_are_slugs() {
        let draft =
            RoleDraft::parse("shift-lead", vec![permission("order", "*"), permission("api-key", "read")]);
        assert!(draft.is_ok());
        let refusal =
            RoleDraft::parse("Shift Lead", vec![permission("*", ""), permission("a", "b:c")]).unwrap_err();
        let fields: Vec<_> = refusal.fields.iter().map(|flaw| flaw.field.to_string()).collect();
        assert_eq!(
            fields,
            ["name", "permissions.0.resource", "permissions.0.action", "permissions.1.action"]
        );
        let many = vec![permission("a", "b"); 201];
        assert_eq!(RoleDraft::parse("x", many).unwrap_err().fields[0].code, "TOO_MANY");
    }

    #[test]
    fn admin_must_be_able_to_mend_roles() {
        let without = RoleDraft::parse("admin", vec![permission("role", "read")]).unwrap();
        assert!(!without.keeps_admin_able());
        assert!(RoleDraft::parse("admin", vec![permission("role", "*")]).unwrap().keeps_admin_able());
        assert!(RoleDraft::parse("clerk", vec![]).unwrap().keeps_admin_able());
    }
}
