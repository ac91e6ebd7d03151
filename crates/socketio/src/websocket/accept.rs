//! The opening handshake (RFC 6455, 4.2), over a request that hyper can upgrade.

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
        UPGRADE,
    },
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{ReadHalf, WriteHalf};
use tungstenite::handshake::derive_accept_key;

/// A stream that was HTTP.
pub type Stream = TokioIo<Upgraded>;

/// Why a request is no opening handshake. The status to answer is `status`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAnUpgrade {
    /// No GET, or no `Upgrade: websocket`.
    #[error("not a WebSocket handshake")]
    Other,
    /// Another version than 13.
    #[error("only version 13 of the WebSocket protocol is spoken here")]
    Version,
    /// No key, or one that is not of 16 bytes in base64.
    #[error("the handshake has no valid key")]
    Key,
}

impl NotAnUpgrade {
    /// The status that tells the client (RFC 6455, 4.2.2 and 4.4).
    pub fn status(self) -> StatusCode {
        match self {
            Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Other | Self::Key => StatusCode::BAD_REQUEST,
        }
    }
}

/// A handshake that was accepted: the answer to send, and the stream that comes when it is sent.
#[derive(Debug)]
pub struct Accepted {
    /// 101, without a body. Headers may be added.
    pub response: Response<()>,
    /// The stream to come.
    pub upgrade: Upgrade,
}

/// The stream that comes when the answer is sent.
#[derive(Debug)]
pub struct Upgrade(OnUpgrade);

impl Upgrade {
    /// Waits for the stream. The two halves are for [`Inbound`](super::Inbound) and [`write`](super::write).
    pub async fn stream(self) -> Result<(ReadHalf<Stream>, WriteHalf<Stream>), hyper::Error> {
        let upgraded = self.0.await?;
        Ok(tokio::io::split(TokioIo::new(upgraded)))
    }
}

/// Whether the request asks for a WebSocket.
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, &CONNECTION, "upgrade") && has_token(headers, &UPGRADE, "websocket")
}

/// Accepts the handshake of `request`. No extension is offered, so frames are never compressed.
pub fn accept<B>(request: &mut Request<B>) -> Result<Accepted, NotAnUpgrade> {
    let headers = request.headers();
    if request.method() != Method::GET || !is_upgrade(headers) {
        return Err(NotAnUpgrade::Other);
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(NotAnUpgrade::Version);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|key| is_key(key)).ok_or(NotAnUpgrade::Key)?;
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes())).map_err(|_| NotAnUpgrade::Key)?;
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answer = response.headers_mut();
    answer.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    answer.insert(UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(Accepted { response, upgrade: Upgrade(hyper::upgrade::on(request)) })
}

/// The subprotocols that the client offers, the one it likes best first.
pub fn offered_protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    tokens(headers, &SEC_WEBSOCKET_PROTOCOL)
}

fn is_key(key: &HeaderValue) -> bool {
    use base64::{Engine, engine::general_purpose::STANDARD};
    key.len() == 24 && STANDARD.decode(key.as_bytes()).is_ok_and(|bytes| bytes.len() == 16)
}

fn has_token(headers: &HeaderMap, name: &http::HeaderName, wanted: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted))
}

fn tokens<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn tokens_are_found_among_others_in_any_case() {
        assert!(is_upgrade(&headers(&[(CONNECTION, "keep-alive, UPGRADE"), (UPGRADE, "WebSocket")])));
        assert!(!is_upgrade(&headers(&[(CONNECTION, "keep-alive"), (UPGRADE, "websocket")])));
        assert!(!is_upgrade(&headers(&[(CONNECTION, "upgrade"), (UPGRADE, "h2c")])));
    }

    #[test]
    fn offered_protocols_keep_their_order() {
        let headers = headers(&[(SEC_WEBSOCKET_PROTOCOL, "chat, superchat")]);
        assert_eq!(offered_protocols(&headers).collect::<Vec<_>>(), ["chat", "superchat"]);
    }

    #[test]
    fn what_is_no_handshake_is_told_apart() {
        let good = || {
            Request::builder()
                .header(CONNECTION, "upgrade")
                .header(UPGRADE, "websocket")
                .header(SEC_WEBSOCKET_VERSION, "13")
                .header(SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==")
        };
        let refused = |request: http::request::Builder| accept(&mut request.body(()).unwrap()).err();
        assert_eq!(refused(good()), None);
        assert_eq!(refused(good().method("POST")), Some(NotAnUpgrade::Other));
        assert_eq!(refused(Request::builder()), Some(NotAnUpgrade::Other));
        let mut old = good();
        old.headers_mut().unwrap().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("8"));
        assert_eq!(refused(old).map(NotAnUpgrade::status), Some(StatusCode::UPGRADE_REQUIRED));
        let mut keyless = good();
        keyless.headers_mut().unwrap().remove(SEC_WEBSOCKET_KEY);
        assert_eq!(refused(keyless).map(NotAnUpgrade::status), Some(StatusCode::BAD_REQUEST));
    }
}
