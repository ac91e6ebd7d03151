//! The permissions that these routes ask for.

stoa_http::guards! {
    ReadsAudit = "audit": "read";
    ReadsRoles = "role": "read";
    CreatesRoles = "role": "create";
    UpdatesRoles = "role": "update";
    DeletesRoles = "role": "delete";
    ReadsApiKeys = "api-key": "read";
    CreatesApiKeys = "api-key": "create";
    DeletesApiKeys = "api-key": "delete";
    ReadsUsers = "user": "read";
    CreatesUsers = "user": "create";
    UpdatesUsers = "user": "update";
    DeletesUsers = "user": "delete";
    UpdatesProfile = "profile": "update";
}
