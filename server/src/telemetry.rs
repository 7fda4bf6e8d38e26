//! What the coordinator tells about itself: log lines, and numbers.

mod human;
mod json;
mod metrics;
mod requests;

use std::io::IsTerminal as _;

use tracing::{Level, Metadata};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat};

pub use metrics::{MetricsError, MetricsHandle};
pub(crate) use metrics::{count_request, count_sign_in, record_changes};
pub(crate) use requests::observe;

/// Why logging could not begin.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter makes no sense.
    #[error("the log filter cannot be read")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something in this process logs already.
    #[error("logging has begun already")]
    Begun(#[from] tracing_subscriber::util::TryInitError),
}

/// Begins to log to standard error, which leaves standard output to what a command prints. `service` stands in
/// every line.
pub fn init_logging(log: &Log, service: &'static str) -> Result<(), LogError> {
    let filter = EnvFilter::builder().parse(&log.filter)?;
    let is_terminal = std::io::stderr().is_terminal();
    let for_people = match log.format {
        LogFormat::Auto => is_terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let registry = tracing_subscriber::registry().with(filter);
    if for_people {
        registry.with(human::layer(is_terminal).with_filter(filter_fn(may_be_told))).try_init()?;
    } else {
        registry.with(json::layer(service).with_filter(filter_fn(may_be_told))).try_init()?;
    }
    Ok(())
}

/// Details are told by our own crates alone: other libraries write whole requests there, with the credentials in
/// their headers.
fn may_be_told(metadata: &Metadata<'_>) -> bool {
    let is_ours = metadata.target().starts_with("swarm_") || metadata.target().starts_with("garageswarm");
    is_ours || *metadata.level() <= Level::INFO
}
