//! How the coordinator makes itself known on the local network: a name, where it listens, its fingerprint.
//!
//! Nobody needs to believe it: who joined knows the fingerprint, and who joins compares its words.

use std::fmt;
use std::net::SocketAddr;

use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};
use swarm_proto::{ANNOUNCED_AS, Fingerprint};

use crate::machine;

/// An announcement that stands until it is dropped.
pub(crate) struct Announcement {
    daemon: ServiceDaemon,
    name: String,
}

impl Announcement {
    /// Announces what listens there. A network that cannot be told is no reason not to serve.
    pub(crate) fn begin(listen: SocketAddr, fingerprint: Fingerprint) -> Option<Self> {
        if listen.ip().is_loopback() {
            return None;
        }
        Self::announce(listen, fingerprint)
            .inspect_err(|error| tracing::warn!(%error, "the coordinator is not announced on the local network"))
            .ok()
    }

    fn announce(listen: SocketAddr, fingerprint: Fingerprint) -> Result<Self, mdns_sd::Error> {
        let host = machine::host_name().unwrap_or_else(|| "garageswarm".to_owned());
        let label: String = host.split('.').next().unwrap_or_default().chars().take(40).collect();
        // Several coordinators on one machine are told apart, and one keeps its name.
        let instance = format!("{label} {}", &fingerprint.to_string()[..8]);
        let told = [
            ("name", label.clone()),
            ("fingerprint", fingerprint.to_string()),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        let host = format!("{label}.local.");
        let mut service = if listen.ip().is_unspecified() {
            ServiceInfo::new(ANNOUNCED_AS, &instance, &host, "", listen.port(), &told[..])?.enable_addr_auto()
        } else {
            ServiceInfo::new(ANNOUNCED_AS, &instance, &host, listen.ip(), listen.port(), &told[..])?
        };
        if listen.is_ipv4() {
            service.set_interfaces(vec![IfKind::IPv4]);
        }
        let name = service.get_fullname().to_owned();
        let daemon = ServiceDaemon::new()?;
        let announcement = Self { daemon, name };
        announcement.daemon.register(service)?;
        Ok(announcement)
    }
}

impl fmt::Debug for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcement").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // They answer once it is done, and nobody waits for that.
        drop(self.daemon.unregister(&self.name));
        drop(self.daemon.shutdown());
    }
}
