//! The line that adds a machine.

/// The line to run on the other machine.
pub fn line(origin: &str, key: &str) -> String {
    format!("garageswarm worker run --coordinator {origin} --key {key}")
}

/// Whether an origin (`http://host:port`) is reached from its own machine only.
pub fn is_loopback(origin: &str) -> bool {
    let host = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split([':', '/']).next().unwrap_or(host),
    };
    host == "localhost" || host.ends_with(".localhost") || host == "::1" || is_127(host)
}

fn is_127(host: &str) -> bool {
    host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// The line that makes a loopback address reach over SSH, to be run on the other machine.
pub fn tunnel(origin: &str) -> Option<String> {
    let port = origin.rsplit_once(':')?.1.trim_end_matches('/').parse::<u16>().ok()?;
    is_loopback(origin).then(|| format!("ssh -N -L {port}:127.0.0.1:{port} USER@THIS-MACHINE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_however_it_is_written() {
        for origin in ["http://127.0.0.1:8420", "http://localhost:8420", "http://[::1]:8420", "https://x.localhost"] {
            assert!(is_loopback(origin), "{origin}");
        }
        for origin in
            ["http://10.0.0.2:8420", "https://attic-nas.local", "http://127.evil.example", "http://[fe80::1]:8420"]
        {
            assert!(!is_loopback(origin), "{origin}");
        }
    }

    #[test]
    fn the_lines_hold_the_address() {
        assert_eq!(line("http://h:1", "gsw_k"), "garageswarm worker run --coordinator http://h:1 --key gsw_k");
        assert_eq!(tunnel("http://127.0.0.1:8420").as_deref(), Some("ssh -N -L 8420:127.0.0.1:8420 USER@THIS-MACHINE"));
        assert_eq!(tunnel("http://10.0.0.2:8420"), None);
    }
}
