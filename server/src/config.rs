//! The coordinator's settings: one struct a section, with the defaults in code.
//!
//! Layers (file, environment, command line) are put together by the program that hosts the coordinator; here
//! stands only what the settings are and which of them contradict each other. Unknown names are refused, and
//! [`ServerConfig::validate`] tells all problems at once. Secrets show up in no output.

mod redacted;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::http::Uri;
use serde::{Deserialize, Serialize};
use swarm_store::{DatabaseUrl, Retention};

pub use redacted::Redacted;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Where it listens and by which names it is known.
    pub server: Listening,
    /// Where it keeps what.
    pub storage: Storage,
    /// Who may join.
    pub accounts: Accounts,
    /// How long what is kept.
    pub retention: Keeping,
    /// How much is allowed.
    pub limits: Limits,
    /// Who may read the metrics.
    pub metrics: Metrics,
    /// What it logs.
    pub log: Log,
}

/// Where the coordinator listens and by which names it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listening {
    /// Address and port.
    pub listen: SocketAddr,
    /// Address and port of the TLS listener, for other machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_listen: Option<SocketAddr>,
    /// The certificate to show there, in a PEM file with what signed it. Without one the coordinator makes its own,
    /// which machines that join pin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
    /// The key of that certificate, in a PEM file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// Whether a coordinator with a certificate of its own is announced on the local network.
    pub announce: bool,
    /// How people reach it from elsewhere, as `https://swarm.example.org`; links are made from it.
    pub public_url: Option<String>,
    /// Further names by which it may be addressed, with or without a port.
    pub allowed_hosts: Vec<String>,
    /// Pages of other origins that may use the interface, as `https://tools.example.org`.
    pub allowed_origins: Vec<String>,
    /// Allows plain HTTP beyond this machine.
    pub insecure_http: bool,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
}

/// Where the coordinator keeps what.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// The folder of everything that is not in the database.
    pub data_dir: PathBuf,
    /// The database; the embedded one in the data folder unless said otherwise.
    #[serde(with = "redacted::database", skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseUrl>,
}

/// Who may join.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Accounts {
    /// Whether anybody may register without an invitation.
    pub registration_open: bool,
}

/// How long what is kept, in days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keeping {
    /// Tasks after their end.
    pub tasks_days: u32,
    /// Logs after their task's end.
    pub logs_days: u32,
    /// Events.
    pub events_days: u32,
    /// The audit.
    pub audit_days: u32,
    /// Sessions, links and invitations after they ended.
    pub credentials_days: u32,
}

/// How much is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of an artifact.
    pub artifact_bytes: u64,
    /// Tasks of one person that may wait at once.
    pub waiting_tasks: usize,
    /// Tasks in one batch.
    pub batch_tasks: usize,
    /// Connections from other machines that may be open at once.
    pub connections: usize,
    /// Connections from one address that may be open at once.
    pub connections_per_address: usize,
    /// Sockets of one person on which events and logs come.
    pub viewer_sockets: usize,
    /// Bytes of log lines that a worker may send in a second over a longer time; at once it may be 16 times as much.
    pub log_bytes_per_second: u32,
    /// Files that one attempt leaves behind.
    pub artifacts_per_attempt: usize,
    /// Bytes of those files together.
    pub artifact_bytes_per_attempt: u64,
    /// Keys of one person that count at once.
    pub keys: usize,
}

/// Who may read the metrics.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// The bearer token for `/metrics`. Without one they are open on this machine and closed beyond it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Redacted<String>>,
}

/// What the coordinator logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// For programs or for people.
    pub format: LogFormat,
    /// Which levels of which parts, as `info,swarm_server=debug`.
    pub filter: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people where there is a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// A setting that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Which one, as `server.listen`.
    pub setting: &'static str,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.problem)
    }
}

impl Default for Listening {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8420),
            tls_listen: None,
            tls_cert: None,
            tls_key: None,
            announce: true,
            public_url: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            insecure_http: false,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Default for Keeping {
    fn default() -> Self {
        Self { tasks_days: 90, logs_days: 30, events_days: 14, audit_days: 365, credentials_days: 30 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 << 20,
            artifact_bytes: 256 << 20,
            waiting_tasks: 200_000,
            batch_tasks: 1000,
            connections: 4096,
            connections_per_address: 256,
            viewer_sockets: 64,
            log_bytes_per_second: 4 << 20,
            artifacts_per_attempt: 1000,
            artifact_bytes_per_attempt: 1 << 30,
            keys: 200,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: "info".to_owned() }
    }
}

impl ServerConfig {
    /// Everything that is wrong with the settings, so that it can be mended in one go.
    pub fn validate(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut wrong = |setting, problem: String| problems.push(ConfigProblem { setting, problem });

        let server = &self.server;
        let has_way_in = server.insecure_http || !server.trusted_proxies.is_empty();
        if !server.listen.ip().is_loopback() && !has_way_in {
            let listen = server.listen;
            wrong(
                "server.listen",
                format!(
                    "{listen} is reached from other machines, in plain HTTP: listen there with TLS (--lan), name a server.trusted_proxies that brings it, or allow it with server.insecure_http"
                ),
            );
        }
        if server.tls_cert.is_some() != server.tls_key.is_some() {
            wrong(
                "server.tls_cert",
                "a certificate and its key are set together: server.tls_cert and server.tls_key".to_owned(),
            );
        } else if server.tls_cert.is_some() && server.tls_listen.is_none() {
            wrong("server.tls_cert", "a certificate is shown by a TLS listener: set server.tls_listen too".to_owned());
        }
        if server.tls_listen.is_some_and(|tls| tls == server.listen && tls.port() != 0) {
            wrong("server.tls_listen", "it is the address of server.listen: give it a port of its own".to_owned());
        }
        if let Some(url) = &server.public_url
            && !is_origin(url)
        {
            wrong("server.public_url", format!("\"{url}\" is not like https://swarm.example.org, without a path"));
        }
        for origin in &server.allowed_origins {
            if !is_origin(origin) {
                wrong(
                    "server.allowed_origins",
                    format!("\"{origin}\" is not like https://tools.example.org, without a path"),
                );
            }
        }
        for host in &server.allowed_hosts {
            if host.parse::<axum::http::uri::Authority>().is_err() || host.contains('@') {
                wrong("server.allowed_hosts", format!("\"{host}\" is not a name or a name with a port"));
            }
        }
        if self.storage.data_dir.as_os_str().is_empty() {
            wrong("storage.data_dir", "no folder is named".to_owned());
        }
        if self.limits.body_bytes < 1024 {
            wrong("limits.body_bytes", "no request fits into less than 1024 bytes".to_owned());
        }
        if self.limits.waiting_tasks == 0 {
            wrong("limits.waiting_tasks", "nobody could submit a task".to_owned());
        }
        if self.limits.batch_tasks == 0 {
            wrong("limits.batch_tasks", "nobody could submit a batch".to_owned());
        }
        if self.limits.connections == 0 || self.limits.connections_per_address == 0 {
            wrong("limits.connections", "no other machine could connect".to_owned());
        }
        for (setting, is_zero) in [
            ("limits.viewer_sockets", self.limits.viewer_sockets == 0),
            ("limits.log_bytes_per_second", self.limits.log_bytes_per_second == 0),
            ("limits.keys", self.limits.keys == 0),
        ] {
            if is_zero {
                wrong(setting, "it must be more than 0".to_owned());
            }
        }
        if self.metrics.token.as_ref().is_some_and(|token| token.expose().len() < 16) {
            wrong("metrics.token", "it has fewer than 16 characters and could be guessed".to_owned());
        }
        if self.log.filter.parse::<tracing_subscriber::filter::EnvFilter>().is_err() {
            wrong("log.filter", format!("\"{}\" is not like info,swarm_server=debug", self.log.filter));
        }
        problems
    }

    /// The database: the one that is named, or the embedded one.
    pub fn database(&self) -> DatabaseUrl {
        self.storage.database.clone().unwrap_or_else(|| DatabaseUrl::in_folder(&self.storage.data_dir))
    }

    /// The folder for the contents of artifacts.
    pub fn blobs_dir(&self) -> PathBuf {
        self.storage.data_dir.join("blobs")
    }

    /// How people reach the coordinator, without a slash at the end. Never taken from a request.
    pub fn base_url(&self) -> String {
        match &self.server.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => {
                let listen = self.server.listen;
                let ip = if listen.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { listen.ip() };
                format!("http://{}", SocketAddr::new(ip, listen.port()))
            }
        }
    }
}

impl Keeping {
    /// The same as the store wants it.
    pub fn retention(&self) -> Retention {
        let days = |days: u32| Duration::from_hours(u64::from(days) * 24);
        Retention {
            tasks: days(self.tasks_days),
            logs: days(self.logs_days),
            events: days(self.events_days),
            audit: days(self.audit_days),
            credentials: days(self.credentials_days),
        }
    }
}

/// Whether `text` is scheme, name and port, and nothing else.
fn is_origin(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none()
    })
}

#[cfg(test)]
mod tests;
