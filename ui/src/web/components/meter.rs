//! A percentage as a bar and a number.

use leptos::prelude::*;

/// From here on a machine is too full to be comfortable.
const FULL: f32 = 88.0;

/// A meter.
#[component]
pub(crate) fn Meter(
    /// What it measures.
    label: &'static str,
    /// From 0 to 100.
    percent: f32,
    /// Whether too much of it is a trouble, and not just work.
    #[prop(optional)]
    fills: bool,
) -> impl IntoView {
    let shown = percent.clamp(0.0, 100.0).round();
    view! {
        <div class="meter" class:full={fills && percent >= FULL}>
            <span>{label}</span>
            <span class="track" aria-hidden="true"><span class="level" style:width=format!("{shown}%")></span></span>
            <span class="value">{format!("{shown}%")}</span>
        </div>
    }
}
