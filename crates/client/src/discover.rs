//! Coordinators that announce themselves on the local network.
//!
//! Whoever is in the network can announce anything: what is heard here is an address to try and a name to show,
//! never a reason to trust. The pin decides.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mdns_sd::{ResolvedService, ServiceDaemon, ServiceEvent};
use swarm_proto::{ANNOUNCED_AS, Fingerprint};

use crate::Address;

/// More than these are nobody's network.
const MAX_HEARD: usize = 64;
const MAX_ADDRESSES: usize = 16;

/// A coordinator as it announces itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Announced {
    /// What its machine is called.
    pub name: String,
    /// Which certificate it says it has.
    pub fingerprint: Fingerprint,
    /// Its version.
    pub version: String,
    /// Where it may be reached.
    pub addresses: Vec<Address>,
}

/// The local network cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("the local network cannot be asked for coordinators")]
pub struct DiscoverError(#[from] mdns_sd::Error);

/// Listens for `patience` and returns who was heard.
pub async fn discover(patience: Duration) -> Result<Vec<Announced>, DiscoverError> {
    listen(patience, |_| false).await
}

/// The addresses under which somebody says to have this certificate; none where nobody said so in time.
pub async fn find(fingerprint: Fingerprint, patience: Duration) -> Result<Vec<Address>, DiscoverError> {
    let is_it = |announced: &Announced| announced.fingerprint == fingerprint;
    let heard = listen(patience, is_it).await?;
    Ok(heard.into_iter().filter(is_it).flat_map(|announced| announced.addresses).take(MAX_ADDRESSES).collect())
}

/// The daemon of the library ends with this.
struct Browsing(ServiceDaemon);

impl Drop for Browsing {
    fn drop(&mut self) {
        // It answers once it has ended, and nobody waits for that.
        drop(self.0.shutdown());
    }
}

async fn listen(patience: Duration, is_enough: impl Fn(&Announced) -> bool) -> Result<Vec<Announced>, DiscoverError> {
    let browsing = Browsing(ServiceDaemon::new()?);
    let events = browsing.0.browse(ANNOUNCED_AS)?;
    let mut heard: Vec<Announced> = Vec::new();
    let listening = async {
        while let Ok(event) = events.recv_async().await {
            let ServiceEvent::ServiceResolved(service) = event else { continue };
            let Some(announced) = read(&service) else { continue };
            let enough = is_enough(&announced) || heard.len() >= MAX_HEARD;
            // Somebody who is heard again may have more addresses by now.
            heard.retain(|known| known.name != announced.name || known.fingerprint != announced.fingerprint);
            heard.push(announced);
            if enough {
                return;
            }
        }
    };
    drop(tokio::time::timeout(patience, listening).await);
    heard.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(heard)
}

/// What an announcement says, where it makes sense.
fn read(service: &ResolvedService) -> Option<Announced> {
    let text = |name| service.get_property_val_str(name);
    let mut addresses: Vec<IpAddr> = service.get_addresses().iter().map(mdns_sd::ScopedIp::to_ip_addr).collect();
    // Loopback is who listens, not who announced. An address of one link means nothing without its name.
    addresses.retain(|ip| !ip.is_loopback() && !matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local()));
    addresses.sort();
    let addresses: Vec<Address> = addresses
        .into_iter()
        .take(MAX_ADDRESSES)
        .filter_map(|ip| format!("https://{}", SocketAddr::new(ip, service.get_port())).parse().ok())
        .collect();
    let fingerprint = text("fingerprint")?.parse().ok()?;
    if addresses.is_empty() {
        return None;
    }
    let short = |name, n_chars| text(name).unwrap_or_default().chars().take(n_chars).collect();
    Some(Announced { name: short("name", 64), fingerprint, version: short("version", 20), addresses })
}
