//! What stands under a log: whether it follows, and what one can do with it.

use leptos::ev;
use leptos::html;
use leptos::prelude::*;

use super::{Page, ROW};
use crate::strings::log as text;
use crate::view::log::LogView;
use crate::view::task::Glyph;
use crate::web::components::glyph::Sign;
use crate::web::components::icon::{Draw, Icon};

/// What stands under the log.
#[component]
pub(super) fn Foot(page: Page, is_live: Signal<bool>, is_lit: Signal<bool>) -> impl IntoView {
    let has_calls = page.read(LogView::has_calls);
    let opens_all = page.read(LogView::is_open_all);
    let held_at = move || {
        page.changes.track();
        let row = (page.top.get() / ROW) as usize;
        text::held_at(page.log.with_value(|log| log.seq_at(row)))
    };
    let state = move || {
        match (page.follows.get(), is_live.get()) {
        (true, true) => view! {
            <Show when=move || is_lit.get()><Sign glyph=Glyph::Running /></Show>
            <b>{text::FOLLOWING}</b>
            <span class="meta wide-only">{text::SCROLL_HINT}</span>
        }
        .into_any(),
        (true, false) => view! { <span class="meta">{text::ENDED}</span> }.into_any(),
        (false, _) => view! {
            <span>{held_at}</span>
            <button class="text-button" type="button" on:click=move |_| { page.follows.set(true); page.to_end(); }>{text::FOLLOW}</button>
        }
        .into_any(),
    }
    };
    let open_all = move |_| {
        page.change(|log| log.open_all(!log.is_open_all()));
    };
    view! {
        <div class="log-foot">
            <div class="log-state">{state}</div>
            <Show when=move || page.is_finding.get() fallback=move || view! {
                <div class="log-acts">
                    <button
                        class="text-button wide-only"
                        type="button"
                        aria-pressed=move || page.wraps.get().to_string()
                        on:click=move |_| page.wraps.update(|wraps| *wraps = !*wraps)
                    >
                        {text::WRAP}
                    </button>
                    <Show when=move || has_calls.get()>
                        <button class="text-button" type="button" on:click=open_all>
                            {move || if opens_all.get() { text::FOLD_ALL } else { text::OPEN_ALL }}
                        </button>
                    </Show>
                    <button class="text-button" type="button" on:click=move |_| page.is_finding.set(true)>
                        <Draw icon=Icon::Search />{text::FIND}
                    </button>
                </div>
            }>
                <Finder page />
            </Show>
        </div>
    }
}

/// Looking for a text.
#[component]
fn Finder(page: Page) -> impl IntoView {
    let node = NodeRef::<html::Input>::new();
    Effect::new(move || {
        if let Some(node) = node.get() {
            node.focus().unwrap_or_default();
        }
    });
    let typed = move |event: ev::Event| {
        let wanted = event_target_value(&event);
        page.wanted.set(wanted.clone());
        page.look(&wanted);
    };
    let pressed = move |event: ev::KeyboardEvent| match event.key().as_str() {
        "Enter" => {
            event.prevent_default();
            page.step(event.shift_key());
        }
        "Escape" => page.end_finding(),
        _ => {}
    };
    let found = move || {
        page.find.with(|find| match find {
            Some(find) if find.count() > 0 => text::found(find.current(), find.count()),
            Some(_) if !page.wanted.get().is_empty() => text::FIND_NONE.to_owned(),
            _ => String::new(),
        })
    };
    view! {
        <div class="log-find" role="search">
            <input
                node_ref=node
                type="text"
                aria-label=text::FIND_LABEL
                prop:value=move || page.wanted.get()
                on:input=typed
                on:keydown=pressed
            />
            <span class="meta" role="status">{found}</span>
            <button class="icon-button" type="button" aria-label=text::FIND_BEFORE on:click=move |_| page.step(false)>
                <span class="turned"><Draw icon=Icon::Right /></span>
            </button>
            <button class="icon-button" type="button" aria-label=text::FIND_NEXT on:click=move |_| page.step(true)>
                <Draw icon=Icon::Down />
            </button>
            <button class="icon-button" type="button" aria-label=text::FIND_CLOSE on:click=move |_| page.end_finding()>
                <Draw icon=Icon::Cross />
            </button>
        </div>
    }
}
