//! The cookie that holds a browser's refresh token. Scripts never see it, other sites never send it, and it
//! goes only where sessions are renewed or ended.

use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use swarm_model::Timestamp;
use swarm_proto::API_PREFIX;

use super::Auth;
use super::names::host_of;

impl Auth {
    /// Ports share cookies: two coordinators on one machine must not overwrite each other's.
    fn cookie_name(&self) -> String {
        format!("garageswarm_refresh_{}", self.instance.public_name())
    }

    /// The refresh token that a request brings.
    pub(crate) fn refresh_token(&self, headers: &HeaderMap) -> Option<String> {
        CookieJar::from_headers(headers).get(&self.cookie_name()).map(|cookie| cookie.value().to_owned())
    }

    /// The header that keeps a refresh token in the browser until `expires_at`.
    pub(crate) fn keep_refresh_token(
        &self,
        token: String,
        expires_at: Timestamp,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> HeaderMap {
        let life = expires_at.since(self.clock.now()).as_secs();
        self.set_cookie(token, i64::try_from(life).unwrap_or(i64::MAX), uri, headers)
    }

    /// The header that removes it.
    pub(crate) fn drop_refresh_token(&self, uri: &Uri, headers: &HeaderMap) -> HeaderMap {
        self.set_cookie(String::new(), 0, uri, headers)
    }

    fn set_cookie(&self, value: String, seconds: i64, uri: &Uri, headers: &HeaderMap) -> HeaderMap {
        let host = host_of(uri, headers).unwrap_or_default();
        let mut cookie = Cookie::new(self.cookie_name(), value);
        cookie.set_path(format!("{API_PREFIX}/auth"));
        cookie.set_http_only(true);
        cookie.set_same_site(SameSite::Strict);
        cookie.set_secure(self.names.wants_secure_cookies(host));
        let life = format!("{cookie}; Max-Age={seconds}");
        // The parts of the cookie are ours and plain ASCII.
        HeaderValue::from_str(&life)
            .map(|value| HeaderMap::from_iter([(header::SET_COOKIE, value)]))
            .unwrap_or_default()
    }
}
