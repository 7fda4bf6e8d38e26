//! A WebSocket of typed frames: JSON texts one way and the other.
//!
//! A frame that cannot be read is an error and not skipped; types that a side does not know are its own
//! `Unknown`. Reading is safe to cancel, sending is not.

#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(not(target_arch = "wasm32"))]
mod native;

#[cfg(target_arch = "wasm32")]
use browser as transport;
#[cfg(not(target_arch = "wasm32"))]
use native as transport;

use std::fmt::{self, Display};
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use swarm_proto::client::{FromViewer, ToViewer};
use swarm_proto::worker::{ToCoordinator, ToWorker};

use crate::http::Http;
use crate::{Address, ClientError};

/// The socket of a worker.
pub type WorkerSocket = Socket<ToCoordinator, ToWorker>;
/// The socket of somebody who watches.
pub type ViewerSocket = Socket<FromViewer, ToViewer>;

/// A socket on which frames `Out` go and frames `In` come.
#[derive(Debug)]
pub struct Socket<Out, In> {
    sender: SocketSender<Out>,
    receiver: SocketReceiver<In>,
}

/// The half that sends.
pub struct SocketSender<Out> {
    address: Address,
    sink: transport::Sink,
    frames: PhantomData<fn(Out)>,
}

/// The half that receives.
pub struct SocketReceiver<In> {
    address: Address,
    stream: transport::Stream,
    frames: PhantomData<fn() -> In>,
}

/// How the opener proves who it is.
pub(crate) enum Entry {
    #[cfg(not(target_arch = "wasm32"))]
    Bearer(String),
    #[cfg(target_arch = "wasm32")]
    Ticket(String),
}

/// Opens a socket at an endpoint.
pub(crate) async fn open<Out, In>(
    http: &Http,
    parts: &[&(dyn Display + Sync)],
    entry: Entry,
) -> Result<Socket<Out, In>, ClientError> {
    let address = &http.address;
    let (sink, stream) = transport::open(http, address.socket(parts), entry).await?;
    Ok(Socket {
        sender: SocketSender { address: address.clone(), sink, frames: PhantomData },
        receiver: SocketReceiver { address: address.clone(), stream, frames: PhantomData },
    })
}

impl<Out: Serialize, In: DeserializeOwned> Socket<Out, In> {
    /// Sends a frame and waits until it is on its way.
    pub async fn send(&mut self, frame: &Out) -> Result<(), ClientError> {
        self.sender.send(frame).await
    }

    /// The next frame. An end of the socket is [`ClientError::Closed`].
    pub async fn next(&mut self) -> Result<In, ClientError> {
        self.receiver.next().await
    }

    /// The two halves, to be used side by side.
    pub fn split(self) -> (SocketSender<Out>, SocketReceiver<In>) {
        (self.sender, self.receiver)
    }
}

impl<Out: Serialize> SocketSender<Out> {
    /// Sends a frame and waits until it is on its way.
    pub async fn send(&mut self, frame: &Out) -> Result<(), ClientError> {
        let text = serde_json::to_string(frame).map_err(|error| ClientError::Unsendable(error.into()))?;
        transport::send(&mut self.sink, text, &self.address).await
    }

    /// Says goodbye. The receiver then sees the end.
    pub async fn close(mut self) -> Result<(), ClientError> {
        transport::close(&mut self.sink, &self.address).await
    }
}

impl<In: DeserializeOwned> SocketReceiver<In> {
    /// The next frame. An end of the socket is [`ClientError::Closed`].
    pub async fn next(&mut self) -> Result<In, ClientError> {
        let text = transport::receive(&mut self.stream, &self.address).await?;
        serde_json::from_str(&text).map_err(|source| ClientError::Unreadable { address: self.address.clone(), source })
    }
}

impl<Out> fmt::Debug for SocketSender<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketSender").field("address", &self.address).finish_non_exhaustive()
    }
}

impl<In> fmt::Debug for SocketReceiver<In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketReceiver").field("address", &self.address).finish_non_exhaustive()
    }
}
