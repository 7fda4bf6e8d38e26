//! A run in a card: what it is, how long it goes on, and its last three lines. Its height never changes.

use leptos::html;
use leptos::prelude::*;
use swarm_model::TaskId;
use swarm_model::log::LogStream;

use super::glyph::Sign;
use super::log::{letters_in, piece};
use crate::strings::home as text;
use crate::view::log::{Bounds, LogView, Row};
use crate::view::task;
use crate::web::browser::use_moment;
use crate::web::follow::LogNews;
use crate::web::live::use_live;

/// Lines in a card.
const LINES: usize = 3;
/// Entries that are read to fill them.
const ENTRIES: u64 = 60;
/// The width of a letter in a card, in pixels: 12 at 0.6, as fixed-width faces have it.
const LETTER: f64 = 7.3;
/// The room left and right of the lines.
const PADDING: usize = 4;

/// A card for a run that is known to the page.
#[component]
pub(crate) fn RunCard(
    /// Which task.
    task_id: TaskId,
) -> impl IntoView {
    let live = use_live();
    let moment = use_moment();
    let task = Memo::new(move |_| live.swarm.with(|swarm| swarm.task(task_id).cloned()));
    let begin = live.swarm.with_untracked(|swarm| swarm.task(task_id).map_or(0, |task| task.log_seq));
    let after = begin.saturating_sub(ENTRIES);

    let log = StoredValue::new_local(LogView::new(Bounds::CARD, after));
    let rows = RwSignal::new(Vec::<Row>::new());
    let node = NodeRef::<html::Div>::new();
    live.follow(task_id, after, move |news| {
        if let LogNews::Entries(entries) = news {
            let columns = node.get_untracked().map(|node| letters_in(&node, LETTER).saturating_sub(PADDING));
            let tail = log.try_update_value(|log| {
                log.set_columns(columns);
                // What it used is told on its page; a card shows what it says.
                log.extend(entries.into_iter().filter(|entry| entry.stream != LogStream::Usage).collect());
                log.tail(LINES)
            });
            if let Some(tail) = tail {
                rows.try_set(tail);
            }
        }
    });

    let is_lit = Memo::new(move |_| task.with(|task| task.as_ref().is_some_and(task::is_lit)));
    let title = move || task.with(|task| task.as_ref().map(task::title));
    let took = move || task.with(|task| task.as_ref().and_then(|task| task::took(task, moment.get())));
    let number = Memo::new(move |_| task.with(|task| task.as_ref().map_or(0, |task| task.number.0)));
    let where_and_how = move || {
        task.with(|task| {
            let task = task.as_ref()?;
            let machine = task.worker_id.map(|worker| live.swarm.with(|swarm| swarm.machine_name(worker)));
            Some([machine, Some(task::tool(task))].into_iter().flatten().collect::<Vec<_>>().join(" · "))
        })
    };
    let lines = move || {
        let rows = rows.get();
        let last = rows.len().saturating_sub(1);
        let line = |(n, row): (usize, Row)| {
            let caret = (n == last && is_lit.get()).then(|| view! { <span class="caret"></span> });
            view! { <p class:last=n == last>{row.pieces.into_iter().map(piece).collect_view()}{caret}</p> }
        };
        if rows.is_empty() {
            view! { <p>{text::NO_LINES}</p> }.into_any()
        } else {
            rows.into_iter().enumerate().map(line).collect_view().into_any()
        }
    };
    view! {
        <a class="run" class:lit=move || is_lit.get() href=move || format!("/tasks/{}", number.get())>
            <div class="run-head">
                <Sign glyph=Signal::derive(move || task.with(|task| task.as_ref().map_or(task::Glyph::Queued, |task| task::state(task).glyph))) />
                <div class="run-what">
                    <p class="run-title">{title}</p>
                    <p class="run-where">{where_and_how}</p>
                </div>
                <div class="run-time">
                    <p>{took}</p>
                    <p class="meta">{move || format!("#{}", number.get())}</p>
                </div>
            </div>
            <div class="run-lines" node_ref=node>{lines}</div>
        </a>
    }
}
