//! The panel in a browser: pages, the components they are made of, and the line to the coordinator.

#![expect(unreachable_pub, reason = "leptos makes the properties of every component public")]

mod announce;
mod app;
mod browser;
mod components;
mod follow;
mod keys;
mod live;
mod pages;
mod session;

pub use app::App;
