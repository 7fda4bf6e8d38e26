//! Calls of tools by a model: what they are called by, and what became of them.

use serde_json::Value;
use swarm_model::Timestamp;
use swarm_model::log::LogEntry;

use crate::strings;
use crate::view::words;

/// A call as its entry names it.
#[derive(Debug)]
pub(super) struct Named {
    /// The call's id, or one of our own where it has none.
    pub(super) id: String,
    /// Tool and argument in one line.
    pub(super) headline: String,
}

impl Named {
    pub(super) fn of(entry: &LogEntry) -> Self {
        let data = entry.data.as_ref();
        let text = |field: &str| data.and_then(|data| data.get(field)).and_then(Value::as_str);
        let id = text("id").map_or_else(|| format!("entry {}", entry.seq), str::to_owned);
        let first_line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
        let headline = match (text("name"), data.and_then(|data| data.get("input")).and_then(argument)) {
            (Some(name), Some(argument)) => format!("{name} {}", first_line(argument)),
            _ => first_line(&entry.text),
        };
        Self { id, headline }
    }
}

/// The one argument that tells a call from the next.
fn argument(input: &Value) -> Option<&str> {
    const TELLING: [&str; 8] = ["file_path", "command", "path", "pattern", "url", "query", "prompt", "description"];
    TELLING.iter().find_map(|name| input.get(name).and_then(Value::as_str))
}

/// What became of a call.
#[derive(Debug)]
pub(super) struct Call {
    begun: Timestamp,
    ended: Option<Timestamp>,
    n_lines: u64,
    failed: bool,
}

impl Call {
    pub(super) fn begun(at: Timestamp) -> Self {
        Self { begun: at, ended: None, n_lines: 0, failed: false }
    }

    pub(super) fn ended(&mut self, entry: &LogEntry, failed: bool) {
        self.ended = Some(entry.at);
        self.n_lines += entry.text.lines().count() as u64;
        self.failed |= failed;
    }

    /// What stands at the right of the call.
    pub(super) fn aside(&self) -> String {
        let Some(ended) = self.ended else { return strings::log::CALL_RUNS.to_owned() };
        let seconds = ended.since(self.begun).as_secs_f64();
        let outcome = if self.failed {
            strings::log::CALL_FAILED.to_owned()
        } else {
            words::counted(self.n_lines, "line", "lines")
        };
        format!("{outcome} · {seconds:.1} s")
    }
}

/// The call to which a result belongs.
pub(super) fn result_of(entry: &LogEntry) -> Option<String> {
    entry.data.as_ref()?.get("id")?.as_str().map(str::to_owned)
}

pub(super) fn is_error(entry: &LogEntry) -> bool {
    entry.data.as_ref().and_then(|data| data.get("is_error")).and_then(Value::as_bool).unwrap_or(false)
}
