//! What frames the pages of somebody who is not signed in: a shut door, and where one is.

use leptos::prelude::*;

use crate::strings::shell as text;
use crate::web::browser;

/// The frame of a page before the door.
#[component]
pub(crate) fn Front(
    /// Whether the way in is no good.
    #[prop(optional)]
    is_shut: bool,
    /// The page.
    children: Children,
) -> impl IntoView {
    document().set_title(text::PRODUCT);
    view! {
        <div class="signin">
            <main>
                <p class="product">{text::PRODUCT}</p>
                <div class="shut-door" class:offline=is_shut aria-hidden="true"></div>
                {children()}
            </main>
            <footer><p>{browser::host()}</p></footer>
        </div>
    }
}
