//! Conversations with the coordinator on a thread of their own.
//!
//! The futures of `swarm-client` cannot move between threads: its paths are `&dyn Display` and not `Sync`. Once
//! they are, this module goes, and its callers spawn and await as usual.

use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::task::TaskTracker;

/// Spawns a future that stays on one thread. It ends by itself: nothing can abort it.
pub(crate) fn spawn<T, F>(tasks: &TaskTracker, make: impl FnOnce() -> F + Send + 'static) -> JoinHandle<T>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let runtime = Handle::current();
    tasks.spawn_blocking(move || runtime.block_on(make()))
}

/// Awaits a future that stays on one thread.
pub(crate) async fn run<T, F>(make: impl FnOnce() -> F + Send + 'static) -> Result<T, JoinError>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    spawn(&TaskTracker::new(), make).await
}
