//! Which hosts a run may reach: names, and patterns for what lies below a name.
//!
//! A name that somebody wrote down may be anywhere but on this machine; what only a pattern admits must be on the
//! public network, because whoever holds the pattern's domain decides what its names point to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The hosts that a run may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allowed {
    hosts: Vec<String>,
}

/// How a host is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admitted {
    /// By its own name, which is an address of this machine.
    AsLoopback,
    /// By its own name.
    ByName,
    /// By a pattern.
    ByPattern,
}

impl Allowed {
    pub(super) fn new(hosts: &[String]) -> Self {
        Self { hosts: hosts.iter().map(|host| normal(host)).filter(|host| !host.is_empty()).collect() }
    }

    /// Whether and how a host is admitted.
    pub(super) fn admits(&self, host: &str) -> Option<Admitted> {
        let host = normal(host);
        if self.hosts.contains(&host) {
            let is_loopback = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
            return Some(if is_loopback { Admitted::AsLoopback } else { Admitted::ByName });
        }
        // An address is below no name.
        let is_name = host.parse::<IpAddr>().is_err();
        let below = |pattern: &String| {
            let name = pattern.strip_prefix("*.")?;
            host.strip_suffix(name)?.strip_suffix('.').filter(|rest| !rest.is_empty())
        };
        (is_name && self.hosts.iter().any(|pattern| below(pattern).is_some())).then_some(Admitted::ByPattern)
    }
}

impl Admitted {
    /// Whether a host that is admitted so may be at an address.
    pub(super) fn may_be_at(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            Self::AsLoopback => address.is_loopback(),
            Self::ByName => !address.is_loopback() && !address.is_unspecified() && !address.is_multicast(),
            Self::ByPattern => is_public(address),
        }
    }
}

fn normal(host: &str) -> String {
    let host = host.trim().trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    host.to_ascii_lowercase()
}

/// Whether an address is on the public network.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    // Shared by a provider's customers, of protocols, for measurements, and never given to anybody.
    let is_special = a == 0 || a == 100 && (64..128).contains(&b) || a == 192 && b == 0 && c == 0;
    let is_special = is_special || a == 198 && (18..20).contains(&b) || a >= 240;
    !(is_special
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let inner = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match segments {
        // Both carry an address of IPv4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => is_public_v4(inner(high, low)),
        // What is given out lies in one block.
        [first, second, ..] => first & 0xe000 == 0x2000 && !(first == 0x2001 && (second == 0xdb8 || second < 0x200)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hosts: &[&str], host: &str) -> Option<Admitted> {
        let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
        Allowed::new(&hosts).admits(host)
    }

    #[test]
    fn names_and_patterns_admit_what_they_say() {
        let by = |host| check(&["Example.org", "*.pkg.dev", "10.0.0.7", "localhost"], host);
        assert_eq!(by("example.org"), Some(Admitted::ByName));
        assert_eq!(by("EXAMPLE.org."), Some(Admitted::ByName));
        assert_eq!(by("www.example.org"), None);
        assert_eq!(by("a.b.pkg.dev"), Some(Admitted::ByPattern));
        for host in ["pkg.dev", ".pkg.dev", "evilpkg.dev", "pkg.dev.evil", "example.org.evil", ""] {
            assert_eq!(by(host), None, "{host}");
        }
        assert_eq!(by("10.0.0.7"), Some(Admitted::ByName));
        assert_eq!(by("10.0.0.8"), None);
        assert_eq!(by("localhost"), Some(Admitted::AsLoopback));
        assert_eq!(check(&["[::1]"], "::1"), Some(Admitted::AsLoopback));
        assert_eq!(check(&["*.0.0.1"], "127.0.0.1"), None);
        assert_eq!(check(&[""], ""), None);
    }

    #[test]
    fn a_name_leads_to_this_machine_only_if_it_is_this_machines() {
        let at = |admitted: Admitted, address: &str| admitted.may_be_at(address.parse().unwrap());
        for address in ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(at(Admitted::AsLoopback, address), "{address}");
            assert!(!at(Admitted::ByName, address) && !at(Admitted::ByPattern, address), "{address}");
        }
        for address in ["10.1.2.3", "192.168.0.1", "172.20.0.1", "169.254.169.254", "100.100.0.1", "fd00::1", "fe80::1"]
        {
            assert!(at(Admitted::ByName, address) && !at(Admitted::ByPattern, address), "{address}");
        }
        for address in ["0.0.0.0", "224.0.0.1", "::"] {
            assert!(!at(Admitted::ByName, address) && !at(Admitted::ByPattern, address), "{address}");
        }
        for address in ["::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "2001:db8::1", "240.0.0.1", "198.18.0.1"] {
            assert!(!at(Admitted::ByPattern, address), "{address}");
        }
        for address in ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822", "100.128.0.1"] {
            assert!(at(Admitted::ByPattern, address), "{address}");
        }
    }
}
