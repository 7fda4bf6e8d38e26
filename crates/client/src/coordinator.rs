//! A coordinator to which nobody has proved anything yet.

use reqwest::Method;
use swarm_proto::auth::{ExchangeLink, Login, Register, Session, User};
#[cfg(not(target_arch = "wasm32"))]
use swarm_proto::workers::{RegisterWorker, RegisteredWorker};

#[cfg(not(target_arch = "wasm32"))]
use crate::WorkerClient;
use crate::http::Http;
use crate::{Address, Client, ClientError};

/// A coordinator at an address. Making one sends nothing.
#[derive(Debug, Clone)]
pub struct Coordinator {
    http: Http,
}

impl Coordinator {
    /// The coordinator at `address`.
    pub fn at(address: Address) -> Result<Self, ClientError> {
        Ok(Self { http: Http::new(address)? })
    }

    /// The coordinator at `address` that has this certificate, or one that it signed: everything else there is
    /// refused before anything is sent.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn pinned(address: Address, pin: swarm_proto::Fingerprint) -> Result<Self, ClientError> {
        Ok(Self { http: Http::pinned(address, pin)? })
    }

    /// The coordinator at `address`, by its pin where it has one.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn trusted(address: Address, pin: Option<swarm_proto::Fingerprint>) -> Result<Self, ClientError> {
        match pin {
            Some(pin) => Self::pinned(address, pin),
            None => Self::at(address),
        }
    }

    /// The certificate that it must have; none where the usual authorities vouch for it.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn pin(&self) -> Option<swarm_proto::Fingerprint> {
        self.http.pin
    }

    /// Whether a coordinator answers there, and is the one that is trusted. No credential goes along.
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn knock(&self) -> Result<(), ClientError> {
        self.http.knock().await
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.http.address
    }

    /// Signs in with name and password. The answer to a command line says how long its token lives.
    pub async fn login(&self, login: &Login) -> Result<(Client, Session), ClientError> {
        let request = self.http.request(Method::POST, &[&"auth", &"login"]).json(login);
        self.open_session(request).await
    }

    /// Signs in with the token of a sign-in link, which works once.
    pub async fn exchange_link(&self, link: &ExchangeLink) -> Result<(Client, Session), ClientError> {
        let request = self.http.request(Method::POST, &[&"auth", &"link"]).json(link);
        self.open_session(request).await
    }

    /// Goes on with the session that the browser's cookie holds.
    #[cfg(target_arch = "wasm32")]
    pub async fn refresh(&self) -> Result<(Client, Session), ClientError> {
        let request = self.http.request(Method::POST, &[&"auth", &"refresh"]);
        self.open_session(request).await
    }

    /// Makes a person, by an invitation or by the set-up token. Signing in is the next step.
    pub async fn register(&self, register: &Register) -> Result<User, ClientError> {
        self.http.json(self.http.request(Method::POST, &[&"auth", &"register"]).json(register)).await
    }

    /// Enrols this machine with a worker key. Keep the credential: it is shown once.
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn enrol(
        &self,
        key: &str,
        worker: &RegisterWorker,
    ) -> Result<(WorkerClient, RegisteredWorker), ClientError> {
        let request = self.http.request(Method::POST, &[&"workers", &"register"]).bearer_auth(key).json(worker);
        let registered: RegisteredWorker = self.http.json(request).await?;
        Ok((self.worker(registered.worker_id, &registered.credential), registered))
    }

    /// Acts as the person whom `token` stands for: a command line's credential, an access token, an `api` key.
    pub fn signed_in(&self, token: impl Into<String>) -> Client {
        Client::new(self.http.clone(), token.into())
    }

    /// Acts as the worker that got `credential` when it enrolled.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn worker(&self, worker_id: swarm_model::WorkerId, credential: &str) -> WorkerClient {
        WorkerClient::new(self.http.clone(), worker_id, credential.to_owned())
    }

    async fn open_session(&self, request: reqwest::RequestBuilder) -> Result<(Client, Session), ClientError> {
        let session: Session = self.http.json(request).await?;
        Ok((self.signed_in(session.access_token.clone()), session))
    }
}
