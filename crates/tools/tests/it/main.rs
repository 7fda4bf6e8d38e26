//! Runs with real processes, a real HTTP server and, where they are installed, the real Claude Code, Codex and Gemini CLI.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "everything here is a test or its helper"
)]

#[cfg(target_os = "linux")]
mod agents;
mod api;
#[cfg(target_os = "linux")]
mod claude;
#[cfg(target_os = "linux")]
mod codex;
#[cfg(target_os = "linux")]
mod command;
mod demo;
#[cfg(target_os = "linux")]
mod gemini;
#[cfg(target_os = "linux")]
mod guard;
mod harness;
#[expect(unreachable_pub, reason = "the file belongs to the testkit, whose other parts would pull in the server")]
#[path = "../../../testkit/src/model_server.rs"]
mod model_server;
mod ollama;
#[cfg(target_os = "linux")]
mod ollama_real;
mod sandbox;
#[cfg(target_os = "linux")]
mod scripted_cli;
#[cfg(target_os = "linux")]
mod scripted_gguf;
