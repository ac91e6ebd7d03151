//! The OpenAPI 3.1 documents, one per version, made from the routes that serve, and the page that shows them.

use std::sync::Arc;

use axum::{
    Router,
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use bytes::Bytes;
use serde_json::{Value, json};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, serve};

use crate::{context::RequestContext, version::ApiVersion};

/// The documents of all versions, ready to send.
#[derive(Clone, Debug)]
pub struct Documents {
    v1: Value,
    v2: Value,
}

impl Documents {
    /// Makes each version's document from what the routes say of themselves.
    pub fn new(described: &OpenApi, server: &str) -> Result<Self, serde_json::Error> {
        let described = serde_json::to_value(described)?;
        Ok(Self {
            v1: of_version(described.clone(), ApiVersion::V1, server),
            v2: of_version(described, ApiVersion::V2, server),
        })
    }

    /// The document of a version.
    pub fn document(&self, version: ApiVersion) -> &Value {
        if version == ApiVersion::V1 { &self.v1 } else { &self.v2 }
    }
}

/// `/api/openapi.json` and the interactive page `/api/docs`, which loads nothing from elsewhere.
pub fn documentation(documents: &Documents) -> Router {
    let texts = Arc::new((documents.v1.to_string(), documents.v2.to_string()));
    let config =
        Arc::new(Config::from("/api/openapi.json").try_it_out_enabled(true).display_request_duration(true));
    Router::new()
        .route(
            "/api/openapi.json",
            get(move |context: RequestContext| {
                let texts = Arc::clone(&texts);
                async move {
                    let text = if context.version() == ApiVersion::V1 { &texts.0 } else { &texts.1 };
                    ([(header::CONTENT_TYPE, "application/json")], text.clone())
                }
            }),
        )
        .route("/api/docs", get(|| async { Redirect::permanent("/api/docs/") }))
        .route("/api/docs/errors", get(|| async { Html(include_str!("../../../docs/errors.html")) }))
        .route(
            "/api/docs/",
            get({
                let config = Arc::clone(&config);
                move || async move { page("index.html", Arc::clone(&config)) }
            }),
        )
        .route(
            "/api/docs/{*file}",
            get(move |Path(file): Path<String>| async move { page(&file, Arc::clone(&config)) }),
        )
}

/// The page runs its own scripts and styles only.
fn page(file: &str, config: Arc<Config<'static>>) -> Response {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                          img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-ancestors 'none'";
    match serve(file, config) {
        Ok(Some(found)) => {
            let mut response = Bytes::from(found.bytes.into_owned()).into_response();
            let headers = response.headers_mut();
            if let Ok(kind) = HeaderValue::from_str(&found.content_type) {
                headers.insert(header::CONTENT_TYPE, kind);
            }
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
            response
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(%error, "the documentation page cannot be read");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Marks an operation whose answer is a list, though it is not one in pages.
const LIST: &str = "x-list";

/// Dresses the described operations in a version's shapes.
fn of_version(mut document: Value, version: ApiVersion, server: &str) -> Value {
    if let Some(root) = document.as_object_mut() {
        root.insert("openapi".into(), json!("3.1.0"));
        root.insert("info".into(), json!({
            "title": "Stoa",
            "version": version.name(),
            "description": "A shop where people talk. Every answer carries `API-Version`; errors have stable codes.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        }));
        root.insert("servers".into(), json!([{"url": server}]));
    }
    let schemas = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut);
    if let Some(schemas) = schemas {
        schemas.insert("Failure".into(), failure_schema(version));
    } else {
        insert_components(&mut document, version);
    }
    if let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) {
        components.insert(
            "securitySchemes".into(),
            json!({
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            }),
        );
    }
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for (path, operations) in paths.into_iter().flatten() {
        for (_, operation) in operations.as_object_mut().into_iter().flatten() {
            describe_operation(path, operation, version);
        }
    }
    document
}

fn insert_components(document: &mut Value, version: ApiVersion) {
    if let Some(root) = document.as_object_mut() {
        root.insert("components".into(), json!({"schemas": {"Failure": failure_schema(version)}}));
    }
}

fn describe_operation(path: &str, operation: &mut Value, version: ApiVersion) {
    let has_body = operation.get("requestBody").is_some();
    let is_list = takes(operation, "cursor") || operation.get(LIST).is_some();
    let is_conditional = takes(operation, "If-Match");
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for (status, response) in responses.iter_mut() {
        if status.starts_with('2') {
            dress_success(response, version, is_list);
        }
    }
    // Every route can refuse in these ways, so no route has to say so. Any credential that comes along is checked.
    let mut refusals = vec!["400", "401", "403", "429", "500", "503"];
    if path.contains('{') {
        refusals.push("404");
    }
    if has_body {
        refusals.extend(["413", "415", "422"]);
    }
    if is_conditional {
        refusals.push("412");
    }
    for status in refusals {
        responses.entry(status).or_insert_with(|| json!({"description": reason(status)}));
    }
    let media = if version == ApiVersion::V2 { "application/problem+json" } else { "application/json" };
    for (status, response) in responses.iter_mut() {
        if status.starts_with(['4', '5'])
            && let Some(response) = response.as_object_mut()
        {
            let content = json!({media: {"schema": {"$ref": "#/components/schemas/Failure"}}});
            response.insert("content".into(), content);
        }
    }
}

/// Whether an operation has a parameter of this name.
fn takes(operation: &Value, name: &str) -> bool {
    let parameters = operation.get("parameters").and_then(Value::as_array);
    parameters.is_some_and(|parameters| parameters.iter().any(|parameter| parameter["name"] == name))
}

fn reason(status: &str) -> &'static str {
    status
        .parse()
        .ok()
        .and_then(|status| StatusCode::from_u16(status).ok())
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Error")
}

/// Puts the version's envelope around the schema of a successful answer.
fn dress_success(response: &mut Value, version: ApiVersion, is_list: bool) {
    let Some(schema) = response.pointer_mut("/content/application~1json/schema") else { return };
    let data = schema.take();
    *schema = match (version, is_list) {
        (ApiVersion::V1, _) => json!({
            "type": "object",
            "required": ["success", "data", "meta"],
            "properties": {"success": {"const": true}, "data": data, "meta": meta_schema(is_list)},
        }),
        (_, true) => json!({
            "type": "object",
            "required": ["data", "nextCursor"],
            "properties": {
                "data": data,
                "nextCursor": {"type": ["string", "null"]},
                "page": {"type": "integer"}, "size": {"type": "integer"}, "total": {"type": "integer"},
                "unreadCount": {"type": "integer"},
            },
        }),
        (_, false) => data,
    };
}

fn meta_schema(is_list: bool) -> Value {
    let mut meta = json!({
        "type": "object",
        "required": ["version", "timestamp", "requestId"],
        "properties": {
            "version": {"type": "string"},
            "timestamp": {"type": "string", "format": "date-time"},
            "requestId": {"type": "string"},
        },
    });
    let properties = meta.get_mut("properties").and_then(Value::as_object_mut);
    if let (true, Some(properties)) = (is_list, properties) {
        properties.insert(
            "pagination".into(),
            json!({
                "type": "object",
                "required": ["limit", "nextCursor"],
                "properties": {
                    "limit": {"type": "integer"}, "nextCursor": {"type": ["string", "null"]},
                    "page": {"type": "integer"}, "size": {"type": "integer"}, "total": {"type": "integer"},
                    "unreadCount": {"type": "integer"},
                },
            }),
        );
    }
    meta
}

/// A refusal. What it is about may stand beside the rest as further members, such as `available` and `requested`.
fn failure_schema(version: ApiVersion) -> Value {
    let fields = json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["field", "code", "message"],
            "properties": {
                "field": {"type": "string"}, "code": {"type": "string"}, "message": {"type": "string"},
            },
        },
    });
    if version == ApiVersion::V1 {
        return json!({
            "type": "object",
            "required": ["success", "error", "meta"],
            "properties": {
                "success": {"const": false},
                "error": {
                    "type": "object",
                    "required": ["code", "message", "details"],
                    "properties": {
                        "code": {"type": "string"}, "message": {"type": "string"},
                        "details": {
                            "type": "object", "required": ["errors"], "properties": {"errors": fields},
                            "additionalProperties": true,
                        },
                    },
                },
                "meta": meta_schema(false),
            },
        });
    }
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "errors", "requestId"],
        "properties": {
            "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
            "detail": {"type": "string"}, "code": {"type": "string"}, "errors": fields,
            "requestId": {"type": "string"},
        },
        "additionalProperties": true,
    })
}
