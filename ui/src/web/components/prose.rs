//! Sentences in which `words between backticks` are set as code.

use leptos::prelude::*;

/// A sentence.
#[component]
pub(crate) fn Prose(
    /// The sentence.
    #[prop(into)]
    text: String,
) -> impl IntoView {
    // Between an odd backtick and the next one stands code.
    let piece = |(n, piece): (usize, &str)| {
        let piece = piece.to_owned();
        if n % 2 == 1 { view! { <code>{piece}</code> }.into_any() } else { piece.into_any() }
    };
    text.split('`').enumerate().map(piece).collect_view()
}
