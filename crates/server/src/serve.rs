//! The accept loop: HTTP/1.1 and HTTP/2 on one port, plain or over TLS, bounded in time and size, and ended gracefully.

use std::{io, net::SocketAddr, time::Duration};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Method, Response},
};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
};
use stoa_http::{Edge, HttpSettings, Verbatim};
use stoa_realtime::Doors;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::server::TlsStream;
use tower::{Layer, Service, util::MapResponseLayer};
use tower_http::{
    compression::{CompressionLayer, Predicate, predicate::SizeAbove},
    cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders},
};

use crate::{acme::CHALLENGE_PROTOCOL, tls::Tls, ways::Ways};

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a client may take to agree on a TLS connection.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// For how long, in milliseconds, what was sent may remain without a sign that it arrived (RFC 5482).
const UNTAKEN_FOR: u32 = 30_000;
/// The largest head of a request.
const HEAD_BYTES: u16 = 32 * 1024;
/// Smaller answers are not worth compressing.
const COMPRESS_FROM: u64 = 1_024;

/// Answers that leave as they are, files and parts of them, are not compressed.
#[derive(Clone, Copy)]
struct NotVerbatim;

impl Predicate for NotVerbatim {
    fn should_compress<B: hyper::body::Body>(&self, response: &Response<B>) -> bool {
        response.extensions().get::<Verbatim>().is_none()
    }
}

/// A listener at work.
pub struct Listening {
    address: SocketAddr,
    stop: watch::Sender<Option<Duration>>,
    task: JoinHandle<()>,
}

impl Listening {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts nothing new and waits for running requests, at most so long.
    pub async fn drain(self, at_most: Duration) {
        self.stop.send_replace(Some(at_most));
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the accept loop ended badly");
        }
    }
}

/// Serves the edge, and sockets at their doors, on a listener until drained.
pub(crate) fn listen(
    listener: TcpListener,
    tls: Option<Tls>,
    (edge, doors): (Edge, Doors),
    settings: &HttpSettings,
) -> io::Result<Listening> {
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(None);
    let compressed =
        CompressionLayer::new().compress_when(SizeAbove::new(COMPRESS_FROM).and(NotVerbatim)).layer(edge);
    let ways = Ways::new(doors, settings, compressed);
    // Who allows no foreign origin pays nothing for the possibility.
    let task = if settings.cors_origins.is_empty() {
        tokio::spawn(accept(listener, tls, ways, stopped))
    } else {
        // CORS answers by itself with an empty body, which must be of a kind that can be.
        let ways = MapResponseLayer::new(|response: Response<_>| response.map(Body::new)).layer(ways);
        tokio::spawn(accept(listener, tls, cors(settings).layer(ways), stopped))
    };
    Ok(Listening { address, stop, task })
}

fn cors(settings: &HttpSettings) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(settings.cors_origins.iter().cloned()))
        .allow_methods(AllowMethods::list([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ]))
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(ExposeHeaders::list(
            ["etag", "location", "retry-after", "x-request-id", "api-version", "x-cache", "ratelimit"]
                .map(axum::http::HeaderName::from_static),
        ))
        .allow_credentials(true)
        .max_age(Duration::from_mins(10))
}

async fn accept<S, B>(
    listener: TcpListener,
    tls: Option<Tls>,
    service: S,
    mut stopped: watch::Receiver<Option<Duration>>,
) where
    S: Service<axum::extract::Request, Response = axum::http::Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + Sync,
    B: hyper::body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connections = GracefulShutdown::new();
    let builder = connection_builder();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    rest_after(&error).await;
                    continue;
                }
            },
            _ = stopped.changed() => break,
        };
        prepare(&stream);
        let service = service.clone();
        // Boxed here, because the connection moves its future about, and ours is large.
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let mut service = service.clone();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            Box::pin(async move { service.call(request).await })
        });
        let (builder, watcher) = (builder.clone(), connections.watcher());
        match tls.clone() {
            None => drop(tokio::spawn(serve(stream, service, builder, watcher))),
            Some(tls) => drop(tokio::spawn(async move {
                if let Some(stream) = agree(&tls, stream).await {
                    serve(stream, service, builder, watcher).await;
                }
            })),
        }
    }
    drop(listener);
    let at_most = stopped.borrow().unwrap_or_default();
    if tokio::time::timeout(at_most, connections.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut");
    }
}

/// Agrees on TLS with a client; `None` when it cannot be agreed with.
async fn agree(tls: &Tls, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.acceptor().accept(stream)).await {
        // With the handshake a challenge is answered, and nothing else is said.
        Ok(Ok(stream)) => {
            Some(stream).filter(|stream| stream.get_ref().1.alpn_protocol() != Some(CHALLENGE_PROTOCOL))
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "a client did not agree on TLS");
            None
        }
        Err(_) => None,
    }
}

async fn serve<I, S, B>(stream: I, service: S, builder: Builder<TokioExecutor>, watcher: Watcher)
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: hyper::service::Service<hyper::Request<Incoming>, Response = hyper::Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: hyper::body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn connection_builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES.into());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .max_header_list_size(HEAD_BYTES.into())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

/// Answers are small and wanted at once, and a peer that takes nothing for long is given up, whoever owns the stream by
/// then.
fn prepare(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY cannot be set");
    }
    if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(stream, UNTAKEN_FOR) {
        tracing::debug!(%error, "TCP_USER_TIMEOUT cannot be set");
    }
}

/// Out of file descriptors, say: give running requests a moment to free some.
async fn rest_after(error: &io::Error) {
    tracing::warn!(%error, "accepting a connection failed");
    tokio::time::sleep(Duration::from_millis(50)).await;
}
