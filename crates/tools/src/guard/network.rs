//! The way out of a sandbox whose network is cut off: ports of this machine that were named, and a proxy for hosts.
//!
//! The doors listen inside; here, outside, the guard accepts on them and connects to the world. The proxy understands
//! `CONNECT` and plain requests. Names are looked up here, and what they point to is judged by `allowed`. A host that
//! is refused is told on standard error, which is the run's log, each once. Everything ends with the guard.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Network;
use super::allowed::{Admitted, Allowed};

/// A request longer than this is none.
const MAX_HEAD: usize = 32 * 1024;
/// How long a request, and a connection, may take to come.
const PATIENCE: Duration = Duration::from_secs(20);
/// Connections of one run at once; each has two threads.
const MAX_CONNECTIONS: usize = 256;
/// Refused hosts that are told; a run that tries them all is told of no more.
const MAX_TOLD: usize = 100;
/// What a thread that looks up names and copies bytes needs.
const STACK: usize = 512 * 1024;

/// The proxy of one run.
#[derive(Debug)]
struct Proxy {
    allowed: Allowed,
    /// Hosts that were refused.
    told: Mutex<HashSet<String>>,
    n_open: AtomicUsize,
}

/// Serves the doors for as long as the guard lives: the first one is the proxy's.
pub(super) fn serve(doors: Vec<TcpListener>, network: &Network) {
    let proxy = Arc::new(Proxy {
        allowed: Allowed::new(&network.hosts),
        told: Mutex::new(HashSet::new()),
        n_open: AtomicUsize::new(0),
    });
    for (index, door) in doors.into_iter().enumerate() {
        let (proxy, port) = (Arc::clone(&proxy), door.local_addr().map_or(0, |address| address.port()));
        let accept = move || {
            for client in door.incoming().flatten() {
                if proxy.n_open.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTIONS {
                    proxy.n_open.fetch_sub(1, Ordering::Relaxed);
                    continue;
                }
                let proxy = Arc::clone(&proxy);
                let served = spawn(move || {
                    // A connection that breaks is the business of its two ends.
                    let _broken = if index == 0 { proxy.answer(client) } else { forward(client, port) };
                    proxy.n_open.fetch_sub(1, Ordering::Relaxed);
                });
                drop(served);
            }
        };
        if let Err(error) = spawn(accept) {
            say(&format!("a door of the sandbox stays shut: {error}"));
        }
    }
}

/// Leads a connection to the same port outside.
fn forward(client: TcpStream, port: u16) -> io::Result<()> {
    let places = [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))];
    join(client, connect(places.into_iter())?)
}

impl Proxy {
    fn answer(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(PATIENCE))?;
        let Some((head, rest)) = read_head(&mut client)? else {
            return refuse(&mut client, "400 Bad Request", "the proxy of the sandbox does not understand this");
        };
        client.set_read_timeout(None)?;
        let Some(request) = Request::parse(&head) else {
            return refuse(&mut client, "400 Bad Request", "the proxy of the sandbox does not understand this");
        };
        let Some(admitted) = self.allowed.admits(&request.host) else {
            self.tell(&request.host, "is not among the hosts that the task may reach");
            let why = format!("{} is not among the hosts that this task may reach", request.host);
            return refuse(&mut client, "403 Forbidden", &why);
        };
        let mut server = match self.reach(&request, admitted) {
            Ok(server) => server,
            Err(error) => return refuse(&mut client, "502 Bad Gateway", &error.to_string()),
        };
        match &request.forwarded {
            None => client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?,
            Some(head) => server.write_all(head.as_bytes())?,
        }
        server.write_all(&rest)?;
        join(client, server)
    }

    fn reach(&self, request: &Request, admitted: Admitted) -> io::Result<TcpStream> {
        let found: Vec<_> = (request.host.as_str(), request.port).to_socket_addrs()?.collect();
        let good: Vec<_> = found.iter().copied().filter(|address| admitted.may_be_at(address.ip())).collect();
        if good.is_empty() && !found.is_empty() {
            let why = "points to an address that its entry in the task's list does not open";
            self.tell(&request.host, why);
            return Err(io::Error::other(format!("{} {why}", request.host)));
        }
        connect(good.into_iter())
    }

    /// Tells of a refused host, once.
    fn tell(&self, host: &str, why: &str) {
        let host: String = host.chars().filter(|c| !c.is_control()).take(255).collect();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < MAX_TOLD && told.insert(host.clone()) {
            say(&format!("{host} {why}: refused"));
        }
    }
}

/// What a client asks of the proxy.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    host: String,
    port: u16,
    /// What the server is sent; none for a tunnel.
    forwarded: Option<String>,
}

impl Request {
    fn parse(head: &str) -> Option<Self> {
        let (first, headers) = head.split_once("\r\n")?;
        let mut words = first.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        if method.eq_ignore_ascii_case("CONNECT") {
            let (host, port) = authority(target, None)?;
            return Some(Self { host, port, forwarded: None });
        }
        let rest = target.strip_prefix("http://")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, port) = authority(&rest[..end], Some(80))?;
        let path = &rest[end..];
        let slash = if path.starts_with('/') { "" } else { "/" };
        let is_ours = |line: &&str| {
            let name = line.split(':').next().unwrap_or("").trim();
            ["connection", "proxy-connection", "proxy-authorization", "keep-alive"]
                .iter()
                .any(|own| name.eq_ignore_ascii_case(own))
        };
        let kept: String = headers.split("\r\n").filter(|line| !line.is_empty() && !is_ours(line)).fold(
            String::new(),
            |mut kept, line| {
                kept.push_str(line);
                kept.push_str("\r\n");
                kept
            },
        );
        // One request a connection: the next one may be for another host.
        Some(Self {
            host,
            port,
            forwarded: Some(format!("{method} {slash}{path} {version}\r\n{kept}Connection: close\r\n\r\n")),
        })
    }
}

/// Host and port of an authority, which names nobody.
fn authority(text: &str, usual: Option<u16>) -> Option<(String, u16)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
        _ => (text, usual),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_plain = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c));
    is_plain.then(|| (host.to_owned(), port.unwrap_or(0))).filter(|(_, port)| *port != 0)
}

/// A request's head, and what came behind it; none where it is none.
fn read_head(client: &mut TcpStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let n = client.read(&mut chunk)?;
        bytes.extend_from_slice(&chunk[..n]);
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(at + 4);
            return Ok(String::from_utf8(bytes).ok().map(|head| (head, rest)));
        }
        if n == 0 || bytes.len() > MAX_HEAD {
            return Ok(None);
        }
    }
}

fn refuse(client: &mut TcpStream, status: &str, why: &str) -> io::Result<()> {
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{why}\n",
        why.len() + 1
    );
    client.write_all(answer.as_bytes())
}

fn connect(places: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for place in places {
        match TcpStream::connect_timeout(&place, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Copies both ways until both ends are done.
fn join(client: TcpStream, server: TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from, to) = (client.try_clone()?, server.try_clone()?);
    let there = spawn(move || pass(&from, &to))?;
    pass(&server, &client);
    drop(there.join());
    Ok(())
}

/// Copies one way, and passes the end on.
fn pass(mut from: &TcpStream, mut to: &TcpStream) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(n) = from.read(&mut chunk) {
        if n == 0 || to.write_all(&chunk[..n]).is_err() {
            break;
        }
    }
    // An end that is gone already needs no word.
    drop((to.shutdown(Shutdown::Write), from.shutdown(Shutdown::Read)));
}

fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<std::thread::JoinHandle<T>> {
    std::thread::Builder::new().stack_size(STACK).spawn(work)
}

/// A line in the run's log.
fn say(text: &str) {
    // A worker that no longer listens has ended the run.
    drop(writeln!(io::stderr(), "sandbox: {text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &str) -> Option<(String, u16, Option<String>)> {
        Request::parse(head).map(|request| (request.host, request.port, request.forwarded))
    }

    #[test]
    fn a_tunnel_names_host_and_port() {
        let tunnel = |text: &str| check(&format!("CONNECT {text} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(tunnel("example.org:443"), Some(("example.org".to_owned(), 443, None)));
        assert_eq!(tunnel("[::1]:8443"), Some(("::1".to_owned(), 8443, None)));
        for text in ["example.org", "[::1]", ":443", "example.org:0", "a@b:443", "a b:443", "example.org:99999"] {
            assert_eq!(tunnel(text), None, "{text}");
        }
    }

    #[test]
    fn a_plain_request_goes_on_without_what_is_the_proxys() {
        let head = "POST http://example.org/a?b=c HTTP/1.1\r\nHost: example.org\r\nProxy-Connection: keep-alive\r\n\
                    Connection: keep-alive\r\nContent-Length: 2\r\n\r\n";
        let expected =
            "POST /a?b=c HTTP/1.1\r\nHost: example.org\r\nContent-Length: 2\r\nConnection: close\r\n\r\n".to_owned();
        assert_eq!(check(head), Some(("example.org".to_owned(), 80, Some(expected))));
        let (host, port, forwarded) = check("GET http://example.org:81?x HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!((host.as_str(), port), ("example.org", 81));
        assert!(forwarded.unwrap().starts_with("GET /?x HTTP/1.1\r\n"));
        for head in ["GET /a HTTP/1.1\r\n\r\n", "GET https://example.org/ HTTP/1.1\r\n\r\n", "GET\r\n\r\n", ""] {
            assert_eq!(check(head), None, "{head}");
        }
    }
}
