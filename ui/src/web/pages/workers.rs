//! The machines: what each does, what it can, and what one may do with it.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use swarm_client::{Client, ClientError};
use swarm_model::rights::WorkerRole;
use swarm_model::{WorkerId, WorkerStatus};
use swarm_proto::workers::Worker;

use crate::strings::workers as text;
use crate::view::door::{self, Health, Stand};
use crate::view::limits;
use crate::view::list::Filter;
use crate::view::task::Glyph;
use crate::view::words;
use crate::web::browser::{self, use_moment};
use crate::web::components::add_machine::{AddMachine, JoinLine};
use crate::web::components::button::{Button, Weight};
use crate::web::components::dialog::Ask;
use crate::web::components::door::SmallDoor;
use crate::web::components::failure::{Loading, NotLoaded};
use crate::web::components::glyph::Sign;
use crate::web::components::icon::Icon;
use crate::web::components::meter::Meter;
use crate::web::components::prose::Prose;
use crate::web::keys::use_keys;
use crate::web::live::{Live, use_live};

/// How often meters are read while somebody looks.
const METERS: Duration = Duration::from_secs(10);

/// The machines.
#[component]
pub(crate) fn Workers() -> impl IntoView {
    let live = use_live();
    let adds = RwSignal::new(false);
    use_keys().bind('a', move || adds.set(true));
    let read = move || {
        if browser::is_looked_at() && live.line.get_untracked() == crate::view::connection::Line::Live {
            spawn_local(live.recount_now());
        }
    };
    if let Ok(handle) = set_interval_with_handle(read, METERS) {
        on_cleanup(move || handle.clear());
    }
    let is_known = Memo::new(move |_| live.swarm.with(|swarm| swarm.workers.is_some()));
    let ids = Memo::new(move |_| {
        live.swarm.with(|swarm| swarm.workers.iter().flatten().map(|w| w.worker_id).collect::<Vec<_>>())
    });
    let headline = move || live.swarm.with(|swarm| swarm.workers.as_deref().map(door::headline));
    let list = move || {
        match (is_known.get(), live.failure.get()) {
        (false, Some(why)) => view! { <NotLoaded what=text::THE_LIST why on_again=move || live.reload() /> }.into_any(),
        (false, None) => view! { <Loading /> }.into_any(),
        (true, _) if ids.with(Vec::is_empty) => view! { <div class="empty-list"><JoinLine /></div> }.into_any(),
        (true, _) => view! {
            <div class="worker-row list-head" aria-hidden="true">
                <span></span><span>{text::COLUMN_MACHINE}</span><span>{text::COLUMN_TOOLS}</span><span>{text::COLUMN_NOW}</span><span></span>
            </div>
            <ul aria-label=text::LIST><For each=move || ids.get() key=|id| *id children=|id| view! { <WorkerRow id /> } /></ul>
        }
        .into_any(),
    }
    };
    view! {
        <div class="page workers">
            <div class="head">
                <h1>{headline}</h1>
                <Button weight=Weight::Primary icon=Some(Icon::Plus) label=text::ADD.to_owned() key="A" on_press=move || adds.set(true) />
            </div>
            {list}
        </div>
        <AddMachine open=adds />
    }
}

#[component]
fn WorkerRow(id: WorkerId) -> impl IntoView {
    let live = use_live();
    let moment = use_moment();
    let worker = Memo::new(move |_| live.swarm.with(|swarm| swarm.worker(id).cloned()));
    let stand = Memo::new(move |_| worker.with(|worker| worker.as_ref().map_or(Stand::Offline, door::stand)));
    let of =
        move |read: fn(&Worker) -> String| move || worker.with(|worker| worker.as_ref().map(read).unwrap_or_default());
    let tags = move || {
        let is = |is: fn(&Worker) -> bool| worker.with(|worker| worker.as_ref().is_some_and(is));
        view! {
            {is(|worker| worker.shared).then(|| view! { <span class="tag">{text::SHARED}</span> })}
            {is(|worker| worker.role == Some(WorkerRole::Viewer)).then(|| view! { <span class="tag">{text::VIEWER}</span> })}
        }
    };
    let sentence = move || worker.with(|worker| worker.as_ref().map(|worker| door::sentence(worker, moment.get())));
    view! {
        <li class="worker-row">
            <SmallDoor stand />
            <div class="worker-what">
                <p><b>{of(|worker| worker.machine_name.clone())}</b>" "{tags}</p>
                <p class:lamp=move || stand.get() == Stand::Working>{sentence}</p>
                <p class="meta">{of(door::machine)}</p>
            </div>
            <div class="worker-tools"><Tools worker /><Runs id worker /></div>
            <div class="worker-now"><Now worker /></div>
            <Acts id worker />
        </li>
    }
}

#[component]
fn Tools(worker: Memo<Option<Worker>>) -> impl IntoView {
    let tool = |tool: door::Tool| {
        let sign = match tool.health {
            Health::Ready => None,
            Health::NeedsLogin | Health::NotAllowed => Some(Glyph::NoMatch),
            Health::Missing => Some(Glyph::Cancelled),
        };
        let class = match (tool.health, &tool.limit) {
            (Health::Ready, None) => "tool",
            (Health::Ready, Some(_)) => "tool limited",
            (Health::NeedsLogin | Health::NotAllowed | Health::Missing, _) => "tool off",
        };
        view! {
            <li class=class>
                {sign.map(|glyph| view! { <Sign glyph /> })}
                <span>{tool.name}</span>" "<span class="version">{tool.version}</span>" "{tool.word}
                {(!tool.fix.is_empty()).then(|| view! { <span class="fix"><Prose text=tool.fix.clone() /></span> })}
                {tool.limit.map(|limit| view! { <span class="limit"><Sign glyph=Glyph::Parked />{limit}</span> })}
            </li>
        }
    };
    let live = use_live();
    let moment = use_moment();
    let tools = Memo::new(move |_| {
        let moment = moment.get();
        live.swarm.with(|swarm| {
            let standing = limits::all(swarm);
            worker
                .with(|worker| worker.as_ref().map(|worker| door::tools(worker, standing, moment)).unwrap_or_default())
        })
    });
    let tools = move || {
        let tools = tools.get();
        if tools.is_empty() {
            view! { <li class="tool off">{text::NO_TOOLS}</li> }.into_any()
        } else {
            tools.into_iter().map(tool).collect_view().into_any()
        }
    };
    view! { <ul class="tools">{tools}</ul> }
}

#[component]
fn Runs(id: WorkerId, worker: Memo<Option<Worker>>) -> impl IntoView {
    let live = use_live();
    let own =
        Memo::new(move |_| live.swarm.with(|swarm| swarm.runs_on(id).map(|task| task.number).collect::<Vec<_>>()));
    let n_others = move || {
        let running = worker.with(|worker| worker.as_ref().map_or(0, |worker| worker.running as usize));
        running.saturating_sub(own.with(Vec::len))
    };
    view! {
        <p class="lit-tags">
            {move || own.get().into_iter().map(|number| view! { <a class="lit-tag" href=format!("/tasks/{number}")>{format!("#{number}")}</a> }).collect_view()}
            {move || (0..n_others()).map(|_| view! { <span class="lit-tag">{text::OTHERS_RUN}</span> }).collect_view()}
        </p>
    }
}

#[component]
fn Now(worker: Memo<Option<Worker>>) -> impl IntoView {
    let moment = use_moment();
    move || {
        let worker = worker.get()?;
        let moment = moment.get();
        Some(match (door::stand(&worker), worker.last_heartbeat) {
            (Stand::Offline, Some(at)) => {
                let words = text::last_heard(&words::clock(at, moment), &words::age(moment.now.since(at)));
                view! { <p class="meta">{words}</p> }.into_any()
            }
            (Stand::Offline, None) => ().into_any(),
            (Stand::Working | Stand::Ready | Stand::Paused, _) => view! {
                <Meter label=text::CPU percent=worker.load.cpu_percent />
                <Meter label=text::MEMORY percent=worker.load.memory_percent />
                <Meter label=text::DISK percent=worker.load.disk_percent fills=true />
            }
            .into_any(),
        })
    }
}

/// What one may do with a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Pause,
    Resume,
    Drain,
}

impl Act {
    async fn carry_out(self, client: &Client, id: WorkerId) -> Result<Worker, ClientError> {
        match self {
            Self::Pause => client.pause_worker(id).await,
            Self::Resume => client.resume_worker(id).await,
            Self::Drain => client.drain_worker(id).await,
        }
    }
}

fn act(live: Live, act: Act, id: WorkerId) {
    spawn_local(async move {
        match act.carry_out(&live.client(), id).await {
            Ok(worker) => {
                live.swarm.try_update(|swarm| swarm.learn_worker(worker));
            }
            Err(error) => live.fail(&error),
        }
    });
}

fn remove(live: Live, id: WorkerId, name: String) {
    spawn_local(async move {
        match live.client().remove_worker(id).await {
            Ok(()) => {
                live.swarm.try_update(|swarm| swarm.forget_worker(id));
                live.voice.good(text::removed(&name));
            }
            Err(error) => live.fail(&error),
        }
    });
}

#[component]
fn Acts(id: WorkerId, worker: Memo<Option<Worker>>) -> impl IntoView {
    let live = use_live();
    let asks = RwSignal::new(false);
    let name =
        Memo::new(move |_| worker.with(|worker| worker.as_ref().map(|w| w.machine_name.clone()).unwrap_or_default()));
    let is = move |is: fn(&Worker) -> bool| Memo::new(move |_| worker.with(|worker| worker.as_ref().is_some_and(is)));
    let may_steer = is(|worker| matches!(worker.role, Some(WorkerRole::Operator | WorkerRole::Owner)));
    let may_manage = is(|worker| worker.role == Some(WorkerRole::Owner));
    let is_held = is(|worker| worker.pauses.by_coordinator || worker.status == WorkerStatus::Draining);
    let can_drain = is(|worker| matches!(worker.status, WorkerStatus::Online | WorkerStatus::Busy));
    let tasks = browser::address("/tasks", &Filter { worker: Some(id), ..Filter::default() }.to_query());
    view! {
        <div class="worker-acts" role="group" aria-label=move || format!("{} {}", text::ACTIONS, name.get())>
            <Show when=move || may_steer.get() || live.is_admin()>
                <Show
                    when=move || is_held.get()
                    fallback=move || view! { <Button weight=Weight::Quiet small=true label=text::PAUSE.to_owned() online=true hint=text::PAUSE_HINT on_press=move || act(live, Act::Pause, id) /> }
                >
                    <Button weight=Weight::Quiet small=true label=text::RESUME.to_owned() online=true hint=text::RESUME_HINT on_press=move || act(live, Act::Resume, id) />
                </Show>
                <Show when=move || can_drain.get()>
                    <Button weight=Weight::Quiet small=true label=text::DRAIN.to_owned() online=true hint=text::DRAIN_HINT on_press=move || act(live, Act::Drain, id) />
                </Show>
            </Show>
            <Show when=move || may_manage.get() || live.is_admin()>
                <Button weight=Weight::Quiet small=true label=text::REMOVE.to_owned() online=true hint=text::REMOVE_HINT on_press=move || asks.set(true) />
            </Show>
            <a class="button quiet small" href=tasks>{text::SEE_TASKS}</a>
        </div>
        <Ask
            open=asks
            title=Signal::derive(move || text::remove_ask(&name.get()))
            body=text::REMOVE_ASK_BODY.to_owned()
            act=Signal::derive(move || text::remove_confirm(&name.get()))
            on_confirm=move || remove(live, id, name.get_untracked())
        />
    }
}
