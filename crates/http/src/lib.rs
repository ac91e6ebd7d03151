//! What every HTTP route shares: typed extractors, one place from answer to bytes and from refusal to error, versions,
//! pages, conditional requests, idempotency, limits, the response cache and the OpenAPI documents.
//!
//! Knows the platform and no domain. Handlers return a [`Reply`] or a [`Problem`] and do not know versions; [`Edge`]
//! chooses the version on the way in and renders it on the way out.

mod body;
mod cached;
mod client;
mod context;
mod dates;
mod documents;
mod edge;
mod guard;
mod idempotency;
mod limited;
mod linger;
mod list;
mod measure;
mod module;
mod prefers_html;
mod problem;
mod render;
mod reply;
mod settings;
mod strict;
mod trace_parent;
mod upload_page;
mod v0;
mod verbatim;
mod version;

pub use body::{IfMatch, Json, PathParts, QueryPart, RawJson, query_problem};
pub use cached::{CacheRule, cached, cached_by};
pub use client::client_address;
pub use context::{Caller, RequestContext};
pub use dates::{http_date, parse_http_date};
pub use documents::{Documents, documentation};
pub use edge::Edge;
pub use guard::{Guard, Permitted, SignedIn};
pub use idempotency::{
    BeginError, Begun, IDEMPOTENCY_MIGRATION, Idempotent, MaybeEmpty, Once, PruneIdempotencyKeys,
    idempotency_module,
};
pub use limited::{LimitKey, RateLimit, limited, limited_by};
pub use linger::{declared_length, linger, waits_to_send};
pub use list::{ListParameters, ListQuery, foreign_cursor};
pub use module::Module;
pub use prefers_html::prefers_html;
pub use problem::Problem;
pub use reply::Reply;
pub use settings::{HttpSettings, LimitSettings};
pub use upload_page::upload_page;
pub use v0::deprecated_surface;
pub use verbatim::Verbatim;
pub use version::ApiVersion;

/// What a handler returns.
pub type Outcome = Result<Reply, Problem>;
