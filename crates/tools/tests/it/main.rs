//! Runs with real processes, a real HTTP server and, where it is installed, the real Claude Code.

#[cfg(target_os = "linux")]
mod guard;
#[cfg(target_os = "linux")]
mod claude;
mod command;
mod demo;
mod harness;
#[path = "../../../testkit/src/model_server.rs"]
mod model_server;
mod ollama;
