//! By which names this coordinator may be addressed, and which pages may talk to it.
//!
//! Listening on loopback is no protection against a page whose name is made to point there (DNS rebinding): such
//! a request carries the foreign name as its `Host`. So every request names us by a name that we know, and a
//! page that sends one says an origin that we know.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use swarm_proto::ErrorCode;

use crate::config::Listening;
use crate::error::ApiError;
use crate::machine;
use crate::state::AppState;

/// The names by which the coordinator is known.
#[derive(Debug, Clone)]
pub(crate) struct KnownNames {
    listen: SocketAddr,
    tls: Option<TlsNames>,
    hosts: Vec<KnownHost>,
    origins: Vec<String>,
    is_https: bool,
    insecure_http: bool,
}

/// By which names the TLS listener is known besides any bare address.
#[derive(Debug, Clone)]
struct TlsNames {
    port: u16,
    names: Vec<String>,
}

#[derive(Debug, Clone)]
struct KnownHost {
    name: String,
    port: KnownPort,
}

#[derive(Debug, Clone, Copy)]
enum KnownPort {
    Any,
    /// This port; `or_none` where it is the one that an address leaves out.
    Only {
        port: u16,
        or_none: bool,
    },
}

impl KnownNames {
    pub(crate) fn new(config: &Listening) -> Self {
        let mut hosts: Vec<_> = config.allowed_hosts.iter().filter_map(|host| allowed_host(host)).collect();
        let public: Option<Uri> = config.public_url.as_deref().and_then(|url| url.parse().ok());
        let is_https = public.as_ref().is_some_and(|uri| uri.scheme_str() == Some("https"));
        if let Some(authority) = public.as_ref().and_then(Uri::authority) {
            let usual = if is_https { 443 } else { 80 };
            let port = authority.port_u16().unwrap_or(usual);
            hosts.push(KnownHost {
                name: lower_name(authority),
                port: KnownPort::Only { port, or_none: port == usual },
            });
        }
        let origins =
            config.allowed_origins.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect();
        let tls = config.tls_listen.map(|listen| TlsNames { port: listen.port(), names: machine::host_names() });
        Self { listen: config.listen, tls, hosts, origins, is_https, insecure_http: config.insecure_http }
    }

    /// Whether `host` (a name, perhaps with a port) is one of ours.
    fn knows_host(&self, host: &str) -> bool {
        plain_authority(host).is_some_and(|authority| self.knows(&lower_name(&authority), authority.port_u16()))
    }

    /// Whether `origin` (scheme, name and port) is one of ours or allowed.
    fn knows_origin(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        if self.origins.contains(&origin) {
            return true;
        }
        // An origin without a port has the usual one of its scheme.
        let (usual, host) = match origin.split_once("://") {
            Some(("http", host)) => (80, host),
            Some(("https", host)) => (443, host),
            _ => return false,
        };
        let Some(authority) = plain_authority(host) else { return false };
        let (name, port) = (lower_name(&authority), authority.port_u16().or(Some(usual)));
        // A page that came in plain is not one of the TLS listener's.
        let is_ours = usual == 443 || !self.is_tls(port);
        is_ours && self.knows(&name, port)
    }

    fn knows(&self, name: &str, port: Option<u16>) -> bool {
        if self.hosts.iter().any(|known| known.name == name && known.port.fits(port)) {
            return true;
        }
        if let Some(tls) = self.tls.as_ref().filter(|_| self.is_tls(port)) {
            // No page can rebind a bare address, and none gets our certificate for another name.
            return name == "localhost"
                || name.parse::<IpAddr>().is_ok()
                || tls.names.iter().any(|known| known == name);
        }
        if port.unwrap_or(80) != self.listen.port() {
            return false;
        }
        if name == "localhost" {
            return true;
        }
        let Ok(ip) = name.parse::<IpAddr>() else { return false };
        let listen = self.listen.ip();
        // Where we listen on every address, any address will do: a page cannot rebind a bare address.
        ip.is_loopback() || ip == listen || listen.is_unspecified()
    }

    /// Whether it is the port of the TLS listener.
    fn is_tls(&self, port: Option<u16>) -> bool {
        self.tls.as_ref().is_some_and(|tls| port.unwrap_or(443) == tls.port)
    }

    /// Whether cookies for a request to `host` may travel over TLS only.
    pub(crate) fn wants_secure_cookies(&self, host: &str) -> bool {
        let authority = host.parse::<Authority>();
        if authority.as_ref().is_ok_and(|authority| self.is_tls(authority.port_u16())) {
            return true;
        }
        let name = authority.map(|authority| lower_name(&authority)).unwrap_or_default();
        let is_loopback = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        // Who allows plain HTTP beyond this machine could not stay signed in with a cookie that needs TLS.
        !is_loopback && (self.is_https || !self.insecure_http)
    }

    pub(crate) fn allowed_origins(&self) -> &[String] {
        &self.origins
    }
}

impl KnownPort {
    fn fits(self, asked: Option<u16>) -> bool {
        match (self, asked) {
            (Self::Any, _) => true,
            (Self::Only { port, .. }, Some(asked)) => port == asked,
            (Self::Only { or_none, .. }, None) => or_none,
        }
    }
}

fn allowed_host(host: &str) -> Option<KnownHost> {
    let authority: Authority = host.parse().ok()?;
    let port = authority.port_u16().map_or(KnownPort::Any, |port| KnownPort::Only { port, or_none: false });
    Some(KnownHost { name: lower_name(&authority), port })
}

/// A name, perhaps with a port, and nothing that only looks like them: it is also written into a policy.
fn plain_authority(text: &str) -> Option<Authority> {
    let authority: Authority = text.parse().ok()?;
    let port = text.strip_prefix(authority.host())?;
    let is_plain = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    is_plain.then_some(authority)
}

/// The name in small letters, an IPv6 address without its brackets.
fn lower_name(authority: &Authority) -> String {
    authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase()
}

/// The name by which a request addresses us: `Host`, or what HTTP/2 has in its place.
pub(crate) fn host_of<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(HOST).and_then(|host| host.to_str().ok()),
    }
}

/// Refuses requests that come by a foreign name or from a foreign page.
pub(crate) async fn refuse_foreign(State(state): State<AppState>, request: Request, next: Next) -> Response {
    // A probe knows the coordinator by whatever address its orchestrator gave it, and learns nothing.
    if matches!(request.uri().path(), "/health" | "/ready") {
        return next.run(request).await;
    }
    match check(state.auth.names(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn check(names: &KnownNames, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    let host = host_of(uri, headers).unwrap_or_default();
    if !names.knows_host(host) {
        let host: String = host.chars().take(100).collect();
        return Err(ApiError::new(
            ErrorCode::ForeignOrigin,
            format!(
                "This coordinator is not known as \"{host}\". If it should be, add the name to server.allowed_hosts."
            ),
        ));
    }
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    if names.knows_origin(origin) {
        return Ok(());
    }
    let origin: String = origin.chars().take(100).collect();
    Err(ApiError::new(
        ErrorCode::ForeignOrigin,
        format!(
            "Pages of \"{origin}\" may not talk to this coordinator. If they should, add it to server.allowed_origins."
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(change: impl FnOnce(&mut Listening)) -> KnownNames {
        let mut config = Listening::default();
        change(&mut config);
        KnownNames::new(&config)
    }

    #[test]
    fn loopback_is_known_with_its_port_only() {
        let names = names(|_| {});
        for known in ["localhost:8420", "127.0.0.1:8420", "127.3.2.1:8420", "[::1]:8420", "LOCALHOST:8420"] {
            assert!(names.knows_host(known), "{known}");
        }
        let foreign = [
            "",
            "localhost",
            "127.0.0.1:8421",
            "evil.example:8420",
            "192.168.1.4:8420",
            "localhost.evil.example:8420",
            "a@localhost:8420",
            "localhost:8420@evil.example",
        ];
        for foreign in foreign {
            assert!(!names.knows_host(foreign), "{foreign}");
        }
    }

    #[test]
    fn a_bare_address_is_known_where_we_listen_on_all() {
        let names = names(|config| config.listen = ([0, 0, 0, 0], 8420).into());
        assert!(names.knows_host("192.168.1.4:8420"));
        assert!(!names.knows_host("rebound.example:8420"));
        assert!(!names.knows_host("192.168.1.4:80"));
    }

    #[test]
    fn the_tls_listener_is_known_by_any_address_and_by_this_machines_names() {
        let names = names(|config| config.tls_listen = Some(([0, 0, 0, 0], 8421).into()));
        for known in ["192.168.1.4:8421", "[2001:db8::4]:8421", "localhost:8421", "127.0.0.1:8421"] {
            assert!(names.knows_host(known), "{known}");
            assert!(names.knows_origin(&format!("https://{known}")), "{known}");
            assert!(!names.knows_origin(&format!("http://{known}")), "{known}");
            assert!(names.wants_secure_cookies(known), "{known}");
        }
        for name in machine::host_names() {
            assert!(names.knows_host(&format!("{name}:8421")), "{name}");
            assert!(!names.knows_host(&format!("{name}:8420")), "{name}");
        }
        for foreign in ["rebound.example:8421", "192.168.1.4:8420", "192.168.1.4", "evil.local:8421"] {
            assert!(!names.knows_host(foreign), "{foreign}");
        }
        assert!(names.knows_host("localhost:8420") && !names.wants_secure_cookies("localhost:8420"));
    }

    #[test]
    fn the_public_name_is_known() {
        let names = names(|config| config.public_url = Some("https://Swarm.example.org".to_owned()));
        assert!(names.knows_host("swarm.example.org"));
        assert!(names.knows_host("swarm.example.org:443"));
        assert!(!names.knows_host("swarm.example.org:8443"));
        assert!(names.knows_origin("https://swarm.example.org"));
        assert!(names.wants_secure_cookies("swarm.example.org"));
        assert!(!names.wants_secure_cookies("localhost:8420"));
    }

    #[test]
    fn configured_names_are_known() {
        let names = names(|config| {
            config.allowed_hosts = vec!["attic.lan".to_owned(), "cellar.lan:9000".to_owned()];
            config.allowed_origins = vec!["https://tools.example".to_owned()];
        });
        assert!(names.knows_host("attic.lan:1"));
        assert!(names.knows_host("cellar.lan:9000"));
        assert!(!names.knows_host("cellar.lan"));
        for odd in ["attic.lan:x", "attic.lan:", "attic.lan:1;x", "attic.lan:99999", "a@attic.lan"] {
            assert!(!names.knows_host(odd), "{odd}");
        }
        assert!(names.knows_origin("https://tools.example"));
        assert!(!names.knows_origin("http://tools.example"));
    }

    #[test]
    fn pages_of_other_origins_are_foreign() {
        let names = names(|_| {});
        assert!(names.knows_origin("http://localhost:8420"));
        for foreign in [
            "null",
            "",
            "http://localhost",
            "https://localhost",
            "http://localhost:3000",
            "https://evil.example",
            "file://localhost:8420",
        ] {
            assert!(!names.knows_origin(foreign), "{foreign}");
        }
    }

    #[test]
    fn who_allows_plain_http_stays_signed_in_over_it() {
        let names = names(|config| {
            config.listen = ([0, 0, 0, 0], 8420).into();
            config.insecure_http = true;
        });
        assert!(!names.wants_secure_cookies("192.168.1.4:8420"));
    }
}
