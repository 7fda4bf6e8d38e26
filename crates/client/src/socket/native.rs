//! Sockets over tungstenite. Pings are answered below us, while the receiver is read.

use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Response, header};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};
use url::Url;

use super::Entry;
use crate::http::{Http, distrust, problem, untrusted};
use crate::{Address, ClientError};

pub(crate) type Sink = SplitSink<WebSocketStream<MaybeTlsStream<TcpStream>>, Message>;
pub(crate) type Stream = SplitStream<WebSocketStream<MaybeTlsStream<TcpStream>>>;
pub(crate) type Text = Utf8Bytes;

/// How long opening may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The code of an end without a goodbye (RFC 6455).
const BROKEN_OFF: u16 = 1006;

pub(crate) async fn open(http: &Http, url: Url, Entry::Bearer(token): Entry) -> Result<(Sink, Stream), ClientError> {
    let address = &http.address;
    let mut request = url.as_str().into_client_request().map_err(|error| ClientError::Unsendable(error.into()))?;
    let mut bearer =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|error| ClientError::Unsendable(error.into()))?;
    bearer.set_sensitive(true);
    request.headers_mut().insert(header::AUTHORIZATION, bearer);

    let connector = (url.scheme() == "wss").then(|| Connector::Rustls(http.tls.clone()));
    let opening = tokio_tungstenite::connect_async_tls_with_config(request, None, true, connector);
    match tokio::time::timeout(PATIENCE, opening).await {
        Err(_) => Err(ClientError::Timeout { address: address.clone() }),
        Ok(Ok((socket, _))) => Ok(socket.split()),
        Ok(Err(Error::Http(response))) => Err(refusal(address, &response)),
        Ok(Err(error)) => Err(unopened(address, error)),
    }
}

pub(crate) async fn send(sink: &mut Sink, text: String, address: &Address) -> Result<(), ClientError> {
    sink.send(Message::text(text)).await.map_err(|error| broken(address, error))
}

pub(crate) async fn close(sink: &mut Sink, address: &Address) -> Result<(), ClientError> {
    sink.close().await.map_err(|error| broken(address, error))
}

pub(crate) async fn receive(stream: &mut Stream, address: &Address) -> Result<Text, ClientError> {
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text),
            Some(Ok(Message::Close(frame))) => {
                let (code, reason) = frame.map_or((1005, String::new()), |f| (f.code.into(), f.reason.to_string()));
                return Err(ClientError::Closed { address: address.clone(), code, reason });
            }
            Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Err(error)) => return Err(broken(address, error)),
            None => {
                return Err(ClientError::Closed { address: address.clone(), code: BROKEN_OFF, reason: String::new() });
            }
        }
    }
}

fn broken(address: &Address, error: Error) -> ClientError {
    let address = address.clone();
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => {
            ClientError::Closed { address, code: BROKEN_OFF, reason: String::new() }
        }
        error => ClientError::Broken { address, source: error.into() },
    }
}

fn unopened(address: &Address, error: Error) -> ClientError {
    let address = address.clone();
    match error {
        Error::Io(error) => match distrust(&error) {
            Some(reason) => untrusted(address, reason),
            None => ClientError::Unreachable { address, source: error.into() },
        },
        Error::Tls(error) => match distrust(&error) {
            Some(reason) => untrusted(address, reason),
            None => ClientError::Untrusted { address, source: error.into() },
        },
        error => ClientError::NotACoordinator { address, found: error.to_string() },
    }
}

fn refusal(address: &Address, response: &Response<Option<Vec<u8>>>) -> ClientError {
    let status = response.status().as_u16();
    match response.body().as_deref().and_then(|body| problem(status, body)) {
        Some(problem) => ClientError::Api(Box::new(problem)),
        None if matches!(status, 502..=504) => ClientError::BadGateway { address: address.clone(), status },
        None => ClientError::NotACoordinator { address: address.clone(), found: status.to_string() },
    }
}
