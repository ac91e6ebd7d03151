//! What may be set, with the defaults.

use std::time::Duration;

use http::HeaderValue;
use stoa_platform::limits::Policy;
use stoa_socketio::websocket::OutboundLimits;

/// Times and limits of sockets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RealtimeSettings {
    /// For how long a client that was away is given what it missed. Default 24 h.
    pub recovery_window: Duration,
    /// More missed events than this, and a client is not recovered. Default 5,000.
    pub recovery_events: u32,
    /// Things that one socket may be subscribed to. Default 500.
    pub subscriptions: usize,
    /// Events that one socket may send in a second. Default 1,000.
    pub events_per_second: u32,
    /// Sockets at once, of all kinds together. Default 100,000.
    pub sockets: usize,
    /// What a client may be owed before it is cut off. Default 1,024 frames, 1 MiB, 15 s without progress.
    pub outbound: OutboundLimits,
    /// Bytes of one message of a client. Default 64 KiB.
    pub max_payload: usize,
    /// Between two heartbeats. Default 25 s.
    pub ping_interval: Duration,
    /// How long the answer to a heartbeat may take. Default 20 s.
    pub ping_timeout: Duration,
    /// Within which a socket must sign in. Default 10 s.
    pub sign_in_within: Duration,
    /// For how long somebody who lost their last socket still counts as online. Default 5 s.
    pub presence_grace: Duration,
    /// After which typing that is not repeated is over. Default 5 s.
    pub typing_lasts: Duration,
    /// How often a node tells the others that it is there. Default 5 s.
    pub beat: Duration,
    /// For how long a node that says nothing is taken for alive. Default 15 s.
    pub lease: Duration,
    /// How often it is looked whose login session has run out. Default 30 s.
    pub look_after_logins: Duration,
    /// How often one address may fail to sign in.
    pub bad_handshakes: Policy,
    /// Whether there is the guests' lobby. Default no.
    pub guests: bool,
    /// Web pages of which other origins may connect; those of this server's own may.
    pub origins: Vec<HeaderValue>,
    /// This server's own origin, where that differs from what `Host` says.
    pub own_origin: Option<String>,
}

impl Default for RealtimeSettings {
    fn default() -> Self {
        Self {
            recovery_window: Duration::from_hours(24),
            recovery_events: 5_000,
            subscriptions: 500,
            events_per_second: 1_000,
            sockets: 100_000,
            outbound: OutboundLimits { frames: 1_024, ..OutboundLimits::default() },
            max_payload: 64 * 1024,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            sign_in_within: Duration::from_secs(10),
            presence_grace: Duration::from_secs(5),
            typing_lasts: Duration::from_secs(5),
            beat: Duration::from_secs(5),
            lease: Duration::from_secs(15),
            look_after_logins: Duration::from_secs(30),
            bad_handshakes: Policy { name: "sockets", max: 20, window: Duration::from_mins(1) },
            guests: false,
            origins: Vec::new(),
            own_origin: None,
        }
    }
}
