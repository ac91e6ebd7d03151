//! Which way a request takes: what is for sockets goes to their doors, all else to the edge.

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    extract::{ConnectInfo, Request},
    http::Response,
};
use http_body_util::Either;
use stoa_http::HttpSettings;
use stoa_realtime::{ClientAddress, Doors};
use tower::Service;

/// The body of a socket's handshake or poll, or of anything else.
type Body<B> = Either<stoa_realtime::Body, B>;

/// Sockets beside everything else.
#[derive(Clone)]
pub(crate) struct Ways<S> {
    doors: Doors,
    settings: Arc<HttpSettings>,
    rest: S,
}

impl<S> Ways<S> {
    pub(crate) fn new(doors: Doors, settings: &HttpSettings, rest: S) -> Self {
        Self { doors, settings: Arc::new(settings.clone()), rest }
    }
}

impl<S, B> Service<Request> for Ways<S>
where
    S: Service<Request, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.rest.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        if self.doors.serve(request.method(), request.uri(), request.headers()) {
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
            let peer = peer.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));
            let client = stoa_http::client_address(peer, request.headers(), &self.settings.trusted_proxies);
            request.extensions_mut().insert(ClientAddress(client));
            let doors = self.doors.clone();
            return Box::pin(async move { Ok(doors.handle(request).await.map(Either::Left)) });
        }
        let answering = self.rest.call(request);
        Box::pin(async move { Ok(answering.await?.map(Either::Right)) })
    }
}
