//! The coordinator's settings from their layers: defaults, a TOML file, the environment, flags.
//!
//! `GARAGESWARM_SECTION__KEY` sets one value; `GARAGESWARM_SECTION__KEY_FILE` names a file that holds it, for
//! secrets. Variables without a section belong to the command line and are not looked at here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use swarm_server::ServerConfig;
use swarm_store::DatabaseUrl;

use crate::context::Context;
use crate::failure::{Exit, Failure};

const PREFIX: &str = "GARAGESWARM_";
const FILE: &str = "coordinator.toml";

/// What can be set on the command line of whatever hosts or describes a coordinator.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Flags {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Let other machines in too, over TLS; at 0.0.0.0:8421 unless said otherwise.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "0.0.0.0:8421")]
    pub(crate) lan: Option<SocketAddr>,
    /// With --lan: do not announce the coordinator on the local network.
    #[arg(long)]
    pub(crate) no_announce: bool,
    /// The folder of everything that the coordinator keeps.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Settings; `coordinator.toml` in the data folder unless said otherwise.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Allow plain HTTP beyond this machine.
    #[arg(long)]
    pub(crate) insecure_http: bool,
}

/// Puts the layers together. `base` is what this command changes in the defaults.
pub(crate) fn load(flags: &Flags, context: &Context, base: ServerConfig) -> Result<ServerConfig, Failure> {
    let data_dir = context.places.data_dir(flags.data_dir.as_deref())?;
    let file = match &flags.config {
        Some(named) if !named.is_file() => {
            return Err(Failure::usage(format!("there is no settings file {}", named.display())));
        }
        Some(named) => named.clone(),
        None => data_dir.join(FILE),
    };
    let mut layers = Figment::from(Serialized::defaults(base));
    // The usual file may be absent; `file_exact` takes it as it is named, without a search in the folders above.
    if file.is_file() {
        layers = layers.merge(Toml::file_exact(file));
    }
    let layers = layers.merge(environment()).merge(secret_files()?);
    let mut config: ServerConfig = layers.extract().map_err(|errors| unreadable(&errors))?;
    if flags.data_dir.is_some() || config.storage.data_dir.as_os_str().is_empty() {
        config.storage.data_dir = data_dir;
    }
    config.server.insecure_http |= flags.insecure_http;
    config.server.listen = flags.listen.unwrap_or(config.server.listen);
    config.server.tls_listen = flags.lan.or(config.server.tls_listen);
    config.server.announce &= !flags.no_announce;
    Ok(config)
}

/// The same, with another database, and refused with all that is wrong with it.
pub(crate) fn load_sound(
    flags: &Flags,
    database: Option<DatabaseUrl>,
    context: &Context,
    base: ServerConfig,
) -> Result<ServerConfig, Failure> {
    let mut config = load(flags, context, base)?;
    config.storage.database = database.or(config.storage.database);
    let problems = config.validate();
    if problems.is_empty() {
        return Ok(config);
    }
    let lines: Vec<_> = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    Err(Failure::usage(format!("the settings make no sense:{}", lines.concat()))
        .advise("`garageswarm config print` shows the effective ones"))
}

/// Variables with a section: what has none is not a setting of the coordinator.
fn environment() -> Env {
    Env::prefixed(PREFIX).filter(|key| key.as_str().contains("__") && !is_secret_file(key.as_str())).split("__")
}

fn is_secret_file(key: &str) -> bool {
    key.len() > "_FILE".len() && key.to_ascii_uppercase().ends_with("_FILE")
}

/// Values by section and key.
type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// The values that stand in files of their own.
fn secret_files() -> Result<Serialized<Sections>, Failure> {
    let mut sections = Sections::new();
    for (name, path) in std::env::vars() {
        let Some(key) = name.strip_prefix(PREFIX).filter(|key| is_secret_file(key)) else { continue };
        let Some((section, key)) = key[..key.len() - "_FILE".len()].split_once("__") else { continue };
        let value = std::fs::read_to_string(Path::new(&path))
            .map_err(|error| Failure::usage(format!("{path}, which {name} names, cannot be read: {error}")))?;
        sections
            .entry(section.to_ascii_lowercase())
            .or_default()
            .insert(key.to_ascii_lowercase(), value.trim().to_owned());
    }
    Ok(Serialized::defaults(sections))
}

fn unreadable(errors: &figment::Error) -> Failure {
    let lines: Vec<_> = errors.clone().into_iter().map(|error| format!("\n  {error}")).collect();
    Failure::new(Exit::Usage, format!("the settings cannot be read:{}", lines.concat()))
}
