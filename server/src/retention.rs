//! What happens by the hour and the minute without anybody asking: removing what is kept no longer, writing
//! when credentials were last used, folding the metrics.

use std::time::Duration;

use swarm_store::StoreError;
use tokio::time::{MissedTickBehavior, interval};

use crate::state::AppState;

const SWEEP_EVERY: Duration = Duration::from_hours(1);
const TIDY_EVERY: Duration = Duration::from_mins(5);
/// How long a content may lie there before a row names it.
const UNNAMED_FOR: Duration = Duration::from_hours(24);
const FOLD_EVERY: Duration = Duration::from_secs(15);

/// Runs until the coordinator stops, and tidies once more then.
pub(crate) async fn run(state: AppState) {
    let mut sweep_due = interval(SWEEP_EVERY);
    let mut tidy_due = interval(TIDY_EVERY);
    let mut fold_due = interval(FOLD_EVERY);
    for timer in [&mut sweep_due, &mut tidy_due, &mut fold_due] {
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    loop {
        let outcome = tokio::select! {
            biased;
            () = state.shutdown.cancelled() => break,
            _ = fold_due.tick() => {
                state.metrics.fold();
                Ok(())
            }
            _ = tidy_due.tick() => {
                state.quotas.forget_old();
                state.auth.tidy().await
            }
            _ = sweep_due.tick() => sweep(&state).await,
        };
        if let Err(error) = outcome {
            // The next round does what this one could not.
            tracing::warn!(error = &error as &dyn std::error::Error, "housekeeping did not finish");
        }
    }
    if let Err(error) = state.auth.tidy().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the last uses of credentials were not written");
    }
}

/// Removes what is kept no longer, and the contents that no name is left for.
pub(crate) async fn sweep(state: &AppState) -> Result<(), StoreError> {
    let retention = state.config.retention.retention();
    let swept = state.stores.housekeeping.retain(&retention, state.now()).await?;
    tracing::debug!(
        tasks = swept.tasks,
        logs = swept.logs,
        events = swept.events,
        audit = swept.audit,
        credentials = swept.credentials,
        "retention swept"
    );
    let blobs = state.stores.blobs.sweep(&*state.stores.artifacts, state.now().minus(UNNAMED_FOR)).await?;
    tracing::debug!(files = blobs.files, bytes = blobs.bytes, "contents swept");
    Ok(())
}
