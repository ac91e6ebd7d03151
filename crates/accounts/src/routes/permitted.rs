//! The permissions that these routes ask for.

stoa_http::guards! {
    ReadsAudit = "audit": "read";
    ReadsRoles = "role": "read";
    CreatesRoles = "role": "create";
    UpdatesRoles = "role": "update";
    DeletesRoles = "role": "delete";
    ReadsUsers = "user": "read";
    UpdatesUsers = "user": "update";
    UpdatesProfile = "profile": "update";
}
