//! Adding a machine: a real key in a line to run there, and a place where the machine appears.

use std::collections::BTreeSet;

use leptos::prelude::*;
use leptos::task::spawn_local;
use swarm_model::WorkerId;
use swarm_proto::keys::{CreateKey, CreatedKey, KeyKind};

use super::button::{Button, Weight};
use super::copy_line::CopyLine;
use super::dialog::Dialog;
use super::door::SmallDoor;
use super::failure::NotLoaded;
use super::glyph::Sign;
use super::icon::Icon;
use super::prose::Prose;
use crate::strings::workers as text;
use crate::view::door::{self, Stand};
use crate::view::joining;
use crate::view::task::Glyph;
use crate::view::words;
use crate::web::browser;
use crate::web::live::use_live;

/// Hours until the key ends.
const HOURS: u32 = 1;

/// The dialog.
#[component]
pub(crate) fn AddMachine(
    /// Whether it is open.
    open: RwSignal<bool>,
) -> impl IntoView {
    view! {
        <Dialog open title=text::ADD.to_owned() wide=true>
            <div class="add-machine">
                <JoinLine />
                <WhatItDoes />
            </div>
            <footer>
                <Button weight=Weight::Secondary label=text::ADD_DONE.to_owned() focused=true on_press=move || open.set(false) />
            </footer>
        </Dialog>
    }
}

/// The line with a new key, and who came by it.
#[component]
pub(crate) fn JoinLine() -> impl IntoView {
    let live = use_live();
    let key = RwSignal::new(None::<CreatedKey>);
    let failure = RwSignal::new(None::<String>);
    let known: BTreeSet<WorkerId> =
        live.swarm.with_untracked(|swarm| swarm.workers.iter().flatten().map(|worker| worker.worker_id).collect());
    let newcomer = Memo::new(move |_| {
        live.swarm
            .with(|swarm| swarm.workers.iter().flatten().find(|worker| !known.contains(&worker.worker_id)).cloned())
    });
    let make = move || {
        key.set(None);
        failure.set(None);
        spawn_local(async move {
            let wish = CreateKey {
                kind: KeyKind::Worker,
                name: text::ADD_KEY_NAME.to_owned(),
                uses: Some(1),
                hours: Some(HOURS),
                scopes: None,
            };
            match live.client().create_key(&wish).await {
                Ok(made) => {
                    key.try_set(Some(made));
                }
                Err(error) => {
                    failure.try_set(Some(live.words_of(&error)));
                }
            }
        });
    };
    make();
    let line = Signal::derive(move || {
        key.get().map_or_else(|| text::ADD_MAKING.to_owned(), |key| joining::line(&browser::origin(), &key.secret))
    });
    let ends = move || {
        let at = key.get()?.key.expires_at?;
        Some(text::key_until(&words::clock(at, browser::moment())))
    };
    let came = move || match newcomer.get() {
        Some(worker) => view! {
            <SmallDoor stand=door::stand(&worker) />
            <div>
                <p class="strong">{text::joined(&worker.machine_name)}</p>
                <p class="meta">{door::sentence(&worker, browser::moment())}</p>
            </div>
        }
        .into_any(),
        None => view! {
            <SmallDoor stand=Stand::Offline />
            <div>
                <p><Sign glyph=Glyph::Starting />" "{text::ADD_WAITING}</p>
                <p class="meta">{text::ADD_WAITING_BODY}</p>
            </div>
        }
        .into_any(),
    };
    view! {
        <div class="join">
            {move || failure.get().map(|why| view! { <NotLoaded what=text::ADD_KEY_NAME why on_again=make /> })}
            {joining::tunnel(&browser::origin()).map(|tunnel| view! {
                <p>{text::ADD_LOOPBACK}</p>
                <CopyLine line=tunnel />
            })}
            <p><Prose text=text::ADD_BODY /></p>
            <CopyLine line primary=true />
            <p class="join-key">
                <span class="meta">{ends}</span>
                <Button weight=Weight::Quiet small=true icon=Some(Icon::Retry) label=text::ADD_NEW_KEY.to_owned() on_press=make />
            </p>
            <div class="newcomer" role="status">{came}</div>
        </div>
    }
}

/// What the line does to the machine.
#[component]
pub(crate) fn WhatItDoes() -> impl IntoView {
    let line = |line: &'static str| view! { <li><Prose text=line /></li> };
    view! {
        <aside class="what-it-does">
            <h3>{text::WHAT_IT_DOES}</h3>
            <ul>{text::WHAT_IT_DOES_LINES.into_iter().map(line).collect_view()}</ul>
        </aside>
    }
}
