//! One suite on every backend, and what only one of them can show.

mod faults;
mod postgres;
mod schema;
mod sqlite;
pub(crate) mod story;
mod suite;

mod in_memory {
    use std::sync::Arc;

    use super::suite::TasksOnly;
    use crate::memory::MemoryStore;

    fn open() -> std::future::Ready<Option<TasksOnly>> {
        std::future::ready(Some(TasksOnly { tasks: Arc::new(MemoryStore::new()) }))
    }

    super::suite::task_store_suite!(super::open);
}
