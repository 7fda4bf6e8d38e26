//! Bars beside each other. The table below them carries the same numbers for those who do not see them.

use leptos::prelude::*;

use crate::view::usage::{Bar, Chart};

/// The bars of a chart.
#[component]
pub(crate) fn Bars(
    /// What is drawn.
    #[prop(into)]
    chart: Signal<Chart>,
) -> impl IntoView {
    let bar = |bar: Bar| {
        // What is there at all is seen.
        let height = if bar.percent > 0.0 { format!("max(2px, {:.2}%)", bar.percent) } else { "0".to_owned() };
        view! {
            <div class="bar" class:last=bar.is_last title=bar.title>
                <span class="bar-space">
                    <span class="bar-amount">{bar.amount}</span>
                    {bar.is_more.then(|| view! { <span class="bar-more"></span> })}
                    <span class="bar-level" style:height=height></span>
                </span>
                <span class="bar-label">{bar.label}</span>
            </div>
        }
    };
    view! { <div class="bars" aria-hidden="true">{move || chart.get().bars.into_iter().map(bar).collect_view()}</div> }
}
