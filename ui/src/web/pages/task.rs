//! One task: its state, its log, its result and its record.

mod known;
mod side;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::{use_navigate, use_params_map};
use swarm_model::TaskRef;
use swarm_proto::client::ToViewer;
use swarm_proto::tasks::Task as TheTask;

use crate::strings::task as text;
use crate::view::log::Bounds;
use crate::view::swarm::Swarm;
use crate::view::task;
use crate::web::browser::use_moment;
use crate::web::components::button::{Button, Weight};
use crate::web::components::copy_line::CopyText;
use crate::web::components::dialog::Ask;
use crate::web::components::failure::{Loading, NotLoaded};
use crate::web::components::glyph::{Sign, StateWord};
use crate::web::components::icon::Icon;
use crate::web::components::log::Log;
use crate::web::components::prose::Prose;
use crate::web::keys::use_keys;
use crate::web::live::use_live;
use known::Known;
use side::Side;

/// The page of the task in the address.
#[component]
pub(crate) fn Task() -> impl IntoView {
    let params = use_params_map();
    let name = Memo::new(move |_| params.with(|params| params.get("id")).unwrap_or_default());
    move || {
        let name = name.get();
        match name.parse() {
            Ok(name) => view! { <OneTask name /> }.into_any(),
            Err(_) => view! { <div class="page"><h1>{text::no_such(&name)}</h1></div> }.into_any(),
        }
    }
}

#[component]
fn OneTask(name: TaskRef) -> impl IntoView {
    let live = use_live();
    let known = Known::new(live, name);
    known.read();
    let epoch = live.epoch;
    Effect::new(move |before: Option<u32>| {
        let now = epoch.get();
        if before.is_some_and(|before| before != now) {
            known.read();
        }
        now
    });
    live.listen(move |frames| {
        let Some(number) = known.task.try_with_untracked(|task| task.as_ref().map(|task| task.number)).flatten() else {
            return;
        };
        let mut happened = false;
        for frame in frames {
            if let ToViewer::Event { event, task, .. } = frame
                && event.number == Some(number)
            {
                happened = true;
                if let Some(task) = task {
                    known.hear((**task).clone());
                }
            }
        }
        if happened {
            known.read();
        }
    });
    let is_there = Memo::new(move |_| known.task.with(Option::is_some));
    move || match (is_there.get(), known.failure.get()) {
        (true, _) => view! { <There known /> }.into_any(),
        (false, Some(why)) => {
            view! { <div class="page"><NotLoaded what=text::THE_TASK why on_again=move || known.read() /></div> }
                .into_any()
        }
        (false, None) => view! { <div class="page"><Loading /></div> }.into_any(),
    }
}

/// The parts of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tab {
    Log,
    Result,
    Prompt,
    /// The side column, where there is no room for one.
    Record,
}

impl Tab {
    fn word(self) -> &'static str {
        match self {
            Self::Log => text::TAB_LOG,
            Self::Result => text::TAB_RESULT,
            Self::Prompt => text::TAB_PROMPT,
            Self::Record => text::TAB_RECORD,
        }
    }
}

#[component]
fn There(known: Known) -> impl IntoView {
    let moment = use_moment();
    let tab = RwSignal::new(Tab::Log);
    let begin = known.task.with_untracked(|task| task.as_ref().map(|task| (task.task_id, task.log_seq)));
    let of =
        move |read: fn(&TheTask) -> String| move || known.task.with(|task| task.as_ref().map(read).unwrap_or_default());
    let state = Signal::derive(move || {
        known.task.with(|task| task.as_ref().map_or(task::State { glyph: task::Glyph::Queued, word: "" }, task::state))
    });
    let line = move || {
        let (machine, moment) = (known.machine(), moment.get());
        let parts =
            known.task.with(|task| task.as_ref().map(|task| task::state_line(task, machine.as_deref(), moment)));
        parts.unwrap_or_default().into_iter().map(|part| view! { <span>{part}</span> }).collect_view()
    };
    let is_live =
        Memo::new(move |_| known.task.with(|task| task.as_ref().is_some_and(|task| !task.status.is_terminal())));
    let is_lit = Memo::new(move |_| known.task.with(|task| task.as_ref().is_some_and(task::is_lit)));
    let has_result =
        Memo::new(move |_| known.task.with(|task| task.as_ref().is_some_and(|task| task.result.is_some())));
    let tab_button = move |this: Tab| {
        let is_on = move || tab.get() == this;
        view! {
            <button
                class=if this == Tab::Record { "tab narrow-only" } else { "tab" }
                type="button"
                role="tab"
                aria-controls="task-part"
                aria-selected=move || is_on().to_string()
                on:click=move |_| tab.set(this)
            >
                {this.word()}
            </button>
        }
    };
    let is_shown = Signal::derive(move || tab.get() == Tab::Log);
    view! {
        <div class="task-page">
            <div class="task-head">
                <div class="head">
                    <h1>{of(task::title)}</h1>
                    <Acts known />
                </div>
                <p class="state-line"><StateWord state />{line}</p>
                <div class="tab-row" role="tablist" aria-label=text::TABS>
                    {tab_button(Tab::Log)}
                    <Show when=move || has_result.get()>{tab_button(Tab::Result)}</Show>
                    {tab_button(Tab::Prompt)}
                    {tab_button(Tab::Record)}
                </div>
            </div>
            <div class="task-main" class:lit=move || is_lit.get() id="task-part" role="tabpanel">
                <Next known />
                <div class="tab-body log-tab" class:gone=move || tab.get() != Tab::Log>
                    {begin.map(|(task_id, log_seq)| {
                        let after = log_seq.saturating_sub(Bounds::PAGE.lines as u64);
                        view! { <Log task_id after is_live is_lit is_shown /> }
                    })}
                </div>
                <Show when=move || tab.get() == Tab::Result><ResultTab known /></Show>
                <Show when=move || tab.get() == Tab::Prompt>
                    <div class="tab-body scrolls"><pre class="prose">{of(task::prompt)}</pre></div>
                </Show>
            </div>
            <div class="task-side" class:shown=move || tab.get() == Tab::Record><Side known /></div>
        </div>
    }
}

/// Cancel and retry.
#[component]
fn Acts(known: Known) -> impl IntoView {
    let live = known.live;
    let asks = RwSignal::new(false);
    let navigate = StoredValue::new_local(use_navigate());
    let can_cancel = Memo::new(move |_| known.task.with(|task| task.as_ref().is_some_and(task::can_cancel)));
    let can_retry =
        Memo::new(move |_| known.task.with(|task| task.as_ref().is_some_and(|task| task.status.is_terminal())));
    let is_lit = Memo::new(move |_| known.task.with(|task| task.as_ref().is_some_and(task::is_lit)));
    let cancel = move || {
        spawn_local(async move {
            match live.client().cancel_task(known.name).await {
                Ok(task) => known.hear(task),
                Err(error) => live.fail(&error),
            }
        });
    };
    let retry = move || {
        spawn_local(async move {
            match live.client().retry_task(known.name).await {
                Ok(task) => {
                    let number = task.number.0;
                    live.swarm.try_update(|swarm| swarm.learn([task]));
                    live.voice.good(text::retried(number));
                    navigate.try_with_value(|navigate| navigate(&format!("/tasks/{number}"), Default::default()));
                }
                Err(error) => live.fail(&error),
            }
        });
    };
    let keys = use_keys();
    keys.bind('c', move || asks.update(|asks| *asks = can_cancel.get_untracked()));
    keys.bind('r', move || {
        if can_retry.get_untracked() {
            retry();
        }
    });
    let body = Signal::derive(move || {
        if is_lit.get() { text::CANCEL_ASK_RUNNING } else { text::CANCEL_ASK_QUEUED }.to_owned()
    });
    view! {
        <div class="acts">
            <Show when=move || can_retry.get()>
                <Button icon=Some(Icon::Retry) label=text::RETRY.to_owned() key="R" online=true on_press=retry />
            </Show>
            <Show when=move || can_cancel.get()>
                <Button weight=Weight::Danger icon=Some(Icon::Cross) label=text::CANCEL.to_owned() key="C" online=true on_press=move || asks.set(true) />
            </Show>
        </div>
        <Ask open=asks title=text::CANCEL_ASK.to_owned() body act=text::CANCEL_CONFIRM.to_owned() on_confirm=cancel />
    }
}

/// What happens next, where nothing is going on.
#[component]
fn Next(known: Known) -> impl IntoView {
    let moment = use_moment();
    let next = Memo::new(move |_| {
        let moment = moment.get();
        let next = |swarm: &Swarm| {
            known.placement.with(|placement| {
                known
                    .task
                    .with(|task| task.as_ref().and_then(|task| task::next(task, placement.as_ref(), swarm, moment)))
            })
        };
        known.live.swarm.with(next)
    });
    move || {
        let next = next.get()?;
        let body = next.body.into_iter().map(|line| view! { <p><Prose text=line /></p> }).collect_view();
        Some(view! {
            <div class="next">
                <Sign glyph=next.glyph />
                <div><h2>{next.head}</h2>{body}</div>
            </div>
        })
    }
}

#[component]
fn ResultTab(known: Known) -> impl IntoView {
    let result = Memo::new(move |_| known.task.with(|task| task.as_ref().and_then(|task| task.result.clone())));
    let is_partial = move || {
        known.task.with(|task| task.as_ref().is_some_and(|task| task.status != swarm_model::TaskStatus::Completed))
    };
    let said = Signal::derive(move || {
        result.with(|result| result.as_ref().map(|result| result.text.clone()).unwrap_or_default())
    });
    let data = move || {
        let data = result.with(|result| result.as_ref().and_then(|result| result.data.clone()))?;
        let data = serde_json::to_string_pretty(&data).ok()?;
        Some(view! { <pre class="data">{data}</pre> })
    };
    view! {
        <div class="tab-body scrolls">
            <div class="result-head">
                <span class="meta">{move || is_partial().then_some(text::PARTIAL)}</span>
                <CopyText label=text::COPY_RESULT text=said />
            </div>
            <pre class="prose">{move || said.get()}</pre>
            {data}
        </div>
    }
}
