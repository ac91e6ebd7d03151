//! What may be set, with the defaults.

use std::{fmt, time::Duration};

use http::{HeaderValue, StatusCode};

use super::Transport;
use crate::{Reason, websocket::OutboundLimits};

/// Times and limits of an Engine.IO server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Between a pong and the next ping. Default 25 s.
    pub ping_interval: Duration,
    /// How long a pong may take. Default 20 s.
    pub ping_timeout: Duration,
    /// Bytes of a message, and of the body of a POST. Default 64 KiB.
    pub max_payload: usize,
    /// How long an upgrade to a WebSocket may take. Default 10 s.
    pub upgrade_timeout: Duration,
    /// How long a session may last without [`Link::settle`](super::Link::settle). Default: for ever.
    pub settle_within: Option<Duration>,
    /// Sessions at once; a handshake above gets 503. Default 100,000.
    pub max_sessions: usize,
    /// What a client may be owed.
    pub outbound: OutboundLimits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload: 64 * 1024,
            upgrade_timeout: Duration::from_secs(10),
            settle_within: None,
            max_sessions: 100_000,
            outbound: OutboundLimits::default(),
        }
    }
}

/// Something that happened, for metrics and logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Observation {
    /// A session began.
    Opened {
        /// On which transport.
        transport: Transport,
    },
    /// A session moved from long polling to a WebSocket.
    Upgraded,
    /// A session ended.
    Ended {
        /// On which transport.
        transport: Transport,
        /// And why.
        reason: Reason,
    },
    /// A request was refused.
    Refused {
        /// What it was answered.
        status: StatusCode,
    },
}

type Origin = Box<dyn Fn(Option<&HeaderValue>) -> bool + Send + Sync>;
type Observe = Box<dyn Fn(&Observation) + Send + Sync>;
type Random = Box<dyn Fn(&mut [u8]) -> bool + Send + Sync>;

/// What the application decides or wants to know of.
pub struct Hooks {
    /// Whether requests from this `Origin` are served; asked for each request. Default: all are.
    pub origin: Origin,
    /// Told what happens. It must be quick. Default: nobody.
    pub observe: Observe,
    /// Fills bytes nobody can guess, or says that it cannot. Default: the operating system's randomness.
    pub random: Random,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            origin: Box::new(|_| true),
            observe: Box::new(|_| {}),
            random: Box::new(|bytes| getrandom::fill(bytes).is_ok()),
        }
    }
}

impl Hooks {
    /// `bytes` random bytes in base64, safe in URLs.
    pub(crate) fn random_id<const BYTES: usize>(&self) -> Option<String> {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let mut bytes = [0; BYTES];
        (self.random)(&mut bytes).then(|| URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hooks")
    }
}
