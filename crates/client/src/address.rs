//! Where a coordinator is: an `http` or `https` address, as people write it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use swarm_proto::API_PREFIX;
use url::{Host, Url};

/// The address of a coordinator. Its path, where it has one, is a prefix of every request.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address(Url);

/// A text that is not the address of a coordinator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not the address of a coordinator: write it like http://127.0.0.1:8420")]
pub struct ParseAddressError {
    text: String,
    #[source]
    source: Option<url::ParseError>,
}

impl Address {
    /// Whether it is this machine: nothing leaves it, so no proxy stands between.
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// Whether it is spoken to over TLS.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The name or number of the machine.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The address of an endpoint of the REST interface. Each part is escaped.
    pub(crate) fn endpoint(&self, parts: &[&(dyn fmt::Display + Sync)]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(API_PREFIX.split('/').filter(|part| !part.is_empty()));
            path.extend(parts.iter().map(ToString::to_string));
        }
        url
    }

    /// The address of a WebSocket.
    pub(crate) fn socket(&self, parts: &[&(dyn fmt::Display + Sync)]) -> Url {
        let mut url = self.endpoint(parts);
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        // Both pairs of schemes are "special" ones, between which a change is always possible.
        url.set_scheme(scheme).unwrap_or_default();
        url
    }
}

impl FromStr for Address {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |source| ParseAddressError { text: text.chars().take(200).collect(), source };
        let trimmed = text.trim();
        let mut url = if trimmed.contains("://") {
            Url::parse(trimmed).map_err(|error| refused(Some(error)))?
        } else {
            // Without a scheme: plain HTTP on this machine, TLS everywhere else.
            let plain = Url::parse(&format!("http://{trimmed}")).map_err(|error| refused(Some(error)))?;
            if Self(plain.clone()).is_loopback() {
                plain
            } else {
                Url::parse(&format!("https://{trimmed}")).map_err(|error| refused(Some(error)))?
            }
        };
        let has_login = !url.username().is_empty() || url.password().is_some();
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || has_login {
            return Err(refused(None));
        }
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self(url))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        text.parse::<Address>().unwrap().to_string()
    }

    #[test]
    fn people_may_leave_out_the_scheme() {
        assert_eq!(read("127.0.0.1:8420"), "http://127.0.0.1:8420");
        assert_eq!(read("localhost:8420/"), "http://localhost:8420");
        assert_eq!(read("[::1]:8420"), "http://[::1]:8420");
        assert_eq!(read("swarm.example.org"), "https://swarm.example.org");
        assert_eq!(read(" http://10.0.0.2:8420/#x "), "http://10.0.0.2:8420");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "ftp://x", "http://", "http://user:pw@host", "mailto://x y"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn endpoints_stand_behind_the_prefix_and_are_escaped() {
        let behind_proxy: Address = "https://example.org/swarm/".parse().unwrap();
        assert_eq!(behind_proxy.endpoint(&[&"tasks", &7]).as_str(), "https://example.org/swarm/api/v1/tasks/7");
        assert_eq!(behind_proxy.socket(&[&"ws", &"a/b"]).as_str(), "wss://example.org/swarm/api/v1/ws/a%2Fb");
    }
}
