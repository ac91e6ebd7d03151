//! Sessions over a WebSocket, from the start or after an upgrade.

use std::sync::Arc;

use http::{Request, Response};
use tokio::{
    io::{AsyncWriteExt, ReadHalf, WriteHalf},
    time::timeout,
};

use super::{Body, Protocol, handshake::Refusal, session::Session};
use crate::{
    Reason,
    websocket::{self, Frame, Inbound, Message, Outbound, OutboundLimits, Stream, Upgrade},
};

type Reader = Inbound<ReadHalf<Stream>>;
type Writer = WriteHalf<Stream>;

/// Accepts the WebSocket handshake in `request`.
pub(super) fn accept<B>(request: &mut Request<B>) -> Result<(Response<Body>, Upgrade), Refusal> {
    let accepted = websocket::accept(request).map_err(|_| Refusal::bad_request())?;
    Ok((accepted.response.map(|()| Body::default()), accepted.upgrade))
}

/// Carries a new session.
pub(super) async fn carry<P: Protocol>(session: Arc<Session<P>>, upgrade: Upgrade) {
    let Ok((reader, writer)) = upgrade.stream().await else {
        return session.link().cut(Reason::ConnectionLost);
    };
    let outbound = session.link().outbound().clone();
    let reader = Inbound::new(reader, outbound, session.engine().settings.max_payload);
    run(session, reader, writer).await;
}

/// Takes over a session from long polling, if the client completes the upgrade.
pub(super) async fn take_over<P: Protocol>(session: Arc<Session<P>>, upgrade: Upgrade) {
    let mut undo = UndoUpgrade { session: &session, armed: true };
    let settings = &session.engine().settings;
    let Ok((reader, mut writer)) = upgrade.stream().await else { return };
    // The session's own queue belongs to polling until the client has said that it moves.
    let probing = Outbound::new(OutboundLimits::default());
    let mut reader = Inbound::new(reader, probing, settings.max_payload);
    // Boxed: its timer is needed for a moment of the session's life.
    let probed = Box::pin(timeout(settings.upgrade_timeout, probe(&session, &mut reader, &mut writer))).await;
    if probed != Ok(Some(())) || !session.finish_upgrade() {
        return;
    }
    undo.armed = false;
    reader.attach(session.link().outbound().clone());
    drop(undo);
    run(session, reader, writer).await;
}

/// Closes a WebSocket whose session cannot be taken over.
pub(super) async fn turn_away(upgrade: Upgrade) {
    let Ok((reader, writer)) = upgrade.stream().await else { return };
    let outbound = Outbound::new(OutboundLimits::default());
    outbound.close(Reason::ServerDisconnected);
    websocket::write(outbound.clone(), writer).await;
    Inbound::new(reader, outbound, 0).farewell().await;
}

async fn run<P: Protocol>(session: Arc<Session<P>>, mut reader: Reader, writer: Writer) {
    tokio::spawn(websocket::write(session.link().outbound().clone(), writer));
    while let Some(message) = reader.next().await {
        if let Err(reason) = session.receive(message).await {
            session.fail(reason);
        }
    }
    session.ended_by_stream();
    drop(session);
    reader.farewell().await;
}

/// `2probe` is answered `3probe`; `5` completes.
async fn probe<P: Protocol>(session: &Session<P>, reader: &mut Reader, writer: &mut Writer) -> Option<()> {
    expect(reader, "2probe").await?;
    writer.write_all(Frame::text("3probe").wire()).await.ok()?;
    writer.flush().await.ok()?;
    session.probed();
    expect(reader, "5").await
}

async fn expect(reader: &mut Reader, packet: &str) -> Option<()> {
    (reader.next().await? == Message::Text(packet.to_owned())).then_some(())
}

struct UndoUpgrade<'a, P: Protocol> {
    session: &'a Session<P>,
    armed: bool,
}

impl<P: Protocol> Drop for UndoUpgrade<'_, P> {
    fn drop(&mut self) {
        if self.armed {
            self.session.abandon_upgrade();
        }
    }
}
