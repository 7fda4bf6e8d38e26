//! The list of tasks.

use std::time::Duration;

use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_query_map};
use swarm_model::{TaskNumber, TaskStatus};
use swarm_proto::client::ToViewer;
use swarm_proto::tasks::Task;

use crate::strings::{shell, tasks as text};
use crate::view::list::{self, Filter, Shown, TaskList};
use crate::view::{submit, task, words};
use crate::web::browser::{self, use_moment};
use crate::web::components::button::{Button, Weight};
use crate::web::components::failure::{Loading, NotLoaded};
use crate::web::components::field::Select;
use crate::web::components::glyph::{Sign, StateWord};
use crate::web::components::icon::{Draw, Icon};
use crate::web::components::new_task::NewTaskOpen;
use crate::web::keys::use_keys;
use crate::web::live::use_live;

/// How long after the last letter the list is asked for.
const PAUSE: Duration = Duration::from_millis(250);

/// The list of tasks. What is looked for stands in the page's address.
#[component]
pub(crate) fn Tasks() -> impl IntoView {
    let live = use_live();
    let new_task: NewTaskOpen = expect_context();
    let query = use_query_map();
    let filter = Memo::new(move |_| query.with(|query| Filter::from_query(|name| query.get(name))));
    view! {
        <div class="page tasks">
            <div class="head">
                <h1>{move || live.swarm.with(list::headline)}</h1>
                <Button weight=Weight::Primary icon=Some(Icon::Plus) label=text::NEW.to_owned() key="N" on_press=move || new_task.0.set(true) />
            </div>
            <Filters filter />
            {move || {
                let (filter, _) = (filter.get(), live.epoch.get());
                view! { <List filter /> }
            }}
        </div>
    }
}

#[component]
fn Filters(filter: Memo<Filter>) -> impl IntoView {
    let live = use_live();
    let navigate = use_navigate();
    let go = StoredValue::new_local(move |filter: Filter| {
        let options = NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() };
        navigate(&browser::address("/tasks", &filter.to_query()), options);
    });
    let change = move |change: &dyn Fn(&mut Filter)| {
        let mut changed = filter.get_untracked();
        change(&mut changed);
        go.with_value(|go| go(changed));
    };
    let timer = StoredValue::new(None::<TimeoutHandle>);
    let typed = move |event: ev::Event| {
        let text = event_target_value(&event);
        timer.update_value(|timer| timer.take().iter().for_each(TimeoutHandle::clear));
        let later = set_timeout_with_handle(move || change(&|filter| filter.text.clone_from(&text)), PAUSE);
        timer.set_value(later.ok());
    };
    on_cleanup(move || {
        timer.try_update_value(|timer| timer.take().iter().for_each(TimeoutHandle::clear));
    });
    let chip = move |shown: Shown| {
        let count = move || live.swarm.with(|swarm| shown.count(swarm));
        let is_lit = move || shown == Shown::Running && count() > 0;
        view! {
            <button
                class="chip"
                class:on=move || filter.with(|filter| filter.shown == shown)
                type="button"
                aria-pressed=move || filter.with(|filter| filter.shown == shown).to_string()
                on:click=move |_| change(&|filter| filter.shown = shown)
            >
                <Show when=is_lit><Sign glyph=task::Glyph::Running /></Show>
                {shown.word()}" "<span class="count">{move || words::thousands(count())}</span>
            </button>
        }
    };
    let workers = move || live.swarm.with(|swarm| swarm.workers.clone().unwrap_or_default());
    let tools = Signal::derive(move || {
        let any = (String::new(), text::ANY_TOOL.to_owned());
        let named = submit::tools(&workers(), None).into_iter().map(|(name, _)| (name.clone(), words::tool(&name)));
        std::iter::once(any).chain(named).collect::<Vec<_>>()
    });
    let machines = Signal::derive(move || {
        let any = (String::new(), text::ANY_WORKER.to_owned());
        std::iter::once(any)
            .chain(workers().into_iter().map(|w| (w.worker_id.to_string(), w.machine_name)))
            .collect::<Vec<_>>()
    });
    let worker = Signal::derive(move || filter.with(|f| f.worker.map(|worker| worker.to_string()).unwrap_or_default()));
    let tool = Signal::derive(move || filter.with(|f| f.tool.clone()));
    view! {
        <div class="filters" role="search">
            <label class="search">
                <Draw icon=Icon::Search />
                <input
                    id="task-search"
                    type="search"
                    placeholder=text::SEARCH
                    aria-label=text::SEARCH
                    prop:value=move || filter.with(|filter| filter.text.clone())
                    on:input=typed
                />
                <kbd>"/"</kbd>
            </label>
            <div class="filter-row">
            <div class="chips" role="group" aria-label=text::FILTER>{Shown::ALL.map(chip).collect_view()}</div>
            <Select id="filter-worker" label=text::WORKER bare=true value=worker choices=machines
                on_choose=move |chosen| change(&|filter| filter.worker = chosen.parse().ok()) />
            <Select id="filter-tool" label=text::TOOL bare=true value=tool choices=tools
                on_choose=move |chosen| change(&|filter| filter.tool.clone_from(&chosen)) />
            </div>
        </div>
    }
}

/// The rows for one filter.
#[component]
fn List(filter: Filter) -> impl IntoView {
    let live = use_live();
    let rows = RwSignal::new(TaskList::new(filter.clone()));
    let failure = RwSignal::new(None::<String>);
    let is_loading = RwSignal::new(false);
    let is_pointed_at = RwSignal::new(false);
    let is_narrow = filter.is_narrow() || filter.shown != Shown::All;
    let filter = StoredValue::new(filter);
    let load = move || {
        if is_loading.get_untracked() {
            return;
        }
        is_loading.set(true);
        failure.set(None);
        let cursor = rows.with_untracked(TaskList::next);
        spawn_local(async move {
            let Some(question) = filter.try_with_value(|filter| filter.question(cursor)) else { return };
            match live.client().tasks(&question).await {
                Ok(page) => {
                    rows.try_update(|rows| rows.add_page(page));
                }
                Err(error) => {
                    failure.try_set(Some(live.words_of(&error)));
                }
            }
            is_loading.try_set(false);
        });
    };
    load();
    live.listen(move |frames| {
        let hold = is_pointed_at.try_get_untracked().unwrap_or_default();
        let tasks = frames.iter().filter_map(|frame| match frame {
            ToViewer::Event { task: Some(task), .. } => Some(&**task),
            _ => None,
        });
        let tasks: Vec<_> = tasks.collect();
        if !tasks.is_empty() {
            rows.try_update(|rows| tasks.iter().for_each(|task| rows.hear(task, hold)));
        }
    });
    let numbers = Memo::new(move |_| rows.with(|rows| rows.rows().iter().map(|task| task.number).collect::<Vec<_>>()));
    let n_held = Memo::new(move |_| rows.with(TaskList::n_held));
    let is_loaded = Memo::new(move |_| rows.with(TaskList::is_loaded));
    let has_more = Memo::new(move |_| rows.with(|rows| rows.next().is_some()));
    let node = NodeRef::<html::Ul>::new();
    walk_by_keys(rows);

    let empty = move || {
        view! {
            <div class="empty-list">
                <p class="strong">{if is_narrow { text::NOTHING_MATCHES } else { text::NONE_YET }}</p>
                <p>{if is_narrow { view! { <a href="/tasks">{text::CLEAR}</a> }.into_any() } else { text::EMPTY_BODY.into_any() }}</p>
            </div>
        }
    };
    view! {
        <div class="task-row list-head" aria-hidden="true">
            <span>{text::COLUMN_TASK}</span><span>{text::COLUMN_STATUS}</span><span>{text::COLUMN_TITLE}</span>
            <span>{text::WORKER}</span><span>{text::TOOL}</span>
            <span class="right">{text::COLUMN_AGE}</span><span class="right">{text::COLUMN_TOOK}</span><span class="right">{text::COLUMN_TRIES}</span>
        </div>
        <Show when=move || { n_held.get() > 0 }>
            <button class="held" type="button" on:click=move |_| rows.update(TaskList::release)>{move || text::held(n_held.get() as u64)}</button>
        </Show>
        <ul
            node_ref=node
            class="task-list"
            aria-label=text::LIST
            aria-busy=move || is_loading.get().to_string()
            on:pointerenter=move |_| is_pointed_at.set(true)
            on:pointerleave=move |_| is_pointed_at.set(false)
            on:focusin=move |_| is_pointed_at.set(true)
            on:focusout=move |_| is_pointed_at.set(false)
        >
            <For each=move || numbers.get() key=|number| *number children=move |number| view! { <TaskRow rows number /> } />
        </ul>
        {move || failure.get().map(|why| view! { <NotLoaded what=text::THE_LIST why on_again=load /> })}
        <Show when=move || !is_loaded.get() && failure.with(Option::is_none)><Loading /></Show>
        <Show when=move || is_loaded.get() && numbers.with(Vec::is_empty)>{empty()}</Show>
        <Show when=move || has_more.get()>
            <p class="list-foot"><Button label=text::OLDER.to_owned() off=is_loading on_press=load /></p>
        </Show>
        <p class="unseen" role="status">{move || if is_loading.get() { shell::LOADING } else { "" }}</p>
    }
}

/// J and K walk the rows.
fn walk_by_keys(rows: RwSignal<TaskList>) {
    let keys = use_keys();
    let go = move |forward: bool| {
        let focused = document().active_element().and_then(|element| element.get_attribute("data-number"));
        let here = focused.and_then(|number| number.parse().ok()).map(TaskNumber);
        let Some(there) = rows.with_untracked(|rows| rows.neighbour(here, forward)) else { return };
        let found = document().query_selector(&format!("[data-number=\"{there}\"]")).ok().flatten();
        if let Some(row) = found.and_then(|row| wasm_bindgen::JsCast::dyn_into::<web_sys::HtmlElement>(row).ok()) {
            row.focus().unwrap_or_default();
        }
    };
    keys.bind('j', move || go(true));
    keys.bind('k', move || go(false));
}

#[component]
fn TaskRow(rows: RwSignal<TaskList>, number: TaskNumber) -> impl IntoView {
    let live = use_live();
    let moment = use_moment();
    let task = Memo::new(move |_| rows.with(|rows| rows.rows().iter().find(|task| task.number == number).cloned()));
    let of = move |read: fn(&Task) -> String| move || task.with(|task| task.as_ref().map(read).unwrap_or_default());
    let state = Signal::derive(move || {
        task.with(|task| task.as_ref().map_or(task::State { glyph: task::Glyph::Queued, word: "" }, task::state))
    });
    let timed = move |read: fn(&Task, words::Moment) -> Option<String>| {
        move || {
            let moment = moment.get();
            task.with(|task| task.as_ref().and_then(|task| read(task, moment)))
        }
    };
    let note = Memo::new(move |_| {
        let moment = moment.get();
        live.swarm.with(|swarm| task.with(|task| task.as_ref().and_then(|task| task::note(task, swarm, moment))))
    });
    // On a phone the reason stands in place of the state that it explains.
    let is_told = move || {
        let waits = |task: &Task| matches!(task.status, TaskStatus::Queued | TaskStatus::Waiting);
        note.with(Option::is_some) && task.with(|task| task.as_ref().is_some_and(waits))
    };
    let machine = move || {
        task.with(|task| {
            let worker = task.as_ref().and_then(|task| task.worker_id);
            worker.map_or_else(|| text::ANY.to_owned(), |worker| live.swarm.with(|swarm| swarm.machine_name(worker)))
        })
    };
    view! {
        <li>
            <a class="task-row" class:told=is_told href=format!("/tasks/{number}") data-number=number.to_string()>
                <span class="number">{number.to_string()}</span>
                <StateWord state />
                <span class="what"><span class="title">{of(task::title)}</span>" "<span class="note" title=note>{note}</span></span>
                <span class="machine">{machine}</span>
                <span class="tool">{of(task::tool)}</span>
                <span class="age right">{timed(|task, moment| Some(words::age(moment.now.since(task.created_at))))}</span>
                <span class="took right">{timed(task::took)}</span>
                <span class="tries right">{of(|task| if task.attempt == 0 { String::new() } else { task.attempt.to_string() })}</span>
            </a>
        </li>
    }
}
