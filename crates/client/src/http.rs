//! Requests and what their answers mean: the only place that looks at a status.
//!
//! A redirect is never followed: a coordinator gives none, and a credential must not travel.

use std::fmt::Display;
#[cfg(not(target_arch = "wasm32"))]
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
#[cfg(not(target_arch = "wasm32"))]
use swarm_proto::Fingerprint;
use swarm_proto::{ErrorCode, Problem};

use crate::{Address, ClientError};

/// How long an answer may take, beyond what the request itself asks to wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The most that is read of an answer that is no success.
const MAX_NAMED: usize = 60;

/// Requests to one coordinator.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    pub(crate) address: Address,
    /// The certificate that it must have.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) pin: Option<Fingerprint>,
    /// How it is trusted.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) tls: Arc<rustls::ClientConfig>,
    inner: reqwest::Client,
}

impl Http {
    pub(crate) fn new(address: Address) -> Result<Self, ClientError> {
        #[cfg(not(target_arch = "wasm32"))]
        let http = Self::with_tls(address, crate::tls::config(), None);
        #[cfg(target_arch = "wasm32")]
        let http = reqwest::Client::builder()
            .build()
            .map(|inner| Self { address, inner })
            .map_err(|error| ClientError::Unsendable(error.into()));
        http
    }

    /// Requests to the coordinator that has this certificate. Plain HTTP has none.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn pinned(address: Address, pin: Fingerprint) -> Result<Self, ClientError> {
        if !address.is_https() {
            return Err(ClientError::PinnedInPlain { address });
        }
        Self::with_tls(address, crate::tls::pinned(pin), Some(pin))
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn trusted(address: Address, pin: Option<Fingerprint>) -> Result<Self, ClientError> {
        match pin {
            Some(pin) => Self::pinned(address, pin),
            None => Self::new(address),
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn with_tls(
        address: Address,
        tls: Arc<rustls::ClientConfig>,
        pin: Option<Fingerprint>,
    ) -> Result<Self, ClientError> {
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured((*tls).clone())
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .tcp_nodelay(true)
            // A coordinator closes idle connections after ten seconds: ours is never the request that meets the end.
            .pool_idle_timeout(Duration::from_secs(5))
            .user_agent(concat!("garageswarm/", env!("CARGO_PKG_VERSION")));
        // A proxy named in the environment knows neither this machine's loopback nor its neighbours.
        let builder = if address.is_loopback() || pin.is_some() { builder.no_proxy() } else { builder };
        let inner = builder.build().map_err(|error| ClientError::Unsendable(error.into()))?;
        Ok(Self { address, pin, tls, inner })
    }

    /// Asks what nobody may know without a credential: being refused shows that a coordinator is there.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) async fn knock(&self) -> Result<(), ClientError> {
        match self.send(self.request(Method::GET, &[&"auth", &"me"])).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_unauthenticated() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A request without a credential.
    pub(crate) fn request(&self, method: Method, parts: &[&(dyn Display + Sync)]) -> RequestBuilder {
        let request = self
            .inner
            .request(method, self.address.endpoint(parts))
            .header(header::ACCEPT, "application/json")
            .timeout(PATIENCE);
        #[cfg(target_arch = "wasm32")]
        let request = request.fetch_credentials_same_origin();
        request
    }

    /// Sends it and reads the body of a success.
    pub(crate) async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let response = self.send(request).await?;
        if header_text(&response, header::CONTENT_TYPE).starts_with("text/html") {
            return Err(self.foreign(&response));
        }
        let body = response.bytes().await.map_err(|error| self.lost(error))?;
        serde_json::from_slice(&body)
            .map_err(|source| ClientError::Unreadable { address: self.address.clone(), source })
    }

    /// Sends it and returns the answer, where that is a success.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|error| self.lost(error))?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    /// What an answer that is no success means.
    async fn refusal(&self, response: Response) -> ClientError {
        let status = response.status();
        let foreign = self.foreign(&response);
        let Ok(body) = response.bytes().await else { return foreign };
        problem(status.as_u16(), &body).map_or_else(
            || match status {
                StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                    ClientError::BadGateway { address: self.address.clone(), status: status.as_u16() }
                }
                _ => foreign,
            },
            |problem| ClientError::Api(Box::new(problem)),
        )
    }

    fn foreign(&self, response: &Response) -> ClientError {
        let mut found = response.status().as_u16().to_string();
        for (word, name) in [("with", header::CONTENT_TYPE), ("to", header::LOCATION)] {
            let text = header_text(response, name);
            if !text.is_empty() {
                found = format!("{found} {word} {}", text.chars().take(MAX_NAMED).collect::<String>());
            }
        }
        ClientError::NotACoordinator { address: self.address.clone(), found }
    }

    /// What a failure below HTTP means.
    pub(crate) fn lost(&self, error: reqwest::Error) -> ClientError {
        let address = self.address.clone();
        // The address is in our own message already, and a query in it may hold what should not be shown.
        let error = error.without_url();
        if error.is_builder() {
            return ClientError::Unsendable(error.into());
        }
        if error.is_timeout() && !never_connected(&error) {
            return ClientError::Timeout { address };
        }
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(reason) = distrust(&error) {
            return untrusted(address, reason);
        }
        if never_connected(&error) {
            ClientError::Unreachable { address, source: error.into() }
        } else {
            ClientError::Broken { address, source: error.into() }
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn never_connected(error: &reqwest::Error) -> bool {
    error.is_connect()
}

/// A browser does not say why a fetch failed.
#[cfg(target_arch = "wasm32")]
fn never_connected(error: &reqwest::Error) -> bool {
    error.is_request()
}

/// What a fault of the certificate means.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn untrusted(address: Address, error: rustls::Error) -> ClientError {
    if crate::pin::is_other_certificate(&error) {
        ClientError::OtherCertificate { address }
    } else {
        ClientError::Untrusted { address, source: Box::new(error) }
    }
}

/// The certificate's fault, where there is one among the causes.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn distrust(error: &(dyn std::error::Error + 'static)) -> Option<rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found.clone());
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = inner.map(|inner| inner as _).or_else(|| error.source());
    }
    None
}

fn header_text(response: &Response, name: header::HeaderName) -> &str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Reads the body of a refusal. A newer coordinator may have codes that this version does not know: the status
/// then says which known one is nearest.
pub(crate) fn problem(status: u16, body: &[u8]) -> Option<Problem> {
    #[derive(Deserialize)]
    struct Newer {
        title: String,
        detail: String,
        #[serde(rename = "code")]
        _code: String,
    }

    if let Ok(problem) = serde_json::from_slice(body) {
        return Some(problem);
    }
    let newer: Newer = serde_json::from_slice(body).ok()?;
    let nearest = ErrorCode::ALL.iter().copied().find(|code| code.status() == status);
    let code = nearest.unwrap_or(if status >= 500 { ErrorCode::Internal } else { ErrorCode::InvalidRequest });
    Some(Problem { title: newer.title, status, ..Problem::new(code, newer.detail) })
}
