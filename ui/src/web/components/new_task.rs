//! The form that submits a task.

use std::time::Duration;

use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;
use swarm_model::ToolName;

use super::button::{Button, Weight};
use super::dialog::Dialog;
use super::field::{FormError, Select, TextArea, TextField};
use super::more_wishes::{MoreWishes, error_at};
use crate::strings::tasks as text;
use crate::view::door::{Stand, stand};
use crate::view::submit::{self, Draft, More, Wrong};
use crate::web::announce::use_voice;
use crate::web::browser;
use crate::web::live::use_live;

/// Whether the form is open; anything on the page may open it.
#[derive(Clone, Copy)]
pub(crate) struct NewTaskOpen(pub(crate) RwSignal<bool>);

/// The form in its dialog.
#[component]
pub(crate) fn NewTask(
    /// Whether it is open.
    open: RwSignal<bool>,
) -> impl IntoView {
    // What was written stays when the dialog is closed without submitting.
    let (prompt, more) = (RwSignal::new(String::new()), RwSignal::new(More::default()));
    view! {
        <Dialog open title=text::NEW.to_owned() wide=true>
            <Form open prompt more />
        </Dialog>
    }
}

#[component]
fn Form(open: RwSignal<bool>, prompt: RwSignal<String>, more: RwSignal<More>) -> impl IntoView {
    let live = use_live();
    let voice = use_voice();
    let tool = RwSignal::new(String::new());
    let model = RwSignal::new(String::new());
    let worker = RwSignal::new(String::new());
    let priority = RwSignal::new(Draft::default().priority.to_string());
    let wrong = RwSignal::new(Vec::<Wrong>::new());
    let is_sending = RwSignal::new(false);
    // The same key until it is submitted: pressing twice makes one task.
    let key = StoredValue::new(browser::random_key());

    let draft = move || Draft {
        prompt: prompt.get(),
        tool: tool.get(),
        model: model.get(),
        worker: worker.get().parse().ok(),
        priority: priority.get().parse().unwrap_or(Draft::default().priority),
        more: more.get(),
    };
    let is_command = Memo::new(move |_| tool.with(|tool| tool == ToolName::COMMAND));
    let chosen_worker = move || worker.get().parse().ok();
    let workers = move || live.swarm.with(|swarm| swarm.workers.clone().unwrap_or_default());
    let tools = Signal::derive(move || {
        let best = (String::new(), text::BEST_TOOL.to_owned());
        std::iter::once(best).chain(submit::tools(&workers(), chosen_worker())).collect::<Vec<_>>()
    });
    let machines = Signal::derive(move || {
        let any = (String::new(), text::ANY_WORKER.to_owned());
        let named = workers().into_iter().map(|worker| (worker.worker_id.to_string(), worker.machine_name));
        std::iter::once(any).chain(named).collect::<Vec<_>>()
    });
    let priorities =
        Signal::derive(|| (1..=10).rev().map(|n: u8| (n.to_string(), text::priority(n))).collect::<Vec<_>>());
    let models = move || submit::models(&workers(), chosen_worker(), &tool.get());
    let nobody_there = move || workers().iter().all(|worker| stand(worker) == Stand::Offline);

    let send = move || {
        let task = match untrack(draft).task(key.get_value()) {
            Ok(task) => task,
            Err(told) => {
                // Once the folded part is open, its field can have the focus.
                let first = told.first().map(|one| one.at);
                wrong.set(told);
                return set_timeout(move || first.into_iter().for_each(browser::focus), Duration::ZERO);
            }
        };
        wrong.set(Vec::new());
        is_sending.set(true);
        spawn_local(async move {
            let answer = live.client().create_task(&task).await;
            is_sending.try_set(false);
            match answer {
                Ok(task) => {
                    let number = task.number.0;
                    live.swarm.try_update(|swarm| swarm.learn([task]));
                    prompt.set(String::new());
                    more.set(More::default());
                    open.set(false);
                    voice.good_at(text::submitted(number), format!("/tasks/{number}"));
                }
                Err(refused) => {
                    wrong.try_set(vec![Wrong::at("form", crate::strings::shell::sentence(&refused.to_string()))]);
                }
            }
        });
    };
    Effect::new(move || {
        prompt.track();
        more.track();
        tool.track();
        model.track();
        wrong.set(Vec::new());
    });
    let keyed = move |event: ev::KeyboardEvent| {
        if event.key() == "Enter" && (event.ctrl_key() || event.meta_key()) {
            event.prevent_default();
            send();
        }
    };
    view! {
        <form class="form" on:keydown=keyed on:submit=move |event| { event.prevent_default(); send(); }>
            <TextArea
                id="prompt"
                label=Signal::derive(move || if is_command.get() { text::COMMAND } else { text::PROMPT }.to_owned())
                value=prompt
                mono=is_command
                hint=Signal::derive(move || if is_command.get() { text::COMMAND_HINT } else { text::PROMPT_HINT }.to_owned())
                error=error_at(wrong, "prompt")
            />
            <div class="form-pair">
                <Select id="tool" label=text::TOOL value=tool choices=tools error=error_at(wrong, "tool") on_choose=move |chosen| { tool.set(chosen); model.set(String::new()); } />
                <Select id="worker" label=text::WORKER value=worker choices=machines on_choose=move |chosen| worker.set(chosen) />
            </div>
            <div class="form-pair">
                <Show when=move || !is_command.get()>
                    <TextField id="model" label=text::MODEL value=model list="models" placeholder=text::MODEL_HINT.to_owned() />
                    <datalist id="models">
                        {move || models().into_iter().map(|model| view! { <option value=model></option> }).collect_view()}
                    </datalist>
                </Show>
                <Select id="priority" label=text::PRIORITY value=priority choices=priorities on_choose=move |chosen| priority.set(chosen) />
            </div>
            <MoreWishes more wrong />
            <Show when=nobody_there><p class="meta">{text::NO_WORKER_CONNECTED}</p></Show>
            <FormError error=error_at(wrong, "form") />
            <footer>
                <Button label=crate::strings::shell::CLOSE.to_owned() on_press=move || open.set(false) />
                <Button weight=Weight::Primary label=text::SUBMIT.to_owned() key=text::SUBMIT_KEY submits=true online=true off=is_sending on_press=|| {} />
            </footer>
        </form>
    }
}
