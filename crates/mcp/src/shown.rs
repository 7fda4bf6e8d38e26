//! What answers look like. A model reads all of an answer, so that what can be long is bounded here, and said to be.

use serde_json::{Value, json};
use swarm_proto::Page;
use swarm_proto::tasks::{LogPage, Task};
use swarm_proto::tools::SwarmTool;
use swarm_proto::workers::Worker;

use crate::definitions::written;
use crate::swarm::Refusal;

/// Bytes of a task's answer. The log has all of it.
const MAX_RESULT: usize = 60_000;
/// Bytes of a task's prompt, which whoever asks knows.
const MAX_PROMPT: usize = 2_000;
/// Bytes of a prompt in a list.
const MAX_HEAD: usize = 200;
/// Bytes of a page of a log.
const MAX_LOG: usize = 60_000;
/// Models of one tool.
const MAX_MODELS: usize = 100;

/// A task as the interface shows it, and whether it has ended.
pub(crate) fn task(mut task: Task) -> Result<Value, Refusal> {
    task.description = cut(&task.description, MAX_PROMPT);
    if let Some(result) = &mut task.result {
        result.text = cut(&result.text, MAX_RESULT);
    }
    let ended = task.status.is_terminal();
    let mut shown = written(&task)?;
    shown["ended"] = json!(ended);
    Ok(shown)
}

pub(crate) fn tasks(page: Page<Task>) -> Result<Value, Refusal> {
    let row = |task: Task| {
        let mut row = json!({
            "number": task.number,
            "status": task.status,
            "prompt": cut(&task.description, MAX_HEAD),
            "created_at": task.created_at,
        });
        let mut more = |name: &str, value: Value| {
            if !value.is_null() {
                row[name] = value;
            }
        };
        more("tool", written(&task.tool)?);
        more("model", written(&task.model)?);
        more("worker_id", written(&task.worker_id)?);
        more("progress", written(&task.progress)?);
        more("completed_at", written(&task.completed_at)?);
        more("wait_until", written(&task.wait_until)?);
        more("error", written(&task.error)?);
        Ok(row)
    };
    let rows = page.items.into_iter().map(row).collect::<Result<Vec<_>, Refusal>>()?;
    Ok(json!({ "tasks": rows, "next_cursor": page.next_cursor }))
}

/// As many entries as a model can read at once. The next page begins behind the last one.
pub(crate) fn log(mut page: LogPage) -> LogPage {
    let mut bytes = 0;
    let fits = page.entries.iter().take_while(|entry| {
        bytes += entry.text.len() + entry.data.as_ref().map_or(0, |data| data.to_string().len());
        bytes <= MAX_LOG
    });
    // One entry is always given, or nobody would ever get past it.
    let n_fits = fits.count().max(1);
    if n_fits < page.entries.len() {
        page.entries.truncate(n_fits);
        page.next_after = page.entries.last().map_or(page.next_after, |entry| entry.seq);
        page.complete = false;
    }
    page
}

pub(crate) fn workers(page: Page<Worker>) -> Value {
    let row = |worker: Worker| {
        let tools = worker
            .capabilities
            .tools
            .iter()
            .map(|tool| json!({ "name": tool.name, "version": tool.version, "health": tool.health }));
        json!({
            "worker_id": worker.worker_id,
            "name": worker.machine_name,
            "status": worker.status,
            "running": worker.running,
            "slots": worker.capabilities.slots,
            "os": worker.capabilities.os,
            "arch": worker.capabilities.arch,
            "labels": worker.capabilities.labels,
            "role": worker.role,
            "tools": tools.collect::<Vec<_>>(),
        })
    };
    json!({ "workers": page.items.into_iter().map(row).collect::<Vec<_>>() })
}

pub(crate) fn tools(page: Page<SwarmTool>) -> Value {
    let row = |tool: SwarmTool| {
        let on = tool.workers.iter().map(|on| {
            json!({ "worker_id": on.worker_id, "name": on.machine_name, "status": on.status, "health": on.health, "free": on.free })
        });
        let mut row = json!({
            "name": tool.name,
            "ready": tool.ready,
            "slots": tool.slots,
            "free": tool.free,
            "models": tool.models.iter().take(MAX_MODELS).collect::<Vec<_>>(),
            "workers": on.collect::<Vec<_>>(),
        });
        if tool.models.len() > MAX_MODELS {
            row["more_models"] = json!(tool.models.len() - MAX_MODELS);
        }
        row
    };
    json!({ "tools": page.items.into_iter().map(row).collect::<Vec<_>>() })
}

fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}... ({} more bytes; read_log has all of it)", &text[..end], text.len() - end)
}

#[cfg(test)]
mod tests {
    use swarm_model::log::{LogEntry, LogStream};
    use swarm_model::{TaskStatus, Timestamp};

    use super::*;

    #[test]
    fn a_page_of_a_log_ends_where_it_gets_long_and_goes_on_there() {
        let entry = |seq, bytes| LogEntry {
            seq,
            attempt: 1,
            stream: LogStream::Text,
            text: "x".repeat(bytes),
            data: None,
            at: Timestamp::EPOCH,
        };
        let page = |sizes: &[usize]| {
            let entries = sizes.iter().zip(1..).map(|(bytes, seq)| entry(seq, *bytes)).collect();
            log(LogPage { entries, next_after: sizes.len() as u64, status: TaskStatus::Completed, complete: true })
        };
        let whole = page(&[10, 20]);
        assert_eq!((whole.entries.len(), whole.next_after, whole.complete), (2, 2, true));
        let cut = page(&[40_000, 15_000, 40_000]);
        assert_eq!((cut.entries.len(), cut.next_after, cut.complete), (2, 2, false));
        let large = page(&[100_000, 1]);
        assert_eq!((large.entries.len(), large.next_after), (1, 1));
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        assert_eq!(cut("abc", 3), "abc");
        assert!(cut("aäb", 2).starts_with("a... (3 more bytes"), "{}", cut("aäb", 2));
    }
}
