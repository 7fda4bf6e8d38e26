//! A line to take along to a terminal.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::button::{Button, Weight};
use super::icon::Icon;
use crate::strings::shell as text;
use crate::web::browser;

/// A line and its button. Where the browser gives no clipboard the line is selected instead.
#[component]
pub(crate) fn CopyLine(
    /// The line.
    #[prop(into)]
    line: Signal<String>,
    /// Whether copying it is the act of the page.
    #[prop(optional)]
    primary: bool,
) -> impl IntoView {
    let code = NodeRef::<leptos::html::Code>::new();
    let copied = RwSignal::new(false);
    let press = move || {
        spawn_local(async move {
            if browser::copy(&line.get_untracked()).await {
                copied.try_set(true);
                set_timeout(
                    move || {
                        copied.try_set(false);
                    },
                    Duration::from_secs(3),
                );
            } else if let (Some(code), Ok(Some(selection))) = (code.get_untracked(), window().get_selection()) {
                selection.select_all_children(&code).unwrap_or_default();
            }
        });
    };
    let label = move || if copied.get() { text::COPIED } else { text::COPY }.to_owned();
    view! {
        <div class="copy-line">
            <code node_ref=code>{move || line.get()}</code>
            <Button
                weight=if primary { Weight::Primary } else { Weight::Secondary }
                small=true
                icon=Some(Icon::Copy)
                label=Signal::derive(label)
                on_press=press
            />
        </div>
    }
}

/// A button that copies a text which stands elsewhere on the page.
#[component]
pub(crate) fn CopyText(
    /// Its words.
    label: &'static str,
    /// The text.
    text: Signal<String>,
) -> impl IntoView {
    let copied = RwSignal::new(false);
    let press = move || {
        spawn_local(async move {
            if browser::copy(&text.get_untracked()).await {
                copied.try_set(true);
                set_timeout(
                    move || {
                        copied.try_set(false);
                    },
                    Duration::from_secs(3),
                );
            }
        });
    };
    let words = move || if copied.get() { crate::strings::shell::COPIED } else { label }.to_owned();
    view! { <Button small=true icon=Some(Icon::Copy) label=Signal::derive(words) on_press=press /> }
}
