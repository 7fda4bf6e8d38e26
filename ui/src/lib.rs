//! The coordinator's web panel.
//!
//! `view` holds what a page says, as plain Rust that is tested natively; `strings` holds every word of it; `web`
//! draws it in a browser and talks to the coordinator. Nothing here decides about tasks or machines, and nothing is
//! shown that the coordinator did not say.

pub mod strings;
pub mod view;

#[cfg(target_arch = "wasm32")]
pub mod web;
