//! The first page: how things are, the machines, what runs, what waits and what did not finish.

use leptos::prelude::*;
use swarm_model::{TaskId, TaskStatus, WorkerId};
use swarm_proto::tasks::Task;

use super::first_run::FirstRun;
use crate::strings::{
    budgets as budgets_text, home as text, limits as limits_text, task as task_text, tasks as tasks_text,
};
use crate::view::swarm::Swarm;
use crate::view::{budgets, door, home, limits, task, words};
use crate::web::browser::{self, use_moment};
use crate::web::components::button::{Button, Weight};
use crate::web::components::door::BigDoor;
use crate::web::components::failure::{Loading, NotLoaded};
use crate::web::components::glyph::Sign;
use crate::web::components::icon::Icon;
use crate::web::components::new_task::NewTaskOpen;
use crate::web::components::prose::Prose;
use crate::web::components::run::RunCard;
use crate::web::live::{Live, use_live};

/// The most runs that are shown with their lines.
const MOST_RUNS: usize = 8;
/// The most rows of each list.
const MOST_ROWS: usize = 6;
/// Where it is kept that somebody wants no first run.
const AT_HOME: &str = "at-home";

/// The first page.
#[component]
pub(crate) fn Home() -> impl IntoView {
    let live = use_live();
    let is_loaded = Memo::new(move |_| live.swarm.with(Swarm::is_loaded));
    let is_at_home = RwSignal::new(browser::stored(AT_HOME).is_some());
    let first_run = Memo::new(move |_| if is_at_home.get() { None } else { live.swarm.with(home::first_run) });
    let go_home = move || {
        browser::store(AT_HOME, "yes");
        is_at_home.set(true);
    };
    let is_first = Memo::new(move |_| first_run.get().is_some());
    move || {
        match (is_loaded.get(), live.failure.get()) {
        (false, Some(why)) => {
            view! { <div class="page"><NotLoaded what=crate::strings::shell::HOME why on_again=move || live.reload() /></div> }.into_any()
        }
        (false, None) => view! { <div class="page"><Loading /></div> }.into_any(),
        (true, _) if is_first.get() => view! { <FirstRun steps=first_run on_skip=go_home /> }.into_any(),
        (true, _) => view! { <Usual /> }.into_any(),
    }
    }
}

#[component]
fn Usual() -> impl IntoView {
    let live = use_live();
    let new_task: NewTaskOpen = expect_context();
    let runs = Memo::new(move |_| live.swarm.with(|swarm| swarm.runs().map(|task| task.task_id).collect::<Vec<_>>()));
    let shown = move || runs.get().into_iter().take(MOST_RUNS).collect::<Vec<TaskId>>();
    view! {
        <div class="page home">
            <div class="head">
                <div>
                    <h1>{move || live.swarm.with(home::sentence)}</h1>
                    <p class="reason">{move || live.swarm.with(home::reason)}</p>
                </div>
                <Button weight=Weight::Primary icon=Some(Icon::Plus) label=tasks_text::NEW.to_owned() key="N" on_press=move || new_task.0.set(true) />
            </div>
            <Doors />
            <div class="columns">
                <div>
                    <section>
                        <h2>{text::RUNNING}" "<span class="count">{move || live.swarm.with(|swarm| swarm.runs().count())}</span></h2>
                        <Show when=move || !runs.with(Vec::is_empty) fallback=|| view! { <p class="empty">{text::NO_RUN}</p> }>
                            <div class="runs"><For each=shown key=|id| *id children=|task_id| view! { <RunCard task_id /> } /></div>
                        </Show>
                    </section>
                    <Queue />
                    <Done />
                </div>
                <div class="side"><Limits /><Budgets /><Waiting /><Failures /></div>
            </div>
        </div>
    }
}

#[component]
fn Doors() -> impl IntoView {
    let live = use_live();
    let moment = use_moment();
    let ids = Memo::new(move |_| {
        live.swarm.with(|swarm| swarm.workers.iter().flatten().map(|worker| worker.worker_id).collect::<Vec<_>>())
    });
    let one = move |id: WorkerId| {
        let drawn = Memo::new(move |_| {
            let moment = moment.get();
            live.swarm.with(|swarm| swarm.worker(id).map(|worker| door::door(worker, swarm, moment)))
        });
        let nothing =
            door::Door { stand: door::Stand::Offline, panes: Vec::new(), name: String::new(), sentence: String::new() };
        let drawn = Memo::new(move |_| drawn.get().unwrap_or_else(|| nothing.clone()));
        view! {
            <li>
                <a href="/workers">
                    <BigDoor door=drawn />
                    <span class="name">{move || drawn.get().name}</span>
                    <span class="sentence">{move || drawn.get().sentence}</span>
                </a>
            </li>
        }
    };
    view! { <ul class="doors"><For each=move || ids.get() key=|id| *id children=one /></ul> }
}

/// Some tasks of a state, as rows.
fn rows(live: Live, pick: impl Fn(&Swarm) -> Vec<Task> + Send + Sync + 'static) -> Memo<Vec<Task>> {
    Memo::new(move |_| live.swarm.with(|swarm| pick(swarm)))
}

#[component]
fn Queue() -> impl IntoView {
    let live = use_live();
    let moment = use_moment();
    let queue = rows(live, |swarm| swarm.in_states(&[TaskStatus::Queued]).take(MOST_ROWS).cloned().collect());
    let row = move |task: Task| {
        let note = live.swarm.with(|swarm| task::note(&task, swarm, moment.get()));
        view! {
            <a class="row-link queue-row" href=format!("/tasks/{}", task.number)>
                <Sign glyph=task::state(&task).glyph />
                <span class="title">{task::title(&task)}" "<span class="meta">{format!("#{}", task.number)}</span></span>
                <span class="note">{note}</span>
                <span class="tool">{task::tool(&task)}</span>
                <span class="age">{words::age(moment.get().now.since(task.created_at))}</span>
            </a>
        }
    };
    view! {
        <section>
            <div class="section-head">
                <h2>{text::QUEUE}" "<span class="count">{move || live.swarm.with(|swarm| words::thousands(swarm.count(TaskStatus::Queued)))}</span></h2>
                <a class="quiet-link" href="/tasks">{text::ALL_TASKS}</a>
            </div>
            {move || {
                let queue = queue.get();
                if queue.is_empty() {
                    view! { <p class="empty">{text::QUEUE_EMPTY}</p> }.into_any()
                } else {
                    queue.into_iter().map(row).collect_view().into_any()
                }
            }}
        </section>
    }
}

#[component]
fn Done() -> impl IntoView {
    let live = use_live();
    let moment = use_moment();
    let done = rows(live, |swarm| swarm.in_states(&[TaskStatus::Completed]).rev().take(MOST_ROWS).cloned().collect());
    let row = move |task: Task| {
        view! {
            <a class="row-link queue-row" href=format!("/tasks/{}", task.number)>
                <Sign glyph=task::state(&task).glyph />
                <span class="title">{task::title(&task)}" "<span class="meta">{format!("#{}", task.number)}</span></span>
                <span class="note">{task::took(&task, moment.get())}</span>
                <span class="tool">{task::tool(&task)}</span>
                <span class="age">{task.completed_at.map(|at| words::age(moment.get().now.since(at)))}</span>
            </a>
        }
    };
    view! {
        <Show when=move || !done.with(Vec::is_empty)>
            <section>
                <h2>{text::LAST_DONE}</h2>
                {move || done.get().into_iter().map(row).collect_view()}
            </section>
        </Show>
    }
}

/// The limits that accounts are at, where there are any.
#[component]
fn Limits() -> impl IntoView {
    let live = use_live();
    let moment = use_moment();
    let lines = Memo::new(move |_| {
        let moment = moment.get();
        live.swarm.with(|swarm| limits::lines(limits::all(swarm), moment))
    });
    let row = |line: limits::Line| {
        view! {
            <li class="side-row">
                <Sign glyph=task::Glyph::Parked />
                <span>
                    <span class="title">{line.who}</span>
                    <span class="until">{line.until}</span>
                    <span class="why">{line.why}</span>
                </span>
            </li>
        }
    };
    view! {
        <Show when=move || !lines.with(Vec::is_empty)>
            <section>
                <h2>{limits_text::AT_A_LIMIT}</h2>
                <ul class="limits">{move || lines.get().into_iter().map(row).collect_view()}</ul>
            </section>
        </Show>
    }
}

/// The budgets of which most is used, where there are any.
#[component]
fn Budgets() -> impl IntoView {
    let live = use_live();
    let moment = use_moment();
    let lines = Memo::new(move |_| {
        let moment = moment.get();
        live.swarm.with(|swarm| budgets::lines(swarm, moment))
    });
    let row = |line: budgets::Line| {
        let glyph = if line.is_spent { task::Glyph::WaitsForYou } else { task::Glyph::Starting };
        view! {
            <li class="side-row">
                <Sign glyph=glyph />
                <span>
                    <span class="title">{line.whose}</span>
                    <span class="until">{line.used}</span>
                    <span class="why">{line.anew}</span>
                </span>
            </li>
        }
    };
    view! {
        <Show when=move || !lines.with(Vec::is_empty)>
            <section>
                <h2>{budgets_text::BUDGETS}</h2>
                <ul class="limits">{move || lines.get().into_iter().map(row).collect_view()}</ul>
                <p class="aside"><Prose text=budgets_text::HOW /></p>
            </section>
        </Show>
    }
}

#[component]
fn Waiting() -> impl IntoView {
    let live = use_live();
    let waiting = rows(live, |swarm| swarm.in_states(&[TaskStatus::Waiting]).take(MOST_ROWS).cloned().collect());
    view! {
        <Show when=move || !waiting.with(Vec::is_empty)>
            <section>
                <h2>{text::WAITING}" "<span class="count">{move || live.swarm.with(|swarm| swarm.count(TaskStatus::Waiting))}</span></h2>
                {move || waiting.get().into_iter().map(side_row).collect_view()}
            </section>
        </Show>
    }
}

#[component]
fn Failures() -> impl IntoView {
    let live = use_live();
    let failed = rows(live, |swarm| swarm.failures().take(MOST_ROWS).cloned().collect());
    view! {
        <section>
            <h2>{text::NOT_FINISHED}</h2>
            {move || {
                let failed = failed.get();
                if failed.is_empty() {
                    view! { <p class="empty">{text::NOTHING_FAILED}</p> }.into_any()
                } else {
                    failed.into_iter().map(side_row).collect_view().into_any()
                }
            }}
        </section>
    }
}

/// A task that does not go on, with the reason.
fn side_row(task: Task) -> impl IntoView {
    let (live, moment) = (use_live(), use_moment());
    let why = match (&task.error, live.swarm.with(|swarm| task::note(&task, swarm, moment.get()))) {
        (Some(error), Some(note)) if task.status == TaskStatus::Failed => format!("{note}: {error}"),
        (_, Some(note)) => note,
        (_, None) => task_text::FAILED.to_owned(),
    };
    view! {
        <a class="row-link side-row" href=format!("/tasks/{}", task.number)>
            <Sign glyph=task::state(&task).glyph />
            <span>
                <span class="title">{task::title(&task)}</span>
                <span class="why">{why}</span>
            </span>
        </a>
    }
}
