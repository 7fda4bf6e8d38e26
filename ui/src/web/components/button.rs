//! A button that names its act.

use leptos::prelude::*;

use super::icon::{Draw, Icon};
use crate::web::live::Live;

/// How much a button asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Weight {
    /// The one act of a page.
    Primary,
    /// An act.
    #[default]
    Secondary,
    /// An act beside others.
    Quiet,
    /// An act that ends something.
    Danger,
    /// The same, in the dialog that asks once more.
    Confirm,
}

impl Weight {
    fn class(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
            Self::Quiet => "quiet",
            Self::Danger => "danger",
            Self::Confirm => "confirm",
        }
    }
}

/// A button.
#[component]
pub(crate) fn Button(
    /// How much it asks for.
    #[prop(optional)]
    weight: Weight,
    /// An icon before its words.
    #[prop(optional_no_strip)]
    icon: Option<Icon>,
    /// Its words.
    #[prop(into)]
    label: Signal<String>,
    /// The key that does the same.
    #[prop(optional, into)]
    key: &'static str,
    /// Whether it is small.
    #[prop(optional)]
    small: bool,
    /// Whether its act needs the coordinator; it rests while that cannot be reached.
    #[prop(optional)]
    online: bool,
    /// Whether it cannot be used now.
    #[prop(optional, into)]
    off: Signal<bool>,
    /// More about it, for a pointer that rests on it.
    #[prop(optional, into)]
    hint: &'static str,
    /// What it is called where its words alone do not tell it from its like.
    #[prop(optional_no_strip, into)]
    called: Option<String>,
    /// Whether it sends the form that it stands in.
    #[prop(optional)]
    submits: bool,
    /// Whether it has the focus when it appears.
    #[prop(optional)]
    focused: bool,
    /// The act.
    on_press: impl Fn() + 'static,
) -> impl IntoView {
    let line = use_context::<Live>().filter(|_| online).map(|live| live.line);
    let rests = move || off.get() || line.is_some_and(|line| line.get().is_stale());
    let class = format!("button {}{}", weight.class(), if small { " small" } else { "" });
    view! {
        <button
            class=class
            type=if submits { "submit" } else { "button" }
            disabled=rests
            title=(!hint.is_empty()).then_some(hint)
            aria-label=called
            autofocus=focused
            on:click=move |event| {
                if !submits {
                    event.prevent_default();
                }
                on_press();
            }
        >
            {icon.map(|icon| view! { <Draw icon /> })}
            <span>{move || label.get()}</span>
            {(!key.is_empty()).then(|| view! { <kbd>{key}</kbd> })}
        </button>
    }
}
