//! Fields with a label above and a hint or an error below.

use leptos::prelude::*;

use super::glyph::Sign;
use crate::strings::shell as text;
use crate::view::register::{Errors, Place};
use crate::view::submit::Choice;
use crate::view::task::Glyph;

#[component]
fn Below(
    id: &'static str,
    #[prop(into)] hint: Signal<String>,
    #[prop(into)] error: Signal<Option<String>>,
) -> impl IntoView {
    view! {
        <p class="below" id=format!("{id}-below")>
            {move || match error.get() {
                Some(error) => {
                    view! { <span class="error" role="alert"><Sign glyph=Glyph::Failed />{error}</span> }.into_any()
                }
                None => hint.get().into_any(),
            }}
        </p>
    }
}

/// A line of text.
#[component]
pub(crate) fn TextField(
    /// Its id, which is its name too.
    id: &'static str,
    /// Its label.
    label: &'static str,
    /// Its text.
    value: RwSignal<String>,
    /// Whether its text is hidden.
    #[prop(optional)]
    secret: bool,
    /// What the browser may fill in.
    #[prop(optional)]
    autocomplete: &'static str,
    /// Which keys a phone shows.
    #[prop(optional)]
    inputmode: &'static str,
    /// What may stand in it.
    #[prop(optional, into)]
    hint: Signal<String>,
    /// What is wrong with it.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// Words in it while it is empty.
    #[prop(optional, into)]
    placeholder: Signal<String>,
    /// The id of a list of proposals.
    #[prop(optional)]
    list: &'static str,
    /// Whether it has the focus when it appears.
    #[prop(optional)]
    focused: bool,
) -> impl IntoView {
    let shown = RwSignal::new(!secret);
    let node = NodeRef::<leptos::html::Input>::new();
    focus_once(focused, move || node.get().is_some_and(|node| node.focus().is_ok()));
    view! {
        <div class="field" class:bad=move || error.get().is_some()>
            <label for=id>{label}</label>
            <div class="input">
                <input
                    node_ref=node
                    id=id
                    name=id
                    type=move || if shown.get() { "text" } else { "password" }
                    autocomplete=if autocomplete.is_empty() { "off" } else { autocomplete }
                    inputmode=(!inputmode.is_empty()).then_some(inputmode)
                    autocapitalize="off"
                    spellcheck="false"
                    placeholder=move || placeholder.get()
                    list=(!list.is_empty()).then_some(list)
                    aria-describedby=format!("{id}-below")
                    aria-invalid=move || error.get().is_some().then_some("true")
                    prop:value=move || value.get()
                    on:input=move |event| value.set(event_target_value(&event))
                />
                {secret.then(|| view! {
                    <button
                        class="in-field"
                        type="button"
                        aria-pressed=move || shown.get().to_string()
                        aria-label=move || format!("{}: {label}", if shown.get() { text::HIDE } else { text::SHOW })
                        on:click=move |_| shown.update(|shown| *shown = !*shown)
                    >
                        {move || if shown.get() { text::HIDE } else { text::SHOW }}
                    </button>
                })}
            </div>
            <Below id hint error />
        </div>
    }
}

/// Several lines of text.
#[component]
pub(crate) fn TextArea(
    /// Its id.
    id: &'static str,
    /// Its label.
    #[prop(into)]
    label: Signal<String>,
    /// Its text.
    value: RwSignal<String>,
    /// Whether it holds code.
    #[prop(into)]
    mono: Signal<bool>,
    /// What may stand in it.
    #[prop(into)]
    hint: Signal<String>,
    /// What is wrong with it.
    #[prop(into)]
    error: Signal<Option<String>>,
) -> impl IntoView {
    let node = NodeRef::<leptos::html::Textarea>::new();
    focus_once(true, move || node.get().is_some_and(|node| node.focus().is_ok()));
    view! {
        <div class="field" class:bad=move || error.get().is_some()>
            <label for=id>{move || label.get()}</label>
            <textarea
                node_ref=node
                id=id
                class:mono=move || mono.get()
                rows="6"
                aria-describedby=format!("{id}-below")
                aria-invalid=move || error.get().is_some().then_some("true")
                prop:value=move || value.get()
                on:input=move |event| value.set(event_target_value(&event))
            ></textarea>
            <Below id hint error />
        </div>
    }
}

/// A few lines, each of which says one thing.
#[component]
pub(crate) fn Lines(
    /// Its id.
    id: &'static str,
    /// Its label.
    label: &'static str,
    /// Its text.
    value: RwSignal<String>,
    /// What may stand in it.
    #[prop(into)]
    hint: Signal<String>,
    /// What is wrong with it.
    #[prop(into)]
    error: Signal<Option<String>>,
) -> impl IntoView {
    view! {
        <div class="field" class:bad=move || error.get().is_some()>
            <label for=id>{label}</label>
            <textarea
                id=id
                class="mono lines"
                rows="2"
                spellcheck="false"
                autocapitalize="off"
                aria-describedby=format!("{id}-below")
                aria-invalid=move || error.get().is_some().then_some("true")
                prop:value=move || value.get()
                on:input=move |event| value.set(event_target_value(&event))
            ></textarea>
            <Below id hint error />
        </div>
    }
}

/// One of several.
#[component]
pub(crate) fn Select(
    /// Its id.
    id: &'static str,
    /// Its label; not shown where it is `bare`.
    label: &'static str,
    /// Whether it stands in a row of filters.
    #[prop(optional)]
    bare: bool,
    /// What was chosen.
    #[prop(into)]
    value: Signal<String>,
    /// What there is to choose.
    #[prop(into)]
    choices: Signal<Vec<Choice>>,
    /// What is wrong with the choice.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// Chooses.
    on_choose: impl Fn(String) + 'static,
) -> impl IntoView {
    let options = move || {
        let chosen = value.get();
        let option =
            |(name, words): Choice| view! { <option value=name.clone() selected=name == chosen>{words}</option> };
        choices.get().into_iter().map(option).collect_view()
    };
    view! {
        <div class=if bare { "field bare" } else { "field" } class:bad=move || error.get().is_some()>
            <label for=id class:unseen=bare>{label}</label>
            <select
                id=id
                aria-describedby=(!bare).then(|| format!("{id}-below"))
                aria-invalid=move || error.get().is_some().then_some("true")
                prop:value=move || value.get()
                on:change=move |event| on_choose(event_target_value(&event))
            >
                {options}
            </select>
            {(!bare).then(|| view! { <Below id hint="" error /> })}
        </div>
    }
}

/// What is wrong with a form and with none of its fields.
#[component]
pub(crate) fn FormError(
    /// What is wrong.
    error: Signal<Option<String>>,
) -> impl IntoView {
    move || {
        let words = error.get()?;
        Some(view! { <p class="form-error" role="alert"><Sign glyph=Glyph::Failed /><span>{words}</span></p> })
    }
}

/// The error that stands at one place.
pub(crate) fn error_at(errors: RwSignal<Errors>, place: Place) -> Signal<Option<String>> {
    Signal::derive(move || {
        errors.with(|errors| errors.iter().find(|(other, _)| *other == place).map(|(_, words)| words.clone()))
    })
}

/// Gives the focus to a node once it is there.
fn focus_once(wanted: bool, try_focus: impl Fn() -> bool + 'static) {
    let is_done = StoredValue::new(!wanted);
    Effect::new(move || {
        if !is_done.get_value() {
            is_done.set_value(try_focus());
        }
    });
}
