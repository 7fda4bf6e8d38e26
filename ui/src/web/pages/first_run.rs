//! The first run: four steps, of which the page sees by itself how far one is.

use leptos::prelude::*;
use leptos::task::spawn_local;
use swarm_model::tool::ToolHealth;
use swarm_model::{TaskStatus, ToolName};

use crate::strings::{home as text, workers as workers_text};
use crate::view::home::{self, Step};
use crate::view::{door, submit, task, words};
use crate::web::browser;
use crate::web::browser::use_moment;
use crate::web::components::add_machine::{JoinLine, WhatItDoes};
use crate::web::components::button::{Button, Weight};
use crate::web::components::glyph::Sign;
use crate::web::components::icon::Icon;
use crate::web::components::prose::Prose;
use crate::web::components::run::RunCard;
use crate::web::live::use_live;

/// The steps of a first run.
#[component]
pub(crate) fn FirstRun(
    /// Where each step stands.
    steps: Memo<Option<home::FirstRun>>,
    /// Somebody wants none of it.
    on_skip: impl Fn() + 'static,
) -> impl IntoView {
    let none = home::FirstRun { machine: Step::Ahead, demo: Step::Ahead, tool: Step::Ahead, second: Step::Ahead };
    let steps = Memo::new(move |_| steps.get().unwrap_or(none));
    let at = move |pick: fn(&home::FirstRun) -> Step| Memo::new(move |_| steps.with(pick));
    let (machine, demo, tool, second) = (at(|s| s.machine), at(|s| s.demo), at(|s| s.tool), at(|s| s.second));
    view! {
        <div class="page first-run">
            <h1>{move || home::first_headline(steps.get())}</h1>
            <p class="reason">{text::FIRST_HINT}" "<button class="text-button" type="button" on:click=move |_| on_skip()>{text::SKIP}</button></p>
            <ol class="steps">
                <StepBox n=1 step=machine title=text::STEP_MACHINE><Machine step=machine /></StepBox>
                <StepBox n=2 step=demo title=text::STEP_DEMO><Demo machine step=demo /></StepBox>
                <StepBox n=3 step=tool title=text::STEP_TOOL><Tools step=tool /></StepBox>
                <StepBox n=4 step=second title=text::STEP_SECOND><Second machine step=second /></StepBox>
            </ol>
        </div>
    }
}

#[component]
fn StepBox(n: u8, step: Memo<Step>, title: &'static str, children: Children) -> impl IntoView {
    view! {
        <li class=move || format!("step {}", step.get().class()) aria-current=move || (step.get() == Step::Now).then_some("step")>
            <span class="step-mark" aria-hidden="true">
                {move || match step.get() {
                    Step::Done => view! { <Sign glyph=task::Glyph::Done /> }.into_any(),
                    Step::Now | Step::Ahead => n.to_string().into_any(),
                }}
            </span>
            <div class="step-body"><h2>{title}</h2>{children()}</div>
        </li>
    }
}

#[component]
fn Machine(step: Memo<Step>) -> impl IntoView {
    let live = use_live();
    let moment = use_moment();
    let connected = move || {
        let moment = moment.get();
        live.swarm.with(|swarm| {
            let connected = swarm.workers.iter().flatten().filter(|worker| door::stand(worker) != door::Stand::Offline);
            connected
                .map(|worker| text::machine_is_ready(&worker.machine_name, &door::sentence(worker, moment)))
                .map(|words| view! { <p>{words}</p> })
                .collect_view()
        })
    };
    view! {
        <Show when=move || step.get() == Step::Done fallback=|| view! { <p>{text::STEP_MACHINE_WAITS}</p><JoinLine /> }>
            {connected}
        </Show>
    }
}

#[component]
fn Demo(machine: Memo<Step>, step: Memo<Step>) -> impl IntoView {
    let live = use_live();
    let moment = use_moment();
    let is_sending = RwSignal::new(false);
    let key = StoredValue::new(browser::random_key());
    let last = Memo::new(move |_| live.swarm.with(|swarm| swarm.tasks().last().cloned()));
    let id = Memo::new(move |_| last.with(|last| last.as_ref().map(|task| task.task_id)));
    let start = move || {
        is_sending.set(true);
        spawn_local(async move {
            match live.client().create_task(&submit::demo(key.get_value())).await {
                Ok(task) => {
                    key.try_set_value(browser::random_key());
                    live.swarm.try_update(|swarm| swarm.learn([task]));
                }
                Err(error) => live.fail(&error),
            }
            is_sending.try_set(false);
        });
    };
    let can_start = move || {
        last.with(|last| {
            last.as_ref().is_none_or(|task| matches!(task.status, TaskStatus::Failed | TaskStatus::Cancelled))
        })
    };
    let done = move || {
        last.with(|last| {
            let task = last.as_ref().filter(|task| task.status == TaskStatus::Completed)?;
            Some(text::demo_done(&task::took(task, moment.get())?))
        })
    };
    let href =
        move || last.with(|last| last.as_ref().map_or_else(String::new, |task| format!("/tasks/{}", task.number)));
    view! {
        <p>{text::STEP_DEMO_BODY}</p>
        {move || id.get().map(|task_id| view! { <RunCard task_id /> })}
        <Show when=can_start>
            <p class="step-act">
                <Button
                    weight=Weight::Primary
                    icon=Some(Icon::Play)
                    label=text::STEP_DEMO_BUTTON.to_owned()
                    online=true
                    off=Signal::derive(move || is_sending.get() || machine.get() != Step::Done)
                    on_press=start
                />
                <Show when=move || machine.get() != Step::Done><span class="meta">{text::STEP_DEMO_WAITS}</span></Show>
            </p>
        </Show>
        <Show when=move || step.get() == Step::Done>
            <p>{done}" "<a href=href>{text::STEP_DEMO_SEE}</a></p>
        </Show>
    }
}

#[component]
fn Tools(step: Memo<Step>) -> impl IntoView {
    let live = use_live();
    let ready = move || live.swarm.with(|swarm| home::real_tools(swarm.workers.as_deref().unwrap_or_default()));
    let missing = move || {
        live.swarm.with(|swarm| {
            let workers = swarm.workers.iter().flatten().filter(|worker| door::stand(worker) != door::Stand::Offline);
            let tools = workers.flat_map(|worker| worker.capabilities.tools.iter().map(move |tool| (worker, tool)));
            let real = tools.filter(|(_, tool)| !matches!(tool.name.as_str(), ToolName::DEMO | ToolName::COMMAND) && !tool.health.is_ready());
            real.map(|(worker, tool)| {
                let said = door::tool(tool);
                let state = if matches!(tool.health, ToolHealth::Ready) { "" } else { said.word };
                view! { <li><b>{words::tool(tool.name.as_str())}</b>" "{state}", "{worker.machine_name.clone()}<span class="fix"><Prose text=said.fix /></span></li> }
            })
            .collect_view()
        })
    };
    view! {
        <Show when=move || step.get() == Step::Done fallback=move || view! { <p>{text::STEP_TOOL_BODY}</p><ul class="tool-list">{missing}</ul> }>
            <p>{move || text::tools_ready(&ready().join(", "))}</p>
        </Show>
    }
}

#[component]
fn Second(machine: Memo<Step>, step: Memo<Step>) -> impl IntoView {
    let live = use_live();
    let opened = RwSignal::new(false);
    let count = move || live.swarm.with(|swarm| swarm.workers.as_ref().map_or(0, Vec::len) as u64);
    view! {
        <p>{move || if step.get() == Step::Done { text::second_joined(count()) } else { text::STEP_SECOND_BODY.to_owned() }}</p>
        <Show when=move || opened.get()><JoinLine /><WhatItDoes /></Show>
        <Show when=move || !opened.get() && machine.get() == Step::Done && step.get() != Step::Done>
            <p class="step-act"><Button icon=Some(Icon::Plus) label=workers_text::ADD.to_owned() on_press=move || opened.set(true) /></p>
        </Show>
    }
}
