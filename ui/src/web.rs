//! The panel in a browser: pages, the components they are made of, and the line to the coordinator.

#![expect(unreachable_pub, reason = "leptos makes the properties of every component public")]
#![expect(clippy::fn_params_excessive_bools, reason = "properties of components are named wherever they are given")]
// Only there views carry what leptos checks while it is developed with.
#![cfg_attr(
    debug_assertions,
    expect(clippy::large_types_passed_by_value, reason = "components take their properties by value")
)]

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
