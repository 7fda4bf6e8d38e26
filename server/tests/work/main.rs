//! The main job from outside: tasks, workers over HTTP and over sockets, viewers.

mod budgets;
mod cascades;
mod http_workers;
mod mcp;
mod support;
mod tasks;
mod usage;
mod viewers;
mod worker_sockets;
