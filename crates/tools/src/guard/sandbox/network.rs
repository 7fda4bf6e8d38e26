//! The network of a sandbox that is cut off: only its own loopback address, with doors that lead outside.
//!
//! The doors are sockets that listen inside. They are made there and handed to the guard, which accepts on them and
//! speaks to the world: a socket stays in the network in which it was made.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

use super::super::Network;
use super::super::allowed::Allowed;
use super::inside::step;

/// Doors of a sandbox: the proxy's, and two for each port. The tool's own model and a few more need no more.
const MAX_DOORS: usize = 33;

/// Opens the doors: the proxy's first, then those of the ports.
pub(super) fn open_doors(network: &Network) -> io::Result<Vec<TcpListener>> {
    raise_loopback()?;
    let mut doors = vec![TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?];
    for port in &network.ports {
        doors.push(TcpListener::bind((Ipv4Addr::LOCALHOST, *port))?);
        // A machine without IPv6 has no such address.
        doors.extend(TcpListener::bind((Ipv6Addr::LOCALHOST, *port)));
    }
    if doors.len() > MAX_DOORS {
        return Err(io::Error::other("it has too many ports"));
    }
    Ok(doors)
}

/// The variables that tell programs of the proxy; none where the network is the machine's own.
pub(super) fn variables(network: &Network, doors: &[TcpListener]) -> io::Result<Vec<(&'static str, String)>> {
    let proxy = doors.first().ok_or(io::ErrorKind::NotConnected)?.local_addr()?;
    let names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
    let mut variables = names.map(|name| (name, format!("http://{proxy}"))).to_vec();
    // Node's own `fetch` heeds the others only if it is told to.
    variables.push(("NODE_USE_ENV_PROXY", "1".to_owned()));
    // What is on this machine has doors of its own, unless the task names it as a host.
    let allowed = Allowed::new(&network.hosts);
    let direct = ["localhost", "127.0.0.1", "::1"].into_iter().filter(|host| allowed.admits(host).is_none());
    let direct = direct.collect::<Vec<_>>().join(",");
    variables.extend(["NO_PROXY", "no_proxy"].map(|name| (name, direct.clone())));
    Ok(variables)
}

/// Hands the doors over; an empty message where there are none.
pub(super) fn send_doors(words: &UnixStream, doors: &[TcpListener]) -> io::Result<()> {
    let handles: Vec<BorrowedFd<'_>> = doors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DOORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !handles.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&handles)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sendmsg(words, &[IoSlice::new(b"\n")], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes the doors.
pub(super) fn receive_doors(words: &UnixStream) -> io::Result<Vec<TcpListener>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DOORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received = recvmsg(words, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut doors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(handles) = message {
            doors.extend(handles.map(TcpListener::from));
        }
    }
    Ok(doors)
}

/// A new network begins with its loopback device switched off.
#[expect(unsafe_code, reason = "no crate of ours knows this call")]
fn raise_loopback() -> io::Result<()> {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // SAFETY: all bytes zero are a valid request, and its name then ends in one.
    let mut request: nix::libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, letter) in request.ifr_name.iter_mut().zip(b"lo") {
        *place = letter.cast_signed();
    }
    request.ifr_ifru.ifru_flags = nix::libc::IFF_UP as nix::libc::c_short;
    // SAFETY: the request lives for as long as the call, which reads no more than it.
    let done = unsafe { nix::libc::ioctl(socket.as_raw_fd(), nix::libc::SIOCSIFFLAGS, &raw const request) };
    Errno::result(done).map_err(|errno| step("the loopback address cannot be raised", errno))?;
    Ok(())
}
