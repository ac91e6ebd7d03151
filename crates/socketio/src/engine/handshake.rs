//! What a request asks for, and how it is refused: `{code, message}` with the codes of the official server.

use bytes::Bytes;
use http::{
    Extensions, HeaderMap, HeaderValue, Method, Response, StatusCode, Uri,
    header::{CACHE_CONTROL, CONTENT_TYPE, ORIGIN, RETRY_AFTER},
};

use super::Body;

/// What carries a session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    /// GET requests that wait, and POST requests.
    Polling,
    /// A WebSocket.
    Websocket,
}

impl Transport {
    /// Its name in the protocol.
    pub fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::Websocket => "websocket",
        }
    }
}

/// A request for a new session.
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'a> {
    /// Its address, with the query.
    pub uri: &'a Uri,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// What layers before have put beside it, such as the client's address.
    pub extensions: &'a Extensions,
    /// On which transport the session would begin.
    pub transport: Transport,
}

impl Handshake<'_> {
    /// The web page that asks, if a browser does.
    pub fn origin(&self) -> Option<&HeaderValue> {
        self.headers.get(ORIGIN)
    }
}

/// How a request is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    status: StatusCode,
    code: u8,
    message: String,
    retry_after: Option<u64>,
}

impl Refusal {
    /// 403: this client may not.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, 4, message)
    }

    /// 429: not so often; again after so many seconds.
    pub fn too_many(message: impl Into<String>, retry_after: u64) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::TOO_MANY_REQUESTS, 4, message) }
    }

    /// 503: not now; again after so many seconds.
    pub fn unavailable(message: impl Into<String>, retry_after: u64) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, 4, message) }
    }

    pub(super) fn unknown_transport() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 0, "Transport unknown")
    }

    pub(super) fn unknown_session() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 1, "Session ID unknown")
    }

    pub(super) fn bad_method() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 2, "Bad handshake method")
    }

    pub(super) fn bad_request() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 3, "Bad request")
    }

    pub(super) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, 3, "Payload too large")
    }

    pub(super) fn unknown_version() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 5, "Unsupported protocol version")
    }

    fn new(status: StatusCode, code: u8, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let body = serde_json::json!({ "code": self.code, "message": self.message });
        let mut response = respond(self.status, "application/json", Bytes::from(body.to_string()));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

pub(super) fn respond(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The text of a polling answer.
pub(super) fn respond_text(body: impl Into<Body>) -> Response<Body> {
    respond(StatusCode::OK, "text/plain; charset=UTF-8", body)
}

/// What the query says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Query {
    pub(super) transport: Transport,
    pub(super) sid: Option<String>,
    pub(super) version_fits: bool,
}

impl Query {
    pub(super) fn parse(query: &str) -> Result<Self, Refusal> {
        let transport = match parameter(query, "transport") {
            Some("polling") => Transport::Polling,
            Some("websocket") => Transport::Websocket,
            _ => return Err(Refusal::unknown_transport()),
        };
        let sid = parameter(query, "sid").map(str::to_owned);
        Ok(Self { transport, sid, version_fits: parameter(query, "EIO") == Some("4") })
    }

    /// A handshake, once it is none of the other requests.
    pub(super) fn check_handshake(&self, method: &Method, upgrade: bool) -> Result<(), Refusal> {
        if method != Method::GET {
            return Err(Refusal::bad_method());
        }
        if !self.version_fits {
            return Err(Refusal::unknown_version());
        }
        if (self.transport == Transport::Websocket) != upgrade {
            return Err(Refusal::bad_request());
        }
        Ok(())
    }
}

/// Values here are made of letters that need no decoding; one that was encoded nevertheless is simply not known.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_transport_version_and_session() {
        let query = Query::parse("EIO=4&transport=polling&t=abc&sid=x-_y").unwrap();
        assert_eq!(query.sid.as_deref(), Some("x-_y"));
        assert!(query.version_fits);
        assert!(!Query::parse("transport=websocket&EIO=3").unwrap().version_fits);
    }

    #[test]
    fn an_unknown_transport_is_refused_first() {
        for query in ["", "EIO=4", "EIO=4&transport=", "EIO=4&transport=webtransport"] {
            assert_eq!(Query::parse(query), Err(Refusal::unknown_transport()));
        }
    }
}
