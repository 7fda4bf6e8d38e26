//! Waiting for a state instead of sleeping and hoping.

use std::time::Duration;

use swarm_server::hub::Hub;
use tokio::time::{Instant, timeout_at};

/// How long a state that no notice announces may go unseen.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Looks at a condition after every commit until it gives something.
///
/// # Panics
/// When `within` has passed; the message says what was waited for.
pub async fn eventually<T, F>(hub: &Hub, within: Duration, what: &str, mut condition: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + within;
    // Listening begins before the first look, so that nothing falls between.
    let mut notices = hub.listen();
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        // A notice, a lag behind them, or the time to look again: each is a reason to look.
        timeout_at(deadline.min(Instant::now() + LOOK_AGAIN), notices.recv()).await.ok();
    }
}
