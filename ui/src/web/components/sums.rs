//! Sums as a table. On a narrow page it scrolls by itself, with the names in their place.

use leptos::prelude::*;

use crate::view::usage::{Row, Table};

/// A table of sums.
#[component]
pub(crate) fn Sums(
    /// The sums.
    #[prop(into)]
    table: Signal<Table>,
    /// What they are, for those who do not see it.
    #[prop(into)]
    label: Signal<String>,
) -> impl IntoView {
    let cells = |row: Row| {
        let cells = row.cells.into_iter().map(|cell| view! { <td>{cell}</td> }).collect_view();
        view! { <tr><th scope="row">{row.name}</th>{cells}</tr> }
    };
    let head =
        move || table.with(|table| table.head.iter().map(|name| view! { <th scope="col">{*name}</th> }).collect_view());
    let rows = move || table.with(|table| table.rows.iter().cloned().map(cells).collect_view());
    let total = move || {
        let total = table.with(|table| table.total.clone())?;
        Some(view! { <tfoot>{cells(total)}</tfoot> })
    };
    view! {
        <div class="table-space" role="region" tabindex="0" aria-label=move || label.get()>
            <table class="sums">
                <thead><tr>{head}</tr></thead>
                <tbody>{rows}</tbody>
                {total}
            </table>
        </div>
    }
}
