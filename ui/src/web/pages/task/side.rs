//! The column beside the log: facts, attempts, why there, and files.

use leptos::prelude::*;
use leptos::task::spawn_local;
use swarm_proto::tasks::TaskArtifact;

use super::Known;
use crate::strings::{record as record_text, task as text};
use crate::view::{facts, placement, record, words};
use crate::web::browser::{self, use_moment};
use crate::web::components::glyph::Sign;
use crate::web::components::icon::{Draw, Icon};
use crate::web::components::score::Scores;

#[component]
pub(super) fn Side(known: Known) -> impl IntoView {
    view! { <Facts known /><Attempts known /><Why known /><Artifacts known /> }
}

#[component]
fn Facts(known: Known) -> impl IntoView {
    let moment = use_moment();
    let facts = Memo::new(move |_| {
        let moment = moment.get();
        let name = |worker| known.live.swarm.with(|swarm| swarm.machine_name(worker));
        known.task.with(|task| {
            let task = task.as_ref()?;
            Some(known.attempts.with(|attempts| facts::facts(task, attempts, name, moment)))
        })
    });
    let fact = |(name, value): facts::Fact| view! { <div><dt>{name}</dt><dd>{value}</dd></div> };
    let retry_of = move || {
        let of = known.task.with(|task| task.as_ref().and_then(|task| task.retry_of))?;
        Some(view! { <p><a href=format!("/tasks/{of}")>{text::RETRY_OF}</a></p> })
    };
    view! {
        <section class="part" aria-label=text::FACTS>
            <dl class="facts">{move || facts.get().unwrap_or_default().into_iter().map(fact).collect_view()}</dl>
            {retry_of}
        </section>
    }
}

#[component]
fn Attempts(known: Known) -> impl IntoView {
    let numbers = Memo::new(move |_| {
        known.attempts.with(|attempts| attempts.iter().rev().map(|attempt| attempt.attempt).collect::<Vec<_>>())
    });
    view! {
        <section class="part">
            <h3>{text::ATTEMPTS}</h3>
            <Show when=move || !numbers.with(Vec::is_empty) fallback=|| view! { <p class="meta">{text::NO_ATTEMPT}</p> }>
                <ul class="attempts"><For each=move || numbers.get() key=|n| *n children=move |n| view! { <OneAttempt known n /> } /></ul>
            </Show>
        </section>
    }
}

/// One attempt: a line that opens its record. It stays open while what it says changes.
#[component]
fn OneAttempt(known: Known, n: u32) -> impl IntoView {
    let moment = use_moment();
    let attempt = Memo::new(move |_| {
        known.attempts.with(|attempts| attempts.iter().find(|attempt| attempt.attempt == n).cloned())
    });
    let line = move || {
        let attempt = attempt.get()?;
        let name = known.live.swarm.with(|swarm| swarm.machine_name(attempt.worker_id));
        let line = facts::attempt_line(&attempt, &name, moment.get());
        Some(view! {
            <Sign glyph=line.glyph /><b>{line.attempt}</b><span>{line.words}</span><span class="value">{line.took}</span>
        })
    };
    let told = Memo::new(move |_| {
        let moment = moment.get();
        attempt.with(|attempt| attempt.as_ref().map(|attempt| record::facts(attempt, moment)).unwrap_or_default())
    });
    let fact = |(name, value): facts::Fact| view! { <div><dt>{name}</dt><dd>{value}</dd></div> };
    let raw = Memo::new(move |_| attempt.with(|attempt| attempt.as_ref().and_then(record::raw_tail)));
    let wrote = move || {
        let raw = raw.get()?;
        Some(view! {
            <details class="raw"><summary>{record_text::IT_WROTE}</summary><pre tabindex="0">{raw}</pre></details>
        })
    };
    view! {
        <li>
            <details class="attempt">
                <summary>{line}</summary>
                <dl class="facts">{move || told.get().into_iter().map(fact).collect_view()}</dl>
                {wrote}
            </details>
        </li>
    }
}

#[component]
fn Why(known: Known) -> impl IntoView {
    let table = Memo::new(move |_| {
        let worker = known.task.with(|task| task.as_ref().and_then(|task| task.worker_id));
        known.placement.with(|placement| {
            let placement = placement.as_ref().filter(|placement| !placement.candidates.is_empty())?;
            Some(placement::table(placement, worker))
        })
    });
    move || table.get().map(|table| view! { <Scores table /> })
}

#[component]
fn Artifacts(known: Known) -> impl IntoView {
    let has_ended =
        Memo::new(move |_| known.task.with(|task| task.as_ref().is_some_and(|task| task.status.is_terminal())));
    let download = move |file: TaskArtifact| {
        spawn_local(async move {
            let live = known.live;
            let bytes = match live.client().download_artifact(known.name, &file.hash).await {
                Ok(download) => download.bytes().await,
                Err(error) => Err(error),
            };
            match bytes {
                Ok(bytes) => browser::save(&file.name, &bytes).unwrap_or_default(),
                Err(error) => live.fail(&error),
            }
        });
    };
    let row = move |file: TaskArtifact| {
        let (name, size) = (file.name.clone(), words::bytes(file.size));
        view! {
            <li>
                <button class="file" type="button" on:click=move |_| download(file.clone())>
                    <Draw icon=Icon::File /><span>{name}</span><span class="value">{size}</span>
                </button>
            </li>
        }
    };
    let none = move || if has_ended.get() { text::NO_ARTIFACT } else { text::ARTIFACTS_LATER };
    view! {
        <section class="part">
            <h3>{text::ARTIFACTS}</h3>
            <Show when=move || known.artifacts.with(|files| !files.is_empty()) fallback=move || view! { <p class="meta">{none}</p> }>
                <ul class="files">{move || known.artifacts.get().into_iter().map(row).collect_view()}</ul>
            </Show>
        </section>
    }
}
