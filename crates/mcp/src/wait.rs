//! Waiting for the end of a task, within a bound, and telling that the wait goes on.

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;
use swarm_model::TaskRef;
use swarm_proto::tasks::ReadLog;
use tokio::time::Instant;

use crate::swarm::{Refusal, Swarm};

/// Many clients give up on a tool after a minute.
const USUAL: Duration = Duration::from_secs(50);
const LONGEST: Duration = Duration::from_mins(10);
/// How long one question for news may stay open.
const SLICE: Duration = Duration::from_secs(10);
/// After an answer that came at once and said nothing, as from a coordinator that stops.
const PAUSE: Duration = Duration::from_secs(1);
/// A number that no entry of a log has: behind it there is nothing to read but the end.
const PAST_EVERY_ENTRY: u64 = u32::MAX as u64;

/// Waits until the task has ended, or the time is over.
pub(crate) async fn wait(
    swarm: &dyn Swarm,
    task: TaskRef,
    seconds: Option<u64>,
    context: &RequestContext<RoleServer>,
) -> Result<(), Refusal> {
    let patience = seconds.map_or(USUAL, Duration::from_secs).min(LONGEST);
    let began = Instant::now();
    loop {
        let asked = Instant::now();
        let slice = patience.saturating_sub(asked - began).min(SLICE);
        let query = ReadLog { after: PAST_EVERY_ENTRY, limit: Some(1), wait_ms: slice.as_millis() as u64 };
        let page = tokio::select! {
            page = swarm.log(task, query) => page?,
            () = context.ct.cancelled() => return Err(Refusal::new("nobody waits any more")),
        };
        let waited = began.elapsed();
        if page.complete || waited >= patience {
            return Ok(());
        }
        tell(context, waited, patience, &format!("task {task} is {}", page.status)).await;
        if asked.elapsed() < slice / 2 {
            tokio::time::sleep(PAUSE.min(patience.saturating_sub(waited))).await;
        }
    }
}

/// Says that the wait goes on, to whoever asked to be told.
async fn tell(context: &RequestContext<RoleServer>, waited: Duration, patience: Duration, message: &str) {
    let Some(token) = context.meta.get_progress_token() else { return };
    let progress = ProgressNotificationParam::new(token, waited.as_secs_f64())
        .with_total(patience.as_secs_f64())
        .with_message(message);
    // Whoever has gone needs no news.
    drop(context.peer.notify_progress(progress).await);
}
