//! Sockets of the browser. Opening does not wait: a socket that cannot be opened shows at the first frame.

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use gloo_net::websocket::futures::WebSocket;
use gloo_net::websocket::{Message, WebSocketError};
use url::Url;

use super::Entry;
use crate::http::Http;
use crate::{Address, ClientError};

pub(crate) type Sink = SplitSink<WebSocket, Message>;
pub(crate) type Stream = SplitStream<WebSocket>;
pub(crate) type Text = String;

/// The code of an end without a goodbye (RFC 6455).
const BROKEN_OFF: u16 = 1006;

#[expect(clippy::unused_async, reason = "the native one waits")]
pub(crate) async fn open(
    http: &Http,
    mut url: Url,
    Entry::Ticket(ticket): Entry,
) -> Result<(Sink, Stream), ClientError> {
    url.query_pairs_mut().append_pair("ticket", &ticket);
    let socket = WebSocket::open(url.as_str()).map_err(|error| ClientError::Unreachable {
        address: http.address.clone(),
        source: error.to_string().into(),
    })?;
    Ok(socket.split())
}

pub(crate) async fn send(sink: &mut Sink, text: String, address: &Address) -> Result<(), ClientError> {
    sink.send(Message::Text(text)).await.map_err(|error| broken(address, error))
}

pub(crate) async fn close(sink: &mut Sink, address: &Address) -> Result<(), ClientError> {
    sink.close().await.map_err(|error| broken(address, error))
}

pub(crate) async fn receive(stream: &mut Stream, address: &Address) -> Result<Text, ClientError> {
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text),
            Some(Ok(Message::Bytes(_))) => {}
            Some(Err(error)) => return Err(broken(address, error)),
            None => {
                return Err(ClientError::Closed { address: address.clone(), code: BROKEN_OFF, reason: String::new() });
            }
        }
    }
}

fn broken(address: &Address, error: WebSocketError) -> ClientError {
    let address = address.clone();
    match error {
        WebSocketError::ConnectionClose(event) => {
            ClientError::Closed { address, code: event.code, reason: event.reason }
        }
        error => ClientError::Broken { address, source: error.to_string().into() },
    }
}
