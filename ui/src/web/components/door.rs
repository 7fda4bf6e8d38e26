//! A worker drawn as a door: large with its slots, or small as a sign.

use leptos::prelude::*;

use crate::view::door::{Door, Pane, Stand};

/// A door with its panes. Name and sentence stand below, so the drawing itself says nothing.
#[component]
pub(crate) fn BigDoor(
    /// The worker, drawn.
    #[prop(into)]
    door: Signal<Door>,
) -> impl IntoView {
    let panes = move || {
        let pane = |pane: Pane| match pane {
            Pane::Own(number) => view! { <span class="pane lit">{number.to_string()}</span> }.into_any(),
            Pane::Other => view! { <span class="pane lit"></span> }.into_any(),
            Pane::Free => view! { <span class="pane"></span> }.into_any(),
        };
        door.get().panes.into_iter().map(pane).collect_view()
    };
    view! {
        <div class=move || format!("door {}", door.get().stand.class()) aria-hidden="true">
            <div class="slats"></div>
            <div class="panes">{panes}</div>
        </div>
    }
}

/// A door as a sign.
#[component]
pub(crate) fn SmallDoor(
    /// How it stands.
    #[prop(into)]
    stand: Signal<Stand>,
) -> impl IntoView {
    move || {
        let stand = stand.get();
        let slats = match stand {
            Stand::Working | Stand::Ready => "M1.5 4h17M1.5 6.5h17",
            Stand::Paused => "M1.5 4h17M1.5 6.5h17M1.5 9h17M1.5 11.25h17",
            Stand::Offline => "M1.5 4h17M1.5 6.5h17M1.5 9h17M1.5 11.25h17M1.5 13.25h17",
        };
        let light = (stand == Stand::Working).then(|| view! { <rect x="2" y="6.5" width="16" height="8.5" /> });
        view! {
            <svg class=format!("small-door {}", stand.class()) viewBox="0 0 20 16" aria-hidden="true">
                {light}
                <path class="slats" d=slats />
                <path class="frame" d="M1.5 15V1.5h17V15" />
                <path d="M.5 15.25h19" />
            </svg>
        }
    }
}
