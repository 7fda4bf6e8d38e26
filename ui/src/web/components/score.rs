//! Why a task is where it is: one row for each part of the score, its track as wide as its weight.

use leptos::prelude::*;

use crate::strings::task as text;
use crate::view::placement::{Column, PARTS, ScoreTable, heading};

/// The widest track.
const WIDEST: f32 = 40.0;

/// The table of scores.
#[component]
pub(crate) fn Scores(
    /// The table.
    table: ScoreTable,
) -> impl IntoView {
    let heading = heading(&table);
    let ScoreTable { columns, n_more, ruled_out } = table;
    let scores = (!columns.is_empty()).then(|| {
        let head = columns
            .iter()
            .map(|column| view! { <th scope="col" class:chosen=column.is_chosen>{column.name.clone()}</th> })
            .collect_view();
        let part = |(n, (name, most)): (usize, (&'static str, f32))| {
            let cells = columns.iter().map(|column| cell(column, n, most)).collect_view();
            view! { <tr><th scope="row">{name}" "<span class="meta">{format!("{most:.0}")}</span></th>{cells}</tr> }
        };
        let rows = PARTS.into_iter().enumerate().map(part).collect_view();
        let totals = columns
            .iter()
            .map(|column| view! { <td class="total">{format!("{:.0}", column.total)}</td> })
            .collect_view();
        view! {
            <table class="scores">
                <thead><tr><td></td>{head}</tr></thead>
                <tbody>{rows}</tbody>
                <tfoot><tr><th scope="row">{text::SCORE}</th>{totals}</tr></tfoot>
            </table>
        }
    });
    let ruled_out = (!ruled_out.is_empty()).then(|| {
        let line = |(name, why): (String, String)| view! { <li><b>{name}</b>" "{why}</li> };
        view! {
            <h4>{text::RULED_OUT}</h4>
            <ul class="ruled-out">{ruled_out.into_iter().map(line).collect_view()}</ul>
        }
    });
    view! {
        <section class="part">
            <h3>{heading}</h3>
            {scores}
            {(n_more > 0).then(|| view! { <p class="meta">{text::more_considered(n_more)}</p> })}
            {ruled_out}
        </section>
    }
}

fn cell(column: &Column, part: usize, most: f32) -> impl IntoView + use<> {
    let points = column.points.get(part).copied().unwrap_or(0.0);
    let track = format!("{}%", most / WIDEST * 100.0);
    let fill = format!("{}%", (points / most * 100.0).clamp(0.0, 100.0));
    view! {
        <td class:chosen=column.is_chosen>
            <span class="score">
                <span class="space" aria-hidden="true">
                    <span class="track" style:width=track><span class="level" style:width=fill></span></span>
                </span>
                <span class="value">{format!("{points:.0}")}</span>
            </span>
        </td>
    }
}
