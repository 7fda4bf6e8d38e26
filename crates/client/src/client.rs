//! A person's view of the coordinator: everything that needs a signed-in person or an `api` key.
//!
//! Clones share one token. In a browser an access token that has run out is renewed once by the session's
//! cookie and the call is sent again; natively tokens live long and are replaced by signing in.

mod account;
mod keys;
mod people;
mod swarm;
pub(crate) mod tasks;
mod workers;

use std::fmt::{self, Display};
use std::sync::{Arc, PoisonError, RwLock};

use reqwest::{Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use swarm_model::UserId;

use crate::http::Http;
use crate::socket::{self, Entry};
use crate::{Address, ClientError, ViewerSocket};

/// A signed-in person.
#[derive(Clone)]
pub struct Client {
    http: Http,
    token: Arc<RwLock<String>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.http.address).finish_non_exhaustive()
    }
}

impl Client {
    pub(crate) fn new(http: Http, token: String) -> Self {
        Self { http, token: Arc::new(RwLock::new(token)) }
    }

    /// Where the coordinator is.
    pub fn address(&self) -> &Address {
        &self.http.address
    }

    /// The certificate that the coordinator must have; none where the usual authorities vouch for it.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn pin(&self) -> Option<swarm_proto::Fingerprint> {
        self.http.pin
    }

    /// Opens the socket on which events and logs come. Natively the token goes along as a header, in a browser
    /// a one-use ticket goes along in the address.
    pub async fn watch(&self, user_id: UserId) -> Result<ViewerSocket, ClientError> {
        #[cfg(not(target_arch = "wasm32"))]
        let entry = Entry::Bearer(self.token());
        #[cfg(target_arch = "wasm32")]
        let entry = Entry::Ticket(self.ticket().await?.ticket);
        socket::open(&self.http, &[&"ws", &"client", &user_id], entry).await
    }

    fn token(&self) -> String {
        self.token.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn get(&self, parts: &[&(dyn Display + Sync)]) -> RequestBuilder {
        self.http.request(Method::GET, parts)
    }

    fn post(&self, parts: &[&(dyn Display + Sync)]) -> RequestBuilder {
        self.http.request(Method::POST, parts)
    }

    fn put(&self, parts: &[&(dyn Display + Sync)]) -> RequestBuilder {
        self.http.request(Method::PUT, parts)
    }

    fn delete(&self, parts: &[&(dyn Display + Sync)]) -> RequestBuilder {
        self.http.request(Method::DELETE, parts)
    }

    #[cfg(not(target_arch = "wasm32"))]
    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        self.http.json(request.bearer_auth(self.token())).await
    }

    #[cfg(not(target_arch = "wasm32"))]
    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        self.http.send(request.bearer_auth(self.token())).await
    }

    #[cfg(target_arch = "wasm32")]
    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let again = request.try_clone();
        match (self.http.json(request.bearer_auth(self.token())).await, again) {
            (Err(error), Some(again)) if error.is_unauthenticated() => {
                self.renew().await?;
                self.http.json(again.bearer_auth(self.token())).await
            }
            (answer, _) => answer,
        }
    }

    #[cfg(target_arch = "wasm32")]
    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let again = request.try_clone();
        match (self.http.send(request.bearer_auth(self.token())).await, again) {
            (Err(error), Some(again)) if error.is_unauthenticated() => {
                self.renew().await?;
                self.http.send(again.bearer_auth(self.token())).await
            }
            (answer, _) => answer,
        }
    }

    /// Takes a new access token by the session's cookie.
    #[cfg(target_arch = "wasm32")]
    async fn renew(&self) -> Result<(), ClientError> {
        let session: swarm_proto::auth::Session = self.http.json(self.post(&[&"auth", &"refresh"])).await?;
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = session.access_token;
        Ok(())
    }

    /// Sends it; nothing in the answer matters but that it is a success.
    async fn done(&self, request: RequestBuilder) -> Result<(), ClientError> {
        self.send(request).await.map(drop)
    }
}
