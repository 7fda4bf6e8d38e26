//! An address without a page.

use leptos::prelude::*;

use crate::strings::shell as text;

/// An address without a page.
#[component]
pub(crate) fn Missing() -> impl IntoView {
    view! {
        <div class="page">
            <h1>{text::NO_SUCH_PAGE}</h1>
            <p class="reason">{text::NO_SUCH_PAGE_BODY}</p>
            <p><a href="/">{text::TO_HOME}</a></p>
        </div>
    }
}
