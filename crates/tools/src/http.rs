//! HTTP clients for conversations.

use std::time::Duration;

/// A client without a limit on the whole answer: silence is watched by the run.
pub(crate) fn client(url: &url::Url) -> Result<reqwest::Client, reqwest::Error> {
    // Somebody else in this process may have chosen already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = reqwest::Client::builder().connect_timeout(Duration::from_secs(10));
    // A proxy for the world cannot reach a server on this machine.
    let builder = if is_loopback(url) { builder.no_proxy() } else { builder };
    builder.build()
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
