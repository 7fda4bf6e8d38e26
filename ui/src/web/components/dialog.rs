//! A dialog: the browser's own, which keeps the focus in it and closes with Esc.

use leptos::prelude::*;

use super::button::{Button, Weight};
use super::icon::{Draw, Icon};
use crate::strings::shell as text;

/// A dialog. What stands in it exists only while it is open.
#[component]
pub(crate) fn Dialog(
    /// Whether it is open.
    open: RwSignal<bool>,
    /// Its heading.
    #[prop(into)]
    title: Signal<String>,
    /// Whether it is wide.
    #[prop(optional)]
    wide: bool,
    /// What stands in it.
    children: ChildrenFn,
) -> impl IntoView {
    let node = NodeRef::<leptos::html::Dialog>::new();
    Effect::new(move || {
        let Some(dialog) = node.get() else { return };
        if open.get() && !dialog.open() {
            dialog.show_modal().unwrap_or_default();
        } else if !open.get() && dialog.open() {
            dialog.close();
        }
    });
    view! {
        <dialog
            node_ref=node
            class=if wide { "dialog wide" } else { "dialog" }
            aria-label=move || title.get()
            on:close=move |_| open.set(false)
        >
            <header>
                <h2>{move || title.get()}</h2>
                <button class="icon-button" type="button" aria-label=text::CLOSE on:click=move |_| open.set(false)>
                    <Draw icon=Icon::Cross />
                </button>
            </header>
            <Show when=move || open.get()>{children()}</Show>
        </dialog>
    }
}

/// Asks once more before something ends. The safe answer has the focus.
#[component]
pub(crate) fn Ask(
    /// Whether it is asked.
    open: RwSignal<bool>,
    /// The question.
    #[prop(into)]
    title: Signal<String>,
    /// What would happen.
    #[prop(into)]
    body: Signal<String>,
    /// The words of the act.
    #[prop(into)]
    act: Signal<String>,
    /// Whether the act can be taken back.
    #[prop(optional)]
    harmless: bool,
    /// The act.
    on_confirm: impl Fn() + Clone + Send + Sync + 'static,
) -> impl IntoView {
    view! {
        <Dialog open title>
            <p class="dialog-body">{move || body.get()}</p>
            <footer>
                <Button weight=Weight::Secondary label=text::KEEP.to_owned() focused=true on_press=move || open.set(false) />
                <Button
                    weight=if harmless { Weight::Primary } else { Weight::Confirm }
                    label=act
                    on_press={
                        let on_confirm = on_confirm.clone();
                        move || {
                            open.set(false);
                            on_confirm();
                        }
                    }
                />
            </footer>
        </Dialog>
    }
}
