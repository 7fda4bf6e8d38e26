//! How many connections may be open, in all and for each address.
//!
//! A connection has its place until its socket is closed, also as a WebSocket. This machine and the proxies that
//! are trusted are not counted: behind them are many.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::network;
use crate::config::Limits;

/// The places for connections.
#[derive(Debug)]
pub(super) struct Slots {
    total: usize,
    per_address: usize,
    uncounted: Vec<IpAddr>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
    n_refused: u64,
}

impl Slots {
    pub(super) fn new(limits: &Limits, uncounted: Vec<IpAddr>) -> Self {
        Self {
            total: limits.connections,
            per_address: limits.connections_per_address,
            uncounted,
            open: Mutex::default(),
        }
    }

    /// A place for a connection from there; none where they are all taken.
    pub(super) fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Slot> {
        let peer = peer.to_canonical();
        if peer.is_loopback() || self.uncounted.contains(&peer) {
            return Some(Slot(None));
        }
        let address = network(peer);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let n_there = open.by_address.get(&address).copied().unwrap_or(0);
        if open.total >= self.total || n_there >= self.per_address {
            open.n_refused += 1;
            // A flood must not become a flood of lines.
            if open.n_refused.is_power_of_two() {
                tracing::warn!(
                    %peer,
                    open = open.total,
                    of_this_address = n_there,
                    refused = open.n_refused,
                    "a connection was refused: see limits.connections and limits.connections_per_address"
                );
            }
            return None;
        }
        open.total += 1;
        *open.by_address.entry(address).or_default() += 1;
        Some(Slot(Some((Arc::clone(self), address))))
    }

    fn give_back(&self, address: IpAddr) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total = open.total.saturating_sub(1);
        if let Some(n_there) = open.by_address.get_mut(&address) {
            *n_there -= 1;
            if *n_there == 0 {
                open.by_address.remove(&address);
            }
        }
    }
}

/// The place of one connection.
#[derive(Debug)]
pub(super) struct Slot(Option<(Arc<Slots>, IpAddr)>);

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some((slots, address)) = self.0.take() {
            slots.give_back(address);
        }
    }
}

/// A connection with its place.
#[derive(Debug)]
pub(super) struct Counted {
    stream: TcpStream,
    _slot: Slot,
}

impl Counted {
    pub(super) fn new(stream: TcpStream, slot: Slot) -> Self {
        Self { stream, _slot: slot }
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn slots(connections: usize, connections_per_address: usize) -> Arc<Slots> {
        let limits = Limits { connections, connections_per_address, ..Limits::default() };
        Arc::new(Slots::new(&limits, vec![ip("10.0.0.9")]))
    }

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let slots = slots(3, 2);
        let (one, _two) = (slots.take(ip("192.0.2.1")).unwrap(), slots.take(ip("::ffff:192.0.2.1")).unwrap());
        assert!(slots.take(ip("192.0.2.1")).is_none());
        let _third = slots.take(ip("2001:db8::1")).unwrap();
        assert!(slots.take(ip("192.0.2.3")).is_none(), "three are open");
        drop(one);
        let _again = slots.take(ip("192.0.2.1")).unwrap();
        assert!(slots.take(ip("2001:db8::2")).is_none());
    }

    #[test]
    fn this_machine_and_trusted_proxies_are_not_counted() {
        let slots = slots(1, 1);
        let _taken = slots.take(ip("192.0.2.1")).unwrap();
        let held: Vec<_> = (0..9).map(|_| (slots.take(ip("127.0.0.1")), slots.take(ip("10.0.0.9")))).collect();
        assert!(held.iter().all(|(here, proxy)| here.is_some() && proxy.is_some()));
        assert_eq!(slots.open.lock().unwrap().total, 1);
    }
}
