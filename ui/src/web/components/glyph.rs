//! The sign of a state, alone or with its word.

use leptos::prelude::*;

use crate::view::task::{Glyph, State};

/// The sign alone, where the words beside it say what it means.
#[component]
pub(crate) fn Sign(
    /// Which.
    #[prop(into)]
    glyph: Signal<Glyph>,
) -> impl IntoView {
    move || {
        let glyph = glyph.get();
        view! {
            <svg class=format!("glyph {}", glyph.class()) viewBox="0 0 16 16" aria-hidden="true">
                {shape(glyph)}
            </svg>
        }
    }
}

fn shape(glyph: Glyph) -> AnyView {
    match glyph {
        Glyph::Queued => view! { <circle cx="8" cy="8" r="4.75" /> }.into_any(),
        Glyph::Starting => {
            view! { <circle cx="8" cy="8" r="4.75" /><path class="fill" d="M8 3.25a4.75 4.75 0 0 1 0 9.5z" /> }
                .into_any()
        }
        Glyph::Running => view! {
            <path d="M8 1v2.2" />
            <path class="shade" d="M2.4 9.4 5.3 3.4h5.4l2.9 6z" />
            <path class="rays" d="M8 11.7v2.9M4.3 11.6l-1.5 2.2M11.7 11.6l1.5 2.2" />
        }
        .into_any(),
        Glyph::WaitsForYou => view! {
            <path class="fill" d="M4.6 3.25h9.65l-2.85 9.5H1.75z" />
            <path class="mark" d="M8.3 5.6 7.7 8.3M7.1 10.3h.01" />
        }
        .into_any(),
        Glyph::Parked => view! { <circle cx="8" cy="8" r="5.5" /><path d="M8 4.9V8l2 1.4" /> }.into_any(),
        Glyph::Done => view! { <circle cx="8" cy="8" r="5.75" /><path d="m5.4 8.2 1.8 1.8 3.4-3.7" /> }.into_any(),
        Glyph::Failed => view! {
            <rect x="2.5" y="2.5" width="11" height="11" rx="2" />
            <path d="m5.75 5.75 4.5 4.5M10.25 5.75l-4.5 4.5" />
        }
        .into_any(),
        Glyph::Cancelled => view! { <circle cx="8" cy="8" r="5.5" /><path d="m4.2 11.8 7.6-7.6" /> }.into_any(),
        Glyph::NoMatch => {
            view! { <circle class="broken" cx="8" cy="8" r="5.5" /><path d="M8 5v3.4M8 10.6h.01" /> }.into_any()
        }
    }
}

/// A state: its sign and its word.
#[component]
pub(crate) fn StateWord(
    /// Which.
    #[prop(into)]
    state: Signal<State>,
) -> impl IntoView {
    view! {
        <span class=move || format!("state {}", state.get().glyph.class())>
            <Sign glyph=Signal::derive(move || state.get().glyph) />
            <span>{move || state.get().word}</span>
        </span>
    }
}
