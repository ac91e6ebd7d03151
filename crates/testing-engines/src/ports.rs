//! Free ports for the servers.

use std::net::{Ipv4Addr, TcpListener};

use crate::failure::{Failure, Result};

pub(crate) const FIRST: u16 = 20_000;
pub(crate) const LAST: u16 = 29_999;

/// Walks the ports that nobody listens on.
///
/// They lie below the range from which the system gives ports to outgoing connections (32768 on Linux): between looking
/// at a port and the server's bind, the tests of another runner may open thousands of those.
pub(crate) struct Ports {
    next: u16,
}

impl Ports {
    /// Begins at a place that depends on the process, so that runners side by side seldom meet.
    pub(crate) fn new() -> Self {
        let places = u32::from(LAST - FIRST) + 1;
        let place = std::process::id().wrapping_mul(37) % places;
        Self { next: FIRST + u16::try_from(place).unwrap_or_default() }
    }

    /// The next port that can be bound on 127.0.0.1. Somebody may still be quicker, so starting a server is retried.
    pub(crate) fn take(&mut self) -> Result<u16> {
        for _ in FIRST..=LAST {
            let port = self.next;
            self.next = if port == LAST { FIRST } else { port + 1 };
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(port);
            }
        }
        Err(Failure::NoPort)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_passed_over() {
        let taken = Ports::new().take().unwrap();
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, taken)).unwrap();
        let mut ports = Ports { next: taken };
        assert_ne!(ports.take().unwrap(), taken);
    }

    #[test]
    fn after_the_last_port_comes_the_first() {
        let mut ports = Ports { next: LAST };
        for _ in 0..2 {
            let port = ports.take().unwrap();
            assert!((FIRST..=LAST).contains(&port));
        }
    }
}
