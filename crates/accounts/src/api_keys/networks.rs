//! The networks an API key may be used from.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use stoa_kernel::Flaw;

/// How many bits of an IPv6 address come before the IPv4 address that is written in it.
const MAPPED_BITS: u8 = 96;

/// A network, or one address as the network that holds nothing else.
pub(super) fn parse(text: &str) -> Result<IpNet, Flaw> {
    let flaw = Flaw::new("INVALID_NETWORK", "Give an address or a network such as 203.0.113.0/24.");
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map(|network| plain(network.trunc())).map_err(|_| flaw)
}

/// Clients have their IPv4 address also when it comes written as an IPv6 one, so networks must too.
fn plain(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else { return network };
    let inner = mapped.addr().to_ipv4_mapped();
    let length = mapped.prefix_len().checked_sub(MAPPED_BITS);
    match inner.zip(length).map(|(address, length)| Ipv4Net::new(address, length)) {
        Some(Ok(inner)) => IpNet::V4(inner),
        _ => network,
    }
}

/// Whether a client may use a key of these networks; none at all means every one.
pub(super) fn admit(networks: &[IpNet], client: IpAddr) -> bool {
    networks.is_empty() || networks.iter().any(|network| network.contains(&client))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(network: &str, client: &str) -> bool {
        admit(&[parse(network).unwrap()], client.parse().unwrap())
    }

    #[test]
    fn a_network_admits_what_lies_in_it() {
        assert!(admits("203.0.113.0/24", "203.0.113.255") && !admits("203.0.113.0/24", "203.0.114.0"));
        assert!(admits("203.0.113.7", "203.0.113.7") && !admits("203.0.113.7", "203.0.113.8"));
        assert!(admits("2001:db8::/32", "2001:db8:1::1") && !admits("2001:db8::/32", "203.0.113.7"));
        assert!(admits("0.0.0.0/0", "203.0.113.7") && !admits("0.0.0.0/0", "::1"));
        assert!(admits("::ffff:10.0.0.0/104", "10.9.9.9") && !admits("::ffff:10.0.0.0/104", "11.0.0.0"));
        assert!(admit(&[], "203.0.113.7".parse().unwrap()));
    }

    #[test]
    fn a_network_is_written_one_way() {
        assert_eq!(parse("10.1.2.3/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(parse("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert_eq!(parse("::ffff:10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        for bad in ["", "10.0.0.0/33", "10.0.0", "example.com", "10.0.0.0/8 "] {
            assert_eq!(parse(bad).unwrap_err().code, "INVALID_NETWORK", "{bad}");
        }
    }
}
