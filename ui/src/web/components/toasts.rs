//! Toasts, and the one polite voice.

use leptos::prelude::*;

use super::glyph::Sign;
use super::icon::{Draw, Icon};
use crate::strings::shell as text;
use crate::view::task::Glyph;
use crate::web::announce::{Toast, use_voice};

/// What the page says beside itself.
#[component]
pub(crate) fn Toasts() -> impl IntoView {
    let voice = use_voice();
    let toast = move |toast: Toast| {
        let id = toast.id;
        let glyph = if toast.is_bad { Glyph::Failed } else { Glyph::Done };
        let words = match toast.href {
            Some(href) => view! { <a href=href>{toast.words}</a> }.into_any(),
            None => view! { <span>{toast.words}</span> }.into_any(),
        };
        let keep = move || voice.kept.set(Some(id));
        let release = move || voice.kept.set(None);
        view! {
            <li
                class="toast"
                role=if toast.is_bad { "alert" } else { "status" }
                on:pointerenter=move |_| keep()
                on:pointerleave=move |_| release()
                on:focusin=move |_| keep()
                on:focusout=move |_| release()
            >
                <Sign glyph />
                {words}
                <button class="icon-button" type="button" aria-label=text::DISMISS on:click=move |_| voice.drop_toast(id)>
                    <Draw icon=Icon::Cross />
                </button>
            </li>
        }
    };
    view! {
        <ul class="toasts"><For each=move || voice.toasts.get() key=|toast| toast.id children=toast /></ul>
        <div class="unseen" aria-live="polite">{move || voice.spoken.get()}</div>
    }
}
