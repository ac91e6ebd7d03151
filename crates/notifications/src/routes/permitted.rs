//! The permission that these routes ask for: whoever may announce may also see and take back what was announced.

stoa_http::guards! {
    Announces = "announcement": "create";
}
