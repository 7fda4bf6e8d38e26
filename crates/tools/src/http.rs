//! HTTP as conversations need it: clients, addresses, and the words of what went wrong.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Client;
use rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept: less than servers usually do.
const KEPT_FOR: Duration = Duration::from_secs(20);

/// A client without a limit on the whole answer: silence is watched by the run.
///
/// It follows no redirect: a key belongs to one address, and the header that carries it may be one that nobody else
/// knows for a secret. It keeps no connection, so that closing one is the end of a conversation and of nothing else.
/// Made once, because reading the system's authorities takes longer than a whole short answer.
pub(crate) fn client(url: &Url) -> Result<Client, reqwest::Error> {
    static HERE: OnceLock<Client> = OnceLock::new();
    static WORLD: OnceLock<Client> = OnceLock::new();
    made_once(url, [&HERE, &WORLD], None)
}

/// The same for a proxy, whose tools ask many times: it keeps connections for as long as a tool would.
pub(crate) fn kept_client(url: &Url) -> Result<Client, reqwest::Error> {
    static HERE: OnceLock<Client> = OnceLock::new();
    static WORLD: OnceLock<Client> = OnceLock::new();
    made_once(url, [&HERE, &WORLD], Some(KEPT_FOR))
}

fn made_once(
    url: &Url,
    [here, world]: [&'static OnceLock<Client>; 2],
    kept_for: Option<Duration>,
) -> Result<Client, reqwest::Error> {
    let is_here = is_loopback(url);
    let made = if is_here { here } else { world };
    if let Some(client) = made.get() {
        return Ok(client.clone());
    }
    let client = build(is_here, kept_for, None).or_else(|error| {
        // A slim container has no authorities; those that we bring are better than none.
        build(is_here, kept_for, Some(bundled_authorities().ok_or(error)?))
    })?;
    Ok(made.get_or_init(|| client).clone())
}

fn build(is_here: bool, kept_for: Option<Duration>, tls: Option<ClientConfig>) -> Result<Client, reqwest::Error> {
    // Somebody else in this process may have chosen already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = Client::builder().connect_timeout(CONNECT_TIMEOUT).redirect(reqwest::redirect::Policy::none());
    let builder = match kept_for {
        Some(span) => builder.pool_idle_timeout(span),
        None => builder.pool_max_idle_per_host(0),
    };
    // A proxy for the world cannot reach a server on this machine.
    let builder = if is_here { builder.no_proxy() } else { builder };
    match tls {
        Some(tls) => builder.tls_backend_preconfigured(tls).build(),
        None => builder.build(),
    }
}

fn bundled_authorities() -> Option<ClientConfig> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    let versions = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    Some(versions.with_safe_default_protocol_versions().ok()?.with_root_certificates(roots).with_no_client_auth())
}

/// Whether the address is on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// An address of HTTP.
pub(crate) fn address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// The address with a path behind its own; its query, if it has one, is kept.
pub(crate) fn endpoint(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

/// The same below a version, which some people write into the address and some do not.
pub(crate) fn versioned(base: &Url, version: &str, path: &str) -> Url {
    let has_version = base.path().trim_end_matches('/').ends_with(version);
    endpoint(base, &if has_version { path.to_owned() } else { format!("{version}{path}") })
}

/// The address as people may see it: without a name, a password or a query.
pub(crate) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}{}", url.scheme(), url.path().trim_end_matches('/'))
}

/// The beginning of a body. What comes behind `max` bytes, or is lost with the connection, is left out.
pub(crate) async fn beginning(response: reqwest::Response, max: usize) -> Vec<u8> {
    let mut body = response.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(Ok(chunk)) = body.next().await {
        bytes.extend_from_slice(&chunk[..chunk.len().min(max - bytes.len())]);
        if bytes.len() >= max {
            break;
        }
    }
    bytes
}

/// The innermost cause, which is the one that helps. It names no address, which may hold a password.
pub(crate) fn broken(error: &reqwest::Error) -> String {
    let Some(mut cause) = std::error::Error::source(error) else { return kind(error).to_owned() };
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn kind(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "it takes too long"
    } else if error.is_decode() || error.is_body() {
        "the answer cannot be read"
    } else {
        "the request cannot be made"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_address_is_kept() {
        for (base, expected) in [
            ("http://127.0.0.1:11434", "http://127.0.0.1:11434/api/chat"),
            ("https://models.example/ollama/", "https://models.example/ollama/api/chat"),
            ("https://models.example/x?version=3", "https://models.example/x/api/chat?version=3"),
        ] {
            assert_eq!(endpoint(&address(base).unwrap(), "/api/chat").as_str(), expected);
        }
    }

    #[test]
    fn a_version_stands_in_an_address_once() {
        for base in ["https://x.example", "https://x.example/", "https://x.example/v1", "https://x.example/v1/"] {
            let url = versioned(&address(base).unwrap(), "/v1", "/messages");
            assert_eq!(url.as_str(), "https://x.example/v1/messages", "{base}");
        }
    }

    #[test]
    fn a_machine_without_authorities_has_ours() {
        assert!(build(false, None, bundled_authorities()).is_ok());
    }

    #[test]
    fn a_password_in_an_address_is_not_shown() {
        let url = address("https://ann:secret@models.example:8443/x/?key=secret").unwrap();
        assert_eq!(shown(&url), "https://models.example:8443/x");
        assert_eq!(shown(&address("http://[::1]:80/").unwrap()), "http://[::1]");
    }

    #[test]
    fn this_machine_is_known() {
        for here in ["http://localhost:1", "http://127.0.0.9", "http://[::1]:80", "http://vllm.localhost"] {
            assert!(is_loopback(&address(here).unwrap()), "{here}");
        }
        for there in ["http://10.0.0.1", "https://localhost.example", "http://127.0.0.1.example"] {
            assert!(!is_loopback(&address(there).unwrap()), "{there}");
        }
    }
}
