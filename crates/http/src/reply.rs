//! A handler's answer before any version has given it a shape.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stoa_kernel::{Page, PageRequest, Position, Refusal, Timestamp};
use stoa_platform::cache::Tag;

use crate::problem::Problem;

/// What a handler answers: a status, the resource already serialised once, and what goes around it.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(crate) status: StatusCode,
    /// The serialised resource or, for a list, the array of its entries; empty for 204.
    pub(crate) data: Bytes,
    pub(crate) list: Option<ListShape>,
    pub(crate) etag: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) tags: Vec<Tag>,
    pub(crate) holds_until: Option<Timestamp>,
    /// Whether it was found in the response cache, where it was looked for.
    pub(crate) found: Option<&'static str>,
}

/// What a list says about itself beside its entries.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct ListShape {
    pub(crate) limit: u32,
    pub(crate) next_cursor: Option<String>,
    pub(crate) page: Option<u32>,
    pub(crate) total: Option<u32>,
    /// How many of the whole list were not read, where entries can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unread: Option<u32>,
}

impl Reply {
    /// A resource with a status.
    pub fn new(status: StatusCode, resource: &impl Serialize) -> Result<Self, Problem> {
        let data = serde_json::to_vec(resource).map_err(Refusal::internal)?;
        Ok(Self::of_data(status, data.into()))
    }

    /// 200 with a resource.
    pub fn ok(resource: &impl Serialize) -> Result<Self, Problem> {
        Self::new(StatusCode::OK, resource)
    }

    /// 200 with a resource that is written already.
    pub fn written(data: Bytes) -> Self {
        Self::of_data(StatusCode::OK, data)
    }

    /// 201 with the resource that was made.
    pub fn created(resource: &impl Serialize) -> Result<Self, Problem> {
        Self::new(StatusCode::CREATED, resource)
    }

    /// 202 with a resource that says what will be done.
    pub fn accepted(resource: &impl Serialize) -> Result<Self, Problem> {
        Self::new(StatusCode::ACCEPTED, resource)
    }

    /// 204.
    pub fn no_content() -> Self {
        Self::of_data(StatusCode::NO_CONTENT, Bytes::new())
    }

    /// 200 with a page of a list.
    pub fn page<T: Serialize>(page: &Page<T>, request: &PageRequest) -> Result<Self, Problem> {
        Ok(Self::ok(&page.entries)?.listing(page, request))
    }

    /// The same with entries that are written already.
    pub fn page_written<T: AsRef<[u8]>>(page: &Page<T>, request: &PageRequest) -> Self {
        let length: usize = page.entries.iter().map(|entry| entry.as_ref().len() + 1).sum();
        let mut data = Vec::with_capacity(length + 2);
        data.push(b'[');
        for (place, entry) in page.entries.iter().enumerate() {
            if place > 0 {
                data.push(b',');
            }
            data.extend_from_slice(entry.as_ref());
        }
        data.push(b']');
        Self::written(data.into()).listing(page, request)
    }

    fn listing<T>(mut self, page: &Page<T>, request: &PageRequest) -> Self {
        let number = if let Position::Number(number) = request.position { Some(number) } else { None };
        self.list = Some(ListShape {
            limit: request.limit,
            next_cursor: page.next.as_ref().map(stoa_kernel::Cursor::encode),
            page: number,
            total: page.total,
            unread: None,
        });
        self
    }

    /// 200 with a page of a list whose entries are serialised already.
    pub fn page_of_data(entries: Bytes, next: Option<&stoa_kernel::Cursor>, limit: u32) -> Self {
        let mut reply = Self::of_data(StatusCode::OK, entries);
        let next_cursor = next.map(stoa_kernel::Cursor::encode);
        reply.list = Some(ListShape { limit, next_cursor, ..ListShape::default() });
        reply
    }

    /// 201 with all that was made, as a list.
    pub fn created_all<T: Serialize>(entries: &[T]) -> Result<Self, Problem> {
        let mut reply = Self::created(&entries)?;
        let limit = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        reply.list = Some(ListShape { limit, ..ListShape::default() });
        Ok(reply)
    }

    /// Says beside the entries of a list how many of all of them were not read.
    pub fn with_unread(mut self, count: u32) -> Self {
        if let Some(list) = &mut self.list {
            list.unread = Some(count);
        }
        self
    }

    /// The resource as it was serialised.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The same answer with a resource in the place of its own.
    pub fn with_resource(mut self, resource: &impl Serialize) -> Result<Self, Problem> {
        self.data = serde_json::to_vec(resource).map_err(Refusal::internal)?.into();
        Ok(self)
    }

    pub(crate) fn of_data(status: StatusCode, data: Bytes) -> Self {
        Self {
            status,
            data,
            list: None,
            etag: None,
            headers: HeaderMap::new(),
            tags: Vec::new(),
            holds_until: None,
            found: None,
        }
    }

    /// Marks the state of the resource, e.g. by its version; rendered as a strong `ETag`.
    pub fn with_etag(mut self, mark: impl std::fmt::Display) -> Self {
        self.etag = Some(format!("\"{mark}\""));
        self
    }

    /// Says where the resource lives, e.g. `/api/products/…`.
    pub fn at(self, path: &str) -> Self {
        match HeaderValue::from_str(path) {
            Ok(path) => self.with_header(axum::http::header::LOCATION, path),
            Err(_) => self,
        }
    }

    /// Adds a header.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Names what the answer was made of; the response cache forgets it when one of the tags is invalidated.
    pub fn with_tag(mut self, tag: Tag) -> Self {
        self.tags.push(tag);
        self
    }

    /// Says when the answer changes by time alone; the response cache keeps it no longer.
    pub fn holding_until(mut self, end: Option<Timestamp>) -> Self {
        self.holds_until = end;
        self
    }
}

/// The body stays empty here: the edge writes it when it knows the version.
impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self);
        response
    }
}
