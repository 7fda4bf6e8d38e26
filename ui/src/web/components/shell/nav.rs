//! The way between pages: at the left, or below on a phone.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::strings::shell as text;
use crate::view::connection::Line;
use crate::view::door::Stand;
use crate::view::list::Shown;
use crate::view::words;
use crate::web::browser;
use crate::web::components::door::SmallDoor;
use crate::web::components::icon::{Draw, Icon};
use crate::web::live::use_live;

/// The pages.
const PAGES: [(&str, &str, Icon); 5] = [
    ("/", text::HOME, Icon::Home),
    ("/tasks", text::TASKS, Icon::Tasks),
    ("/workers", text::WORKERS, Icon::Workers),
    ("/tools", text::TOOLS, Icon::Tools),
    ("/usage", text::USAGE, Icon::Usage),
];

/// The page about oneself, which stands apart.
const ACCOUNT: &str = "/account";

/// Whether a page, or one below it, is open.
fn is_at(page: &str, path: &str) -> bool {
    if page == "/" {
        path == "/"
    } else {
        path == page || path.strip_prefix(page).is_some_and(|rest| rest.starts_with('/'))
    }
}

#[component]
fn Links() -> impl IntoView {
    let live = use_live();
    let path = use_location().pathname;
    let count = move |page: &str| {
        live.swarm.with(|swarm| match page {
            "/tasks" => Some(Shown::Running.count(swarm) + Shown::Queued.count(swarm) + Shown::Waiting.count(swarm)),
            "/workers" => swarm.workers.as_ref().map(|workers| workers.len() as u64),
            _ => None,
        })
    };
    let link = move |(page, label, icon): (&'static str, &'static str, Icon)| {
        view! {
            <a href=page aria-current=move || is_at(page, &path.get()).then_some("page")>
                <Draw icon />
                <span>{label}</span>
                <span class="count">{move || count(page).filter(|n| *n > 0).map(words::thousands)}</span>
            </a>
        }
    };
    PAGES.into_iter().map(link).collect_view()
}

/// The pages at the left.
#[component]
pub(super) fn Nav() -> impl IntoView {
    let live = use_live();
    let path = use_location().pathname;
    let stand = Memo::new(move |_| {
        live.swarm.with(|swarm| match (swarm.runs().next(), &swarm.workers) {
            (Some(_), _) => Stand::Working,
            (None, Some(workers))
                if workers.iter().any(|worker| crate::view::door::stand(worker) != Stand::Offline) =>
            {
                Stand::Ready
            }
            _ => Stand::Offline,
        })
    });
    let state = move || match live.line.get() {
        Line::Opening => text::CONNECTING,
        Line::Live => text::CONNECTED,
        Line::Broken { .. } => text::RECONNECTING,
    };
    let version =
        move || live.swarm.with(|swarm| swarm.status.as_ref().map(|status| format!("v{} · ", status.version)));
    view! {
        <nav class="nav" aria-label=text::NAVIGATION>
            <a class="brand" href="/"><SmallDoor stand /><span>{text::PRODUCT}</span></a>
            <Links />
            <div class="nav-foot">
                <a class="nav-account" href=ACCOUNT aria-current=move || is_at(ACCOUNT, &path.get()).then_some("page")>
                    <Draw icon=Icon::Account />
                    <span class="unseen">{text::ACCOUNT}": "</span>
                    <span>{move || live.who.with(|who| who.username.clone())}</span>
                </a>
                <p>{browser::host()}</p>
                <p>{version}{state}</p>
            </div>
        </nav>
    }
}

/// The pages below, on a phone.
#[component]
pub(super) fn Tabs() -> impl IntoView {
    let path = use_location().pathname;
    view! {
        <nav class="tabs" aria-label=text::NAVIGATION>
            <Links />
            <a href=ACCOUNT aria-current=move || is_at(ACCOUNT, &path.get()).then_some("page")>
                <Draw icon=Icon::Account /><span>{text::ACCOUNT}</span>
            </a>
        </nav>
    }
}
