//! The addresses at which sockets come in.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL},
};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use stoa_socketio::{
    Body, Observation, Reason, Server,
    websocket::{self, Outbound, is_upgrade, offered_protocols},
};

use crate::{
    Fault, Hub,
    admission::{Admission, ClientAddress},
    arrive::Arrival,
    socketio_end::SocketIoEnd,
    websocket_end::WebSocketEnd,
};

/// The subprotocol that is spoken; a token may be offered beside it.
const PROTOCOL: &str = "stoa";
const BEARER: &str = "bearer.";

/// Where sockets come in: `/socket.io/`, `/ws`, `/ws/lobby`, and an upgrade at `/`. Cheap to clone.
#[derive(Clone)]
pub struct Doors(Arc<Inside>);

struct Inside {
    hub: Hub,
    admission: Arc<Admission>,
    socketio: Server<SocketIoEnd>,
    /// Sockets of `/ws`, to be closed when the server goes.
    open: Mutex<HashMap<u64, Arc<Outbound>>>,
    numbers: AtomicU64,
    closing: std::sync::atomic::AtomicBool,
}

impl Doors {
    /// Doors to a hub.
    pub fn new(hub: &Hub) -> Self {
        let settings = hub.settings().clone();
        let admission = Arc::new(Admission::new(settings.clone(), hub.0.platform.limits.clone()));
        let random = hub.0.platform.random.clone();
        let measured = hub.clone();
        let socketio = Server::builder(SocketIoEnd { hub: hub.clone(), admission: Arc::clone(&admission) })
            .ping_interval(settings.ping_interval)
            .ping_timeout(settings.ping_timeout)
            .connect_timeout(settings.sign_in_within)
            .max_payload(settings.max_payload)
            .outbound(settings.outbound)
            .max_sessions(settings.sockets)
            .max_namespaces(1)
            .max_events_per_second(Some(settings.events_per_second))
            .random(move |bytes| {
                for chunk in bytes.chunks_mut(32) {
                    let word = random.bytes::<32>();
                    chunk.iter_mut().zip(word).for_each(|(byte, random)| *byte = random);
                }
                true
            })
            .observe(move |observation| match observation {
                Observation::Opened { .. } => measured.0.measures.opened("socketio"),
                Observation::Ended { reason, .. } => measured.0.measures.ended("socketio", reason.name()),
                _ => {}
            })
            .build();
        Self(Arc::new(Inside {
            hub: hub.clone(),
            admission,
            socketio,
            open: Mutex::default(),
            numbers: AtomicU64::new(0),
            closing: std::sync::atomic::AtomicBool::new(false),
        }))
    }

    /// Whether a request is for sockets.
    pub fn serve(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
        match uri.path() {
            "/socket.io" | "/socket.io/" | "/ws" | "/ws/" | "/ws/lobby" => true,
            "/" => method == Method::GET && is_upgrade(headers),
            _ => false,
        }
    }

    /// Answers a request for sockets. Its [`ClientAddress`] stands beside it.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body + Send,
        B::Data: Send,
    {
        match request.uri().path() {
            "/socket.io" | "/socket.io/" => self.0.socketio.handle(request).await,
            "/ws/lobby" => self.lobby(request),
            _ => self.websocket(request),
        }
    }

    /// Refuses new sockets and closes those that are there, spread over so long, so that clients do not come back all at
    /// once.
    pub async fn drain(&self, over: Duration) {
        self.0.closing.store(true, Ordering::Release);
        let open: Vec<Arc<Outbound>> = self.0.open.lock().values().cloned().collect();
        let pause = over / u32::try_from(open.len().max(1)).unwrap_or(u32::MAX);
        let websockets = async {
            for outbound in open {
                outbound.close(Reason::Draining);
                tokio::time::sleep(pause).await;
            }
        };
        tokio::join!(self.0.socketio.drain(over), websockets);
    }

    fn websocket<B>(&self, mut request: Request<B>) -> Response<Body> {
        let client = match self.admit(&request) {
            Ok(client) => client,
            Err(refused) => return *refused,
        };
        let (arrival, protocol) = shown(request.uri(), request.headers());
        let accepted = match websocket::accept(&mut request) {
            Ok(accepted) => accepted,
            Err(error) => return refusal(error.status(), "NOT_AN_UPGRADE", &error.to_string()),
        };
        let (hub, admission) = (self.0.hub.clone(), Arc::clone(&self.0.admission));
        let end = WebSocketEnd { hub, admission, client };
        let (number, outbound) = self.opened();
        let doors = self.clone();
        tokio::spawn(async move {
            end.serve(accepted.upgrade, outbound, arrival).await;
            doors.0.open.lock().remove(&number);
        });
        let mut response = accepted.response.map(|()| Body::default());
        if protocol {
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
        }
        response
    }

    fn lobby<B>(&self, mut request: Request<B>) -> Response<Body> {
        if !self.0.hub.settings().guests {
            return refusal(StatusCode::FORBIDDEN, "GUESTS_NOT_ALLOWED", "Guests are not let in here.");
        }
        if let Err(refused) = self.admit(&request) {
            return *refused;
        }
        let accepted = match websocket::accept(&mut request) {
            Ok(accepted) => accepted,
            Err(error) => return refusal(error.status(), "NOT_AN_UPGRADE", &error.to_string()),
        };
        let (number, outbound) = self.opened();
        let doors = self.clone();
        tokio::spawn(async move {
            doors.0.hub.serve_guest(accepted.upgrade, outbound).await;
            doors.0.open.lock().remove(&number);
        });
        accepted.response.map(|()| Body::default())
    }

    fn opened(&self) -> (u64, Arc<Outbound>) {
        let number = self.0.numbers.fetch_add(1, Ordering::Relaxed);
        let outbound = Outbound::new(self.0.hub.settings().outbound);
        self.0.open.lock().insert(number, Arc::clone(&outbound));
        (number, outbound)
    }

    fn admit<B>(&self, request: &Request<B>) -> Result<IpAddr, Box<Response<Body>>> {
        let address = request.extensions().get::<ClientAddress>();
        let client = address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.0);
        if !self.0.admission.allows_origin(request.headers(), request.uri()) {
            let refused =
                refusal(StatusCode::FORBIDDEN, "ORIGIN_NOT_ALLOWED", "This origin may not connect.");
            return Err(Box::new(refused));
        }
        if let Some(seconds) = self.0.admission.is_blocked(client) {
            let mut refused =
                refusal(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", "Too many bad handshakes.");
            refused.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            return Err(Box::new(refused));
        }
        let full = self.0.open.lock().len() >= self.0.hub.settings().sockets;
        if full || self.0.closing.load(Ordering::Acquire) {
            let mut refused =
                refusal(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", "No sockets now; try again.");
            refused.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            return Err(Box::new(refused));
        }
        Ok(client)
    }
}

/// What a client shows in its handshake, and whether it offers our subprotocol.
fn shown(uri: &Uri, headers: &HeaderMap) -> (Arrival, bool) {
    let query = uri.query().unwrap_or_default();
    let parameter = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
        percent_decode_str(value).decode_utf8().ok().map(std::borrow::Cow::into_owned)
    };
    let offered: Vec<&str> = offered_protocols(headers).collect();
    let by_protocol = offered.iter().find_map(|offered| offered.strip_prefix(BEARER)).map(str::to_owned);
    let arrival = Arrival {
        token: parameter("token").or(by_protocol),
        session: parameter("session"),
        offset: parameter("offset"),
    };
    (arrival, offered.contains(&PROTOCOL))
}

fn refusal(status: StatusCode, code: &'static str, message: &str) -> Response<Body> {
    let fault = Fault::new(code, message.to_owned());
    let body = serde_json::to_vec(&fault).unwrap_or_default();
    let mut response = Response::new(Body::from(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_in_the_query_or_beside_the_protocol() {
        let none = HeaderMap::new();
        let uri = Uri::from_static("/ws?x=1&token=a%2Bb&offset=e-7&session=s");
        let (arrival, protocol) = shown(&uri, &none);
        assert_eq!(arrival.token.as_deref(), Some("a+b"));
        assert_eq!((arrival.session.as_deref(), arrival.offset.as_deref()), (Some("s"), Some("e-7")));
        assert!(!protocol);
        let offered = [(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("stoa, bearer.abc"))];
        let (arrival, protocol) = shown(&Uri::from_static("/ws"), &offered.into_iter().collect());
        assert_eq!((arrival.token.as_deref(), protocol), (Some("abc"), true));
    }
}
