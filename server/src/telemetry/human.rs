//! Log lines for people at a terminal: the time of day, the level, what happened, and its fields.

use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{self, format::Writer};
use tracing_subscriber::registry::LookupSpan;

use swarm_model::Clock as _;
use swarm_model::time::SystemClock;

struct TimeOfDay;

impl FormatTime for TimeOfDay {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        let now = SystemClock.now().to_string();
        // Of 2026-01-31T12:00:00.123456Z the part from hours to milliseconds.
        writer.write_str(now.get(11..23).unwrap_or(&now))
    }
}

pub(super) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(colours: bool) -> impl Layer<S> {
    fmt::layer().with_writer(std::io::stderr).with_timer(TimeOfDay).with_target(false).with_ansi(colours)
}
