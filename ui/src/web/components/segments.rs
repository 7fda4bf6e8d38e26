//! One of a few, as buttons beside each other.

use leptos::prelude::*;

/// One of a few.
#[component]
pub(crate) fn Segments<T: Copy + PartialEq + Send + Sync + 'static>(
    /// What is chosen, for those who do not see it.
    label: &'static str,
    /// What there is to choose, with its words.
    #[prop(into)]
    choices: Signal<Vec<(T, &'static str)>>,
    /// What was chosen.
    #[prop(into)]
    chosen: Signal<T>,
    /// Chooses.
    on_choose: impl Fn(T) + Copy + Send + 'static,
) -> impl IntoView {
    let button = move |(choice, words): (T, &'static str)| {
        view! {
            <button
                class="segment"
                class:on=move || chosen.get() == choice
                type="button"
                aria-pressed=move || (chosen.get() == choice).to_string()
                on:click=move |_| on_choose(choice)
            >
                {words}
            </button>
        }
    };
    view! {
        <div class="segments" role="group" aria-label=label>
            {move || choices.get().into_iter().map(button).collect_view()}
        </div>
    }
}
