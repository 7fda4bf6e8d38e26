//! The registry of tools: each tool, where it is, how it is there, and what to do where it cannot be used.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use swarm_model::ToolName;
use swarm_proto::client::ToViewer;
use swarm_proto::tools::SwarmTool;

use crate::strings::tools as text;
use crate::view::door::Health;
use crate::view::task::Glyph;
use crate::view::tools::{self, Place, Tool};
use crate::view::{connection, limits};
use crate::web::browser::{self, use_moment};
use crate::web::components::failure::{Loading, NotLoaded};
use crate::web::components::glyph::Sign;
use crate::web::components::prose::Prose;
use crate::web::live::use_live;

/// How often the registry is read while somebody looks.
const AGAIN: Duration = Duration::from_secs(10);

/// The tools.
#[component]
pub(crate) fn Tools() -> impl IntoView {
    let live = use_live();
    let moment = use_moment();
    let told = RwSignal::new(None::<Vec<SwarmTool>>);
    let failure = RwSignal::new(None::<String>);
    let read = move || {
        spawn_local(async move {
            match live.client().tools().await {
                Ok(page) => {
                    failure.try_set(None);
                    told.try_set(Some(page.items));
                }
                // What was read before still stands; the banner says when the coordinator is away.
                Err(_) if told.try_with_untracked(Option::is_some) == Some(true) => {}
                Err(error) => {
                    failure.try_set(Some(live.words_of(&error)));
                }
            }
        });
    };
    Effect::new(move || {
        live.epoch.track();
        read();
    });
    live.listen(move |frames| {
        if frames.iter().any(|frame| matches!(frame, ToViewer::Event { worker: Some(_), .. })) {
            read();
        }
    });
    let again = move || {
        if browser::is_looked_at() && live.line.get_untracked() == connection::Line::Live {
            read();
            spawn_local(live.recount_now());
        }
    };
    if let Ok(handle) = set_interval_with_handle(again, AGAIN) {
        on_cleanup(move || handle.clear());
    }
    let shown = Memo::new(move |_| {
        let moment = moment.get();
        live.swarm
            .with(|swarm| told.with(|told| told.as_ref().map(|told| tools::tools(told, limits::all(swarm), moment))))
    });
    let headline = move || told.with(|told| told.as_deref().map(tools::headline));
    let list = move || match (shown.get(), failure.get()) {
        (None, Some(why)) => view! { <NotLoaded what=text::THE_TOOLS why on_again=read /> }.into_any(),
        (None, None) => view! { <Loading /> }.into_any(),
        (Some(tools), _) if tools.is_empty() => view! { <p class="empty">{text::NONE_BODY}</p> }.into_any(),
        (Some(tools), _) => {
            view! { <ul class="registry" aria-label=text::LIST>{tools.into_iter().map(row).collect_view()}</ul> }
                .into_any()
        }
    };
    view! {
        <div class="page tools-page">
            <div class="head"><h1>{headline}</h1></div>
            {list}
        </div>
    }
}

fn row(tool: Tool) -> impl IntoView {
    let models = tool.models.iter().map(|model| view! { <li class="tag">{model.clone()}</li> }).collect_view();
    let takes_any = tool.is_ready && tool.models.is_empty() && tool.name.as_str() != ToolName::COMMAND;
    let no_models = takes_any.then(|| view! { <li class="meta">{text::ANY_MODEL}</li> });
    view! {
        <li class="registry-row" class:off=!tool.is_ready>
            <div class="registry-what">
                <h2>{tool.label.clone()}" "<span class="version">{tool.name.to_string()}</span></h2>
                <p>{tool.summary}</p>
                <ul class="models" aria-label=text::MODELS>
                    {models}{no_models}{tool.more_models.map(|more| view! { <li class="meta">{more}</li> })}
                </ul>
            </div>
            <ul class="places" aria-label=format!("{} {}", text::MACHINES, tool.label)>
                {tool.places.into_iter().map(place).collect_view()}
            </ul>
        </li>
    }
}

fn place(place: Place) -> impl IntoView {
    let glyph = match place.health {
        Health::Ready if place.limit.is_some() => Glyph::Parked,
        Health::Ready => Glyph::Done,
        Health::NeedsLogin | Health::NotAllowed => Glyph::NoMatch,
        Health::Missing => Glyph::Cancelled,
    };
    view! {
        <li class="place">
            <Sign glyph />
            <div>
                <p><b>{place.machine}</b>" "<span class="version">{place.version}</span>" "{place.word}</p>
                {place.account.map(|account| view! { <p class="meta">{account}</p> })}
                {place.limit.map(|limit| view! { <p class="limit-words">{limit}</p> })}
                {(!place.fix.is_empty()).then(|| view! { <p class="fix"><Prose text=place.fix.clone() /></p> })}
            </div>
        </li>
    }
}
