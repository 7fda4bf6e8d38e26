//! What did not load: what, why, and a way on.

use leptos::prelude::*;

use super::button::Button;
use super::icon::Icon;
use crate::strings::shell as text;

/// A part of the page that did not load.
#[component]
pub(crate) fn NotLoaded(
    /// What.
    what: &'static str,
    /// Why.
    #[prop(into)]
    why: Signal<String>,
    /// Tries again.
    on_again: impl Fn() + 'static,
) -> impl IntoView {
    view! {
        <div class="not-loaded" role="alert">
            <p>{move || text::not_loaded(what, &why.get())}</p>
            <Button icon=Some(Icon::Retry) label=text::TRY_AGAIN.to_owned() on_press=on_again />
        </div>
    }
}

/// A part of the page that is on its way. Shown only after a moment, so that what is quick does not flicker.
#[component]
pub(crate) fn Loading() -> impl IntoView {
    view! { <p class="loading" role="status">{text::LOADING}</p> }
}
