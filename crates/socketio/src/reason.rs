//! Why a connection ended.

use std::fmt;

/// Why a connection, or a socket on it, ended: what `disconnected` and the observer are told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The client left the namespace (a DISCONNECT packet).
    ClientDisconnected,
    /// The client closed the connection properly.
    ClientClosed,
    /// The stream broke, or a polling request was given up.
    ConnectionLost,
    /// No pong came in time.
    PingTimeout,
    /// No namespace was joined in time.
    ConnectTimeout,
    /// The client broke a rule of a protocol.
    Violation(Violation),
    /// More was queued for the client than its queue holds: it reads too slowly.
    QueueFull,
    /// What was queued for the client did not leave in time: it reads nothing, or next to nothing.
    Stalled,
    /// The client sent more events a second than it may.
    TooManyEvents,
    /// The application sent the socket away (a DISCONNECT packet).
    ServerDisconnected,
    /// The server is going away.
    Draining,
    /// A handler of the application panicked.
    HandlerFailed,
    /// The application closed the connection, for a reason of its own.
    Application(&'static str),
    /// The application closed the connection, because the client may not have it: it is not signed in (any more), or
    /// goes on with what is refused.
    Forbidden(&'static str),
}

impl Reason {
    /// A word for metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientDisconnected => "client_disconnected",
            Self::ClientClosed => "client_closed",
            Self::ConnectionLost => "connection_lost",
            Self::PingTimeout => "ping_timeout",
            Self::ConnectTimeout => "connect_timeout",
            Self::Violation(violation) => violation.name(),
            Self::QueueFull => "queue_full",
            Self::Stalled => "stalled",
            Self::TooManyEvents => "too_many_events",
            Self::ServerDisconnected => "server_disconnected",
            Self::Draining => "draining",
            Self::HandlerFailed => "handler_failed",
            Self::Application(word) | Self::Forbidden(word) => word,
        }
    }

    /// The status of the close frame (RFC 6455, 7.4.1).
    pub(crate) fn close_code(self) -> u16 {
        match self {
            Self::Draining => 1001,
            Self::Violation(violation) => violation.close_code(),
            Self::TooManyEvents | Self::Forbidden(_) => 1008,
            Self::HandlerFailed => 1011,
            _ => 1000,
        }
    }

    /// Whether the server decided it for reasons of its own, so that what is queued should still be read.
    pub(crate) fn is_ours(self) -> bool {
        matches!(
            self,
            Self::TooManyEvents
                | Self::ServerDisconnected
                | Self::Draining
                | Self::Application(_)
                | Self::Forbidden(_)
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Which rule of a protocol a client broke.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Violation {
    /// A WebSocket frame without a mask.
    Unmasked,
    /// A WebSocket frame whose opcode, reserved bits, length or order no rule allows.
    BadFrame,
    /// A message in more fragments than any client needs.
    TooManyFragments,
    /// Text that is not UTF-8.
    BadText,
    /// A message, or the body of a request, above the limit.
    TooLarge,
    /// An Engine.IO packet of an unknown type, or one that may not come here.
    BadPacket,
    /// Two polling requests of one kind at once.
    Overlap,
    /// A Socket.IO packet that cannot be parsed.
    BadMessage,
    /// Binary data that no packet announced, or text where announced binary data was due.
    BadAttachment,
    /// More attachments than the limit, in number or bytes.
    TooManyAttachments,
    /// A packet of a namespace that was not joined, or a second CONNECT to one that was.
    BadNamespace,
    /// More namespaces than one connection may join.
    TooManyNamespaces,
}

impl Violation {
    /// A word for metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unmasked => "unmasked",
            Self::BadFrame => "bad_frame",
            Self::TooManyFragments => "too_many_fragments",
            Self::BadText => "bad_text",
            Self::TooLarge => "too_large",
            Self::BadPacket => "bad_packet",
            Self::Overlap => "overlap",
            Self::BadMessage => "bad_message",
            Self::BadAttachment => "bad_attachment",
            Self::TooManyAttachments => "too_many_attachments",
            Self::BadNamespace => "bad_namespace",
            Self::TooManyNamespaces => "too_many_namespaces",
        }
    }

    fn close_code(self) -> u16 {
        match self {
            Self::Unmasked | Self::BadFrame => 1002,
            Self::BadText => 1007,
            Self::TooLarge => 1009,
            _ => 1008,
        }
    }
}
