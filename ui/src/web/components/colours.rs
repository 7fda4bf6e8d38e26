//! The choice of colours.

use leptos::prelude::*;

use super::dialog::Dialog;
use crate::strings::shell as text;
use crate::web::browser::Theme;

/// The choice of colours.
#[component]
pub(crate) fn Colours() -> impl IntoView {
    let chosen = RwSignal::new(Theme::chosen());
    let choice = move |theme: Theme| {
        let words = match theme {
            Theme::System => text::THEME_SYSTEM,
            Theme::Dark => text::THEME_DARK,
            Theme::Light => text::THEME_LIGHT,
        };
        let choose = move |_| {
            theme.choose();
            chosen.set(theme);
        };
        view! {
            <label class="chip" class:on=move || chosen.get() == theme>
                <input class="unseen" type="radio" name="theme" prop:checked=move || chosen.get() == theme on:change=choose />
                {words}
            </label>
        }
    };
    view! {
        <fieldset>
            <legend class="unseen">{text::THEME}</legend>
            <div class="chips">{Theme::ALL.map(choice).collect_view()}</div>
        </fieldset>
    }
}

/// The same, over any page.
#[component]
pub(crate) fn ColoursDialog(
    /// Whether it is open.
    open: RwSignal<bool>,
) -> impl IntoView {
    view! {
        <Dialog open title=text::THEME.to_owned()>
            <div class="dialog-body"><Colours /></div>
        </Dialog>
    }
}
