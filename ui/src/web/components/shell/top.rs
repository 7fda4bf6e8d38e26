//! What stands over every page: where one is, search, the workers at a glance, and the pause of the whole swarm.

use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_navigate};

use crate::strings::shell as text;
use crate::view::door::stand;
use crate::view::list::{Filter, named_task};
use crate::view::swarm::Swarm;
use crate::web::browser;
use crate::web::components::button::Button;
use crate::web::components::dialog::Ask;
use crate::web::components::door::SmallDoor;
use crate::web::components::icon::{Draw, Icon};
use crate::web::keys::use_keys;
use crate::web::live::use_live;

/// The most doors in the strip.
const MOST_DOORS: usize = 12;

#[component]
pub(super) fn Top(colours: RwSignal<bool>) -> impl IntoView {
    let live = use_live();
    let path = use_location().pathname;
    let asks = RwSignal::new(false);
    let is_paused = Memo::new(move |_| live.swarm.with(Swarm::is_paused));
    Effect::new(move || document().set_title(&title_of(&path.get())));
    let crumbs = move || {
        let path = path.get();
        match path.strip_prefix("/tasks/") {
            Some(task) => view! {
                <a class="back" href="/tasks" aria-label=text::BACK><Draw icon=Icon::Back /></a>
                <a class="crumb wide-only" href="/tasks">{text::TASKS}</a>
                <span class="wide-only"><Draw icon=Icon::Right /></span>
                <span class="mono">{format!("#{}", task.trim_start_matches('#'))}</span>
            }
            .into_any(),
            None => view! {
                <span>{name_of(&path)}</span>
            }
            .into_any(),
        }
    };
    view! {
        <header class="top">
            <div class="crumbs">{crumbs}</div>
            <SearchBox />
            <Show when=move || path.get() != "/"><Strip /></Show>
            // The page about oneself has the choice on it.
            <Show when=move || path.get() != "/account">
                <button class="icon-button wide-only" type="button" aria-label=text::THEME title=text::THEME on:click=move |_| colours.set(true)>
                    <Draw icon=Icon::Theme />
                </button>
            </Show>
            <Show when=move || live.is_admin() && !is_paused.get()>
                <Button icon=Some(Icon::Pause) label=text::PAUSE.to_owned() online=true hint=text::PAUSE_LABEL on_press=move || asks.set(true) />
            </Show>
        </header>
        <Ask
            open=asks
            title=text::PAUSE_ASK.to_owned()
            body=text::PAUSE_ASK_BODY.to_owned()
            act=text::PAUSE_LABEL.to_owned()
            harmless=true
            on_confirm=move || live.steer_swarm(true)
        />
    }
}

fn name_of(path: &str) -> &'static str {
    match path {
        "/" => text::HOME,
        "/tasks" => text::TASKS,
        "/workers" => text::WORKERS,
        "/tools" => text::TOOLS,
        "/usage" => text::USAGE,
        "/account" => text::ACCOUNT,
        _ => "",
    }
}

/// What the browser calls the page.
fn title_of(path: &str) -> String {
    match path.strip_prefix("/tasks/") {
        Some(task) => format!("#{} · {}", task.trim_start_matches('#'), text::PRODUCT),
        None if name_of(path).is_empty() => text::PRODUCT.to_owned(),
        None => format!("{} · {}", name_of(path), text::PRODUCT),
    }
}

/// Search: a number goes to its task, anything else to the list.
#[component]
fn SearchBox() -> impl IntoView {
    let node = NodeRef::<html::Input>::new();
    let path = use_location().pathname;
    use_keys().bind('/', move || {
        // On the list its own field is the one to search in.
        let own = document().get_element_by_id("task-search").and_then(|own| wasm_bindgen::JsCast::dyn_into(own).ok());
        let field: Option<web_sys::HtmlInputElement> = own.or_else(|| node.get_untracked());
        if let Some(field) = field {
            field.focus().unwrap_or_default();
            field.select();
        }
    });
    let navigate = use_navigate();
    let search = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let Some(node) = node.get_untracked() else { return };
        let text = node.value();
        node.set_value("");
        node.blur().unwrap_or_default();
        match named_task(&text) {
            Some(number) => navigate(&format!("/tasks/{number}"), Default::default()),
            None => navigate(
                &browser::address("/tasks", &Filter { text, ..Filter::default() }.to_query()),
                Default::default(),
            ),
        }
    };
    view! {
        <form class="search" class:hides=move || path.get() == "/tasks" role="search" on:submit=search>
            <Draw icon=Icon::Search />
            <input node_ref=node type="search" placeholder=text::SEARCH aria-label=text::SEARCH_LABEL enterkeyhint="search" />
            <kbd>"/"</kbd>
        </form>
    }
}

/// One small door for each worker.
#[component]
fn Strip() -> impl IntoView {
    let live = use_live();
    let stands = Memo::new(move |_| {
        live.swarm.with(|swarm| {
            swarm
                .workers
                .iter()
                .flatten()
                .map(|worker| (worker.machine_name.clone(), stand(worker)))
                .collect::<Vec<_>>()
        })
    });
    let doors = move || {
        let stands = stands.get();
        let n_more = stands.len().saturating_sub(MOST_DOORS);
        let door = |(name, stand)| view! { <span title=name><SmallDoor stand=Signal::stored(stand) /></span> };
        view! {
            {stands.into_iter().take(MOST_DOORS).map(door).collect_view()}
            {(n_more > 0).then(|| format!("+{n_more}"))}
        }
    };
    let label = move || {
        let n_working =
            stands.with(|stands| stands.iter().filter(|(_, s)| *s == crate::view::door::Stand::Working).count());
        format!("{}: {}", text::STRIP, text::working(n_working as u64))
    };
    view! { <a class="strip wide-only" href="/workers" aria-label=label>{doors}</a> }
}
