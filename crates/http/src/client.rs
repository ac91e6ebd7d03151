//! Which machine a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The client's address: the peer, or what a trusted proxy says of it.
///
/// `X-Forwarded-For` is read from the right and the first address that is no trusted proxy counts: everything left of
/// it could have been made up by the client.
pub fn client_address(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let peer = peer.ip().to_canonical();
    if trusted.is_empty() || !is_trusted(&peer) {
        return peer;
    }
    let forwarded = headers.get_all("x-forwarded-for").into_iter().filter_map(|value| value.to_str().ok());
    let chain: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
    let mut nearest = peer;
    for hop in chain.iter().rev() {
        let Ok(address) = hop.parse::<IpAddr>() else { return nearest };
        nearest = address.to_canonical();
        if !is_trusted(&nearest) {
            return nearest;
        }
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        client_address(SocketAddr::new(peer.parse().unwrap(), 1), &headers, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed_and_only_as_far_as_they_saw() {
        assert_eq!(seen("203.0.113.9", "1.2.3.4"), "203.0.113.9");
        assert_eq!(seen("10.0.0.1", "1.2.3.4"), "1.2.3.4");
        assert_eq!(seen("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.7"), "1.2.3.4");
        assert_eq!(seen("10.0.0.1", "nonsense"), "10.0.0.1");
        assert_eq!(seen("::ffff:10.0.0.1", "1.2.3.4"), "1.2.3.4");
    }
}
