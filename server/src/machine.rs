//! Under which names and addresses other machines find this one.

use std::net::{IpAddr, SocketAddr};

use sysinfo::System;

/// How many addresses are told: a picture of a joining link must stay small enough for a camera.
const MAX_TOLD: usize = 4;

/// What this machine calls itself, in small letters; none where that is no name for a network.
pub(crate) fn host_name() -> Option<String> {
    let name = System::host_name().ok()?.to_ascii_lowercase();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let is_name = (1..=253).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with(['-', '.']);
    is_name.then_some(name)
}

/// The host name, and the same in the local network's own zone.
pub(crate) fn host_names() -> Vec<String> {
    let Some(name) = host_name() else { return Vec::new() };
    let label = name.split('.').next().unwrap_or_default().to_owned();
    let mut names = vec![format!("{label}.local"), name, label];
    names.sort();
    names.dedup();
    names
}

/// The addresses by which other machines reach this one, those of a home network first. Addresses that are valid
/// on one link only are left out: they mean nothing without the name of the link.
pub(crate) fn addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the addresses of this machine cannot be read");
        Vec::new()
    });
    let mut addresses: Vec<IpAddr> =
        interfaces.iter().map(if_addrs::Interface::ip).filter(|ip| is_reachable(*ip)).collect();
    addresses.sort_by_key(|ip| (rank(*ip), *ip));
    addresses.dedup();
    addresses
}

/// Where a TLS listener is reached, the likeliest address first.
pub(crate) fn listened(listen: SocketAddr) -> Vec<String> {
    let is_open_to = |ip: &IpAddr| listen.is_ipv6() || ip.is_ipv4();
    let ips = if listen.ip().is_unspecified() {
        addresses().into_iter().filter(is_open_to).take(MAX_TOLD).collect()
    } else {
        vec![listen.ip()]
    };
    ips.into_iter().map(|ip| format!("https://{}", SocketAddr::new(ip, listen.port()))).collect()
}

fn is_reachable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local() && !v6.is_unspecified(),
    }
}

fn rank(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(v4) if v4.octets()[..2] == [192, 168] => 0,
        IpAddr::V4(v4) if v4.octets()[0] == 10 => 1,
        // Of these are also the bridges of containers, which nobody else reaches.
        IpAddr::V4(v4) if v4.is_private() => 3,
        IpAddr::V4(_) => 2,
        IpAddr::V6(_) => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_network_comes_first() {
        let mut found: Vec<IpAddr> = ["2001:db8::1", "172.17.0.1", "203.0.113.5", "10.0.0.2", "192.168.1.5"]
            .map(|text| text.parse().unwrap())
            .to_vec();
        found.sort_by_key(|ip| rank(*ip));
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.168.1.5", "10.0.0.2", "203.0.113.5", "172.17.0.1", "2001:db8::1"]);
    }

    #[test]
    fn what_only_this_machine_reaches_is_left_out() {
        for ip in ["127.0.0.1", "::1", "169.254.1.1", "fe80::1", "0.0.0.0"] {
            assert!(!is_reachable(ip.parse().unwrap()), "{ip}");
        }
        assert!(addresses().iter().all(|ip| is_reachable(*ip)));
    }
}
